// The address of a client as text, for the log.

/** Texts are cached, since most requests come from the same few clients. */
const MAX_KNOWN = 1000
const IPV4_BYTES = 4
const IPV6_BYTES = 16
/** ::ffff:0:0/96 holds the IPv4 addresses (RFC 4291, 2.5.5.2). */
const MAPPED_PREFIX = '\0\0\0\0\0\0\0\0\0\0\xff\xff'
/** Its last four bytes, in this machine's order. */
const MAPPED_WORD = new Uint32Array(Uint8Array.of(0, 0, 0xff, 0xff).buffer)[0]

/** For one event loop. */
export class AddressTexts {
  readonly #known = new Map<string, string>()
  readonly #knownIpv4 = new Map<number, string>()

  /**
   * The same for the engine's own memory, which is read and not kept. An IPv4 address is looked up by its number: every request
   * needs it, and allocating an array or a string costs several microseconds, mostly in collections (S1).
   */
  ofPeer(raw: ArrayBuffer): string {
    const number = ipv4Of(raw)
    const known = number === null ? undefined : this.#knownIpv4.get(number)
    if (known !== undefined) return known
    const text = this.of(new Uint8Array(raw))
    if (number === null) return text
    if (this.#knownIpv4.size >= MAX_KNOWN) this.#knownIpv4.clear()
    this.#knownIpv4.set(number, text)
    return text
  }

  /** `address`: 4 or 16 bytes; anything else has no text. */
  of(address: Uint8Array): string {
    const bytes = Buffer.from(address.buffer, address.byteOffset, address.length)
    const key = bytes.toString('latin1')
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const text = textOf(bytes, key)
    if (this.#known.size >= MAX_KNOWN) this.#known.clear()
    this.#known.set(key, text)
    return text
  }
}

/** The address as a number in native byte order; null if it is not IPv4. */
function ipv4Of(raw: ArrayBuffer): number | null {
  if (raw.byteLength !== IPV4_BYTES && raw.byteLength !== IPV6_BYTES) return null
  const words = new Uint32Array(raw)
  if (words.length === 1) return words[0] ?? null
  return words[0] === 0 && words[1] === 0 && words[2] === MAPPED_WORD ? (words[3] ?? null) : null
}

function textOf(bytes: Buffer, key: string): string {
  if (bytes.length === IPV4_BYTES) return bytes.join('.')
  if (bytes.length !== IPV6_BYTES) return ''
  if (key.startsWith(MAPPED_PREFIX)) return bytes.subarray(MAPPED_PREFIX.length).join('.')
  const groups = Array.from({ length: IPV6_BYTES / 2 }, (_, group) => bytes.readUInt16BE(group * 2).toString(16))
  // URL writes an IPv6 host as RFC 5952 has it.
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}
