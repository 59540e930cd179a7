// Which targets an untrusted URL may have, of a webhook or an image: the gateway may be inside a network that its clients cannot
// reach, so only public addresses are called. Checked three times: the URL, every address that its name resolves to while connecting
// (so that the name cannot change in between), and the socket.
import { BlockList, isIP } from 'node:net'

const MAX_URL_LENGTH = 2048

export type GuardPolicy = {
  /** Also accept http://. */
  readonly allowInsecure: boolean
  /** Also accept addresses of this machine and of private networks. */
  readonly allowPrivateNetworks: boolean
}

/** IANA IPv4 Special-Purpose Address Registry, and all that is multicast or reserved. */
const SPECIAL_V4 = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24'],
  ...['192.0.2.0/24', '192.31.196.0/24', '192.52.193.0/24', '192.88.99.0/24', '192.168.0.0/16', '192.175.48.0/24'],
  ...['198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4'],
]
/** All of IPv6 that is routed. Everything else (mapped, NAT64, unique local, link local, site local ...) needs no list. */
const GLOBAL_V6 = ['2000::/3']
/** Special within that: Teredo and its neighbours, documentation, 6to4, AS112. */
const SPECIAL_V6 = ['2001::/23', '2001:db8::/32', '2002::/16', '2620:4f:8000::/48', '3fff::/20']

const NOT_PUBLIC = blockList([...SPECIAL_V4, ...SPECIAL_V6])
const ROUTED_V6 = blockList(GLOBAL_V6)

/** True for a globally routable address. Not for one with a zone, or for invalid text. */
export function isPublicAddress(address: string): boolean {
  if (isIP(address) === 4) return !NOT_PUBLIC.check(address, 'ipv4')
  if (isIP(address) !== 6 || address.includes('%')) return false
  return ROUTED_V6.check(address, 'ipv6') && !NOT_PUBLIC.check(address, 'ipv6')
}

/** The URL, or the reason why it is not allowed, such as `must be an absolute URL`. */
export type CheckedUrl =
  | { readonly url: URL; readonly problem: null }
  | { readonly url: null; readonly problem: string }

/**
 * Checks a URL's text. The parser of URLs has by then turned every way to write an IPv4 address (`2130706433`, `0x7f.1`,
 * `0177.0.0.1`, full-width or circled digits) into the usual one.
 */
export function checkPublicUrl(text: string, policy: GuardPolicy): CheckedUrl {
  const url = text.length <= MAX_URL_LENGTH && URL.canParse(text) ? new URL(text) : null
  if (url === null) return refused('must be an absolute URL')
  if (url.protocol !== 'https:' && !(policy.allowInsecure && url.protocol === 'http:')) {
    return refused(`must begin with https://${policy.allowInsecure ? ' or http://' : ''}`)
  }
  if (url.username !== '' || url.password !== '') return refused('must not contain a user name or password')
  if (url.port === '0') return refused('must not use port 0')
  // No certificate has such a name, and a host must not have two spellings.
  if (url.hostname.endsWith('.')) return refused('must not have a host that ends in a dot')
  if (!mayReachHost(url.hostname, policy)) return refused('must point to a public address')
  url.hash = ''
  return { url, problem: null }
}

function refused(problem: string): CheckedUrl {
  return { url: null, problem }
}

/** Checks a host that is an address; a name is only checked once it is resolved. */
function mayReachHost(hostname: string, policy: GuardPolicy): boolean {
  const bare = hostname.replace(/^\[(.*)\]$/, '$1')
  return policy.allowPrivateNetworks || isIP(bare) === 0 || isPublicAddress(bare)
}

function blockList(subnets: readonly string[]): BlockList {
  const list = new BlockList()
  for (const subnet of subnets) {
    const [address = '', prefix] = subnet.split('/')
    list.addSubnet(address, Number(prefix), address.includes(':') ? 'ipv6' : 'ipv4')
  }
  return list
}
