// The address of a client as text, for the log.

/** Each text is made once: the same few clients come again and again. */
const MAX_KNOWN = 1000
const IPV4_BYTES = 4
const IPV6_BYTES = 16
/** ::ffff:0:0/96 holds the IPv4 addresses (RFC 4291, 2.5.5.2). */
const MAPPED_PREFIX = '\0\0\0\0\0\0\0\0\0\0\xff\xff'

/** Of one event loop. */
export class AddressTexts {
  readonly #known = new Map<string, string>()

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

function textOf(bytes: Buffer, key: string): string {
  if (bytes.length === IPV4_BYTES) return bytes.join('.')
  if (bytes.length !== IPV6_BYTES) return ''
  if (key.startsWith(MAPPED_PREFIX)) return bytes.subarray(MAPPED_PREFIX.length).join('.')
  const groups = Array.from({ length: IPV6_BYTES / 2 }, (_, group) => bytes.readUInt16BE(group * 2).toString(16))
  // URL writes an IPv6 host as RFC 5952 has it.
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}
