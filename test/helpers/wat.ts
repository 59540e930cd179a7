// Assembles WebAssembly's text format, for the module that is committed as bytes.
import { readFileSync } from 'node:fs'
import createWabt from 'wabt'

/** The module of src/, whose bytes are in the file of the same name. */
export const WAT = new URL('../../../src/wire/body/vector-scan.wat', import.meta.url)

/** The bytes of a module. @throws with line and column where the text is not sound */
export async function assemble(file: URL): Promise<Uint8Array> {
  const wabt = await createWabt()
  const module = wabt.parseWat(file.pathname, readFileSync(file, 'utf8'), { simd: true })
  try {
    module.resolveNames()
    module.validate()
    return module.toBinary({}).buffer
  } finally {
    module.destroy()
  }
}

/** The literal of the constant CODE, in base64 over several lines. */
export function findCode(source: string): string {
  const found = /^const CODE =\s+('[^;]*?')\n*$/m.exec(source)
  if (found?.[1] === undefined) throw new Error('There is no constant CODE.')
  return found[1]
}
