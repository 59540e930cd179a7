// The part of WebAssembly that is used here. TypeScript has it with the types of browsers alone.
declare namespace WebAssembly {
  type Memory = { readonly buffer: ArrayBuffer; grow(pages: number): number }
  type Global = { value: number }
  class Module {
    constructor(code: Uint8Array)
  }
  class Instance {
    readonly exports: unknown
    constructor(module: Module)
  }
}
