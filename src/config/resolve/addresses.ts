// IP addresses and networks (CIDR) as bytes: read from text, compared, and written again. An IPv4 address in IPv6 (::ffff:1.2.3.4)
// is treated as the IPv4 address. Pure.
import { isIP } from 'node:net'

/** An address range; `address` has 4 or 16 bytes, `bits` is the length of the prefix that counts. */
export type Network = { readonly address: Uint8Array; readonly bits: number }

const IPV4_BYTES = 4
const IPV6_BYTES = 16
const IPV6_GROUPS = 8
const BYTE_BITS = 8
/** ::ffff:0:0/96, RFC 4291 2.5.5.2. */
const MAPPED_PREFIX_BYTES = 12
const PREFIX_LENGTH = /^\d{1,3}$/

/** The 4 or 16 bytes of an address; null for an invalid one. A zone (`fe80::1%eth0`) is ignored. */
export function parseAddress(text: string): Uint8Array | null {
  const bare = text.includes('%') ? text.slice(0, text.indexOf('%')) : text
  switch (isIP(bare)) {
    case 4:
      return parseIpv4(bare)
    case 6:
      return toPlain(parseIpv6(bare))
    default:
      return null
  }
}

/** `10.0.0.0/8`, `2001:db8::/32`, or one address; null for anything else, such as a prefix that is too long. */
export function parseNetwork(text: string): Network | null {
  const slash = text.indexOf('/')
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash))
  if (address === null) return null
  const most = address.length * BYTE_BITS
  if (slash < 0) return { address, bits: most }
  const length = text.slice(slash + 1)
  // A mapped IPv4 network is written with the length of its IPv6 prefix.
  const isMapped = address.length === IPV4_BYTES && text.slice(0, slash).includes(':')
  const bits = Number(length) - (isMapped ? MAPPED_PREFIX_BYTES * BYTE_BITS : 0)
  return PREFIX_LENGTH.test(length) && bits >= 0 && bits <= most ? { address, bits } : null
}

/** Both in the form that `parseAddress` and `toPlain` return. */
export function isWithin(address: Uint8Array, network: Network): boolean {
  if (address.length !== network.address.length) return false
  const whole = network.bits >> 3
  for (let i = 0; i < whole; i++) if (address[i] !== network.address[i]) return false
  const rest = network.bits & 7
  if (rest === 0) return true
  const shift = BYTE_BITS - rest
  return (address[whole] ?? 0) >> shift === (network.address[whole] ?? 0) >> shift
}

/** The four bytes of an IPv4 address mapped into IPv6; any other address unchanged. */
export function toPlain(address: Uint8Array): Uint8Array {
  if (address.length !== IPV6_BYTES || address[10] !== 0xff || address[11] !== 0xff) return address
  for (let i = 0; i < 10; i++) if (address[i] !== 0) return address
  return address.subarray(MAPPED_PREFIX_BYTES)
}

/** As people write it: `203.0.113.7`, `2001:db8:0:0:0:0:0:1` in its short form; empty for no address. */
export function addressText(address: Uint8Array): string {
  const plain = toPlain(address)
  if (plain.length === IPV4_BYTES) return plain.join('.')
  if (plain.length !== IPV6_BYTES) return ''
  const groups = Array.from({ length: IPV6_GROUPS }, (_, i) =>
    (((plain[2 * i] ?? 0) << 8) | (plain[2 * i + 1] ?? 0)).toString(16),
  )
  // URL writes IPv6 as RFC 5952 has it.
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1)
}

function parseIpv4(text: string): Uint8Array {
  return Uint8Array.from(text.split('.'), Number)
}

function parseIpv6(text: string): Uint8Array {
  const [head = '', tail] = text.split('::')
  const before = parseGroups(head)
  const after = tail === undefined ? [] : parseGroups(tail)
  const gap = new Array<number>(IPV6_BYTES - before.length - after.length).fill(0)
  return Uint8Array.from([...before, ...gap, ...after])
}

function parseGroups(text: string): number[] {
  if (text === '') return []
  return text.split(':').flatMap((group) => {
    if (group.includes('.')) return [...parseIpv4(group)]
    const value = Number.parseInt(group, 16)
    return [value >> 8, value & 0xff]
  })
}

/** True for addresses that only this machine can reach. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true
  return isIP(host) === 4 && host.startsWith('127.')
}
