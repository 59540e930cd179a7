// The DNS lookup of a connection to an untrusted server. Addresses are checked here and nowhere else, since these are the ones
// connected to; a name that resolves differently later (DNS rebinding) does not get around the check.
import { type LookupAddress } from 'node:dns'
import { lookup, Resolver } from 'node:dns/promises'
import { type LookupFunction } from 'node:net'
import { type GuardPolicy, isPublicAddress } from './public-url.js'

/** Two tries take less than an attempt's total time. */
const DNS_TIMEOUT_MS = 3000
const DNS_TRIES = 2

/** All addresses of a name. */
export type Resolve = (hostname: string) => Promise<readonly LookupAddress[]>

/** A lookup for net.connect and tls.connect. A name with any address that is not public is rejected. */
export function createGuardedLookup({ allowPrivateNetworks }: GuardPolicy, given?: Resolve): LookupFunction {
  const resolve = given ?? (allowPrivateNetworks ? resolveBySystem : resolvePublicly)
  const isAllowed = ({ address }: LookupAddress) => allowPrivateNetworks || isPublicAddress(address)
  return (hostname, { all }, callback) => {
    const answer = (addresses: readonly LookupAddress[]): void => {
      const [first] = addresses
      if (first === undefined) callback(new Error('the name has no address'), '')
      else if (!addresses.every(isAllowed)) callback(new Error('an address of the name is not public'), '')
      else if (all === true) callback(null, [...addresses])
      else callback(null, first.address, first.family)
    }
    resolve(hostname).then(answer, (error: Error) => callback(error, ''))
  }
}

/** For names of private networks: uses the hosts file and search domains as well. */
function resolveBySystem(hostname: string): Promise<readonly LookupAddress[]> {
  return lookup(hostname, { all: true })
}

/**
 * DNS only, not getaddrinfo, which blocks one of the few threads that also resolve the names of providers; a stranger's name server
 * may be slow.
 */
async function resolvePublicly(hostname: string): Promise<readonly LookupAddress[]> {
  const resolver = new Resolver({ timeout: DNS_TIMEOUT_MS, tries: DNS_TRIES })
  const [v4, v6] = await Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)])
  if (v4.status === 'rejected' && v6.status === 'rejected') throw v4.reason
  return [
    ...(v4.status === 'fulfilled' ? v4.value : []).map((address) => ({ address, family: 4 })),
    ...(v6.status === 'fulfilled' ? v6.value : []).map((address) => ({ address, family: 6 })),
  ]
}
