// Files that a browser loads from a listener: pages, scripts, styles, read from the package when they are first asked for. Pages load
// nothing from elsewhere, and what they show of models and clients can never become script (Content Security Policy, Trusted Types).
import { type HeaderList } from '../../pipeline/sink.js'

/** A file of the package by its name; null if there is no such file. */
export type ReadBrowserFile = (name: string) => Uint8Array | null

export type BrowserFile = { readonly headers: HeaderList; readonly body: Uint8Array }

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
}
const POLICY =
  "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
const HEADERS: HeaderList = Object.freeze([
  ['content-security-policy', POLICY] as const,
  ['cross-origin-opener-policy', 'same-origin'] as const,
  ['cross-origin-resource-policy', 'same-origin'] as const,
])

/** The files of one page. */
export class BrowserFiles {
  readonly #names: ReadonlySet<string>
  readonly #read: ReadBrowserFile
  readonly #files = new Map<string, BrowserFile>()

  /** `names`: those that may be asked for. */
  constructor(names: readonly string[], read: ReadBrowserFile) {
    this.#names = new Set(names)
    this.#read = read
  }

  /** Null for a name that is none of these. */
  find(name: string): BrowserFile | null {
    const known = this.#files.get(name)
    if (known !== undefined) return known
    const type = TYPES[name.slice(name.lastIndexOf('.') + 1)]
    const body = this.#names.has(name) ? this.#read(name) : null
    if (body === null || type === undefined) return null
    const file = Object.freeze({ headers: [['content-type', type] as const, ...HEADERS], body })
    this.#files.set(name, file)
    return file
  }
}
