// Whether the Host header of a request names a listener. A page of somebody else may have its own name lead to this machine (DNS
// rebinding): its requests look like those of the same origin to a browser, and only this header shows where they were meant to go.
import { isIP } from 'node:net'

/** The port behind a name or an address in brackets. */
const PORT = /:\d{1,5}$/

/** The names of one listener. Addresses and names without a dot are not asked of a public DNS, so nobody can make them his own. */
export class HostNames {
  readonly #names: ReadonlySet<string>
  /** The same clients come again and again. */
  #known = ''

  /** `names`: further ones, in any case. */
  constructor(names: readonly string[]) {
    this.#names = new Set(names.map((name) => name.toLowerCase()))
  }

  /** `host`: the header, with or without a port. */
  has(host: string): boolean {
    if (host === this.#known) return true
    if (!this.#isServed(host)) return false
    this.#known = host
    return true
  }

  #isServed(host: string): boolean {
    const bare = host.replace(PORT, '').toLowerCase()
    if (bare.startsWith('[')) return bare.endsWith(']') && isIP(bare.slice(1, -1)) === 6
    if (isIP(bare) === 4 || this.#names.has(bare)) return true
    return !bare.includes('.') || bare.endsWith('.localhost')
  }
}
