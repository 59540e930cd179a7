// Selects the proxy of a provider: the one in its entry, otherwise the one that the usual variables name for its URL. For
// providers only: webhooks go to URLs of clients, whose addresses are checked while connecting, and a proxy would hide them.
//
//   providers.*.proxy  >  https_proxy, HTTPS_PROXY | http_proxy, HTTP_PROXY, unless no_proxy, NO_PROXY or loopback

import { type Variables } from '../sources/substitute.js'
import { type ProblemList } from '../validate/problem.js'
import { isWithin, parseAddress, parseNetwork } from './addresses.js'

/** The value of an entry that disables the environment's proxy. */
const NO_PROXY_AT_ALL = 'none'
const DEFAULT_PORTS: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' }
const LOOPBACK_NETWORKS = ['127.0.0.0/8', '::1'].flatMap((text) => parseNetwork(text) ?? [])

export type ProxyFacts = {
  /** Name of the provider. */
  readonly name: string
  readonly baseUrl: string
  /** `proxy` of its entry. */
  readonly proxy: string | undefined
  readonly variables: Variables
}

/** The proxy's URL, with its credentials; null for a direct connection. An invalid one becomes a problem. */
export function resolveProxy({ name, baseUrl, proxy, variables }: ProxyFacts, problems: ProblemList): string | null {
  if (proxy !== undefined) {
    if (proxy === NO_PROXY_AT_ALL) return null
    const url = normaliseProxy(proxy)
    if (url === null) problems.add(['providers', name, 'proxy'], WANTED)
    return url
  }
  const found = findVariable(baseUrl, variables)
  if (found === null) return null
  const url = normaliseProxy(found.value.includes('://') ? found.value : `http://${found.value}`)
  if (url === null) problems.add([found.variable], WANTED)
  return url
}

const WANTED = 'must be a proxy URL such as http://user:password@host:port (http or https)'

/** Variables in their order; the first that is not empty. */
function findVariable(baseUrl: string, variables: Variables): { variable: string; value: string } | null {
  const url = new URL(baseUrl)
  if (isLoopbackHost(url.hostname) || isExempt(url, variables.no_proxy || variables.NO_PROXY || '')) return null
  const names = url.protocol === 'https:' ? ['https_proxy', 'HTTPS_PROXY'] : ['http_proxy', 'HTTP_PROXY']
  for (const variable of names) {
    const value = variables[variable]
    if (value !== undefined && value !== '') return { variable, value }
  }
  return null
}

/** Only scheme, credentials, host and port; null for anything but an http or https URL. */
function normaliseProxy(text: string): string | null {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || !(url.protocol in DEFAULT_PORTS) || url.hostname === '') return null
  if (!['', '/'].includes(url.pathname) || url.search !== '' || url.hash !== '') return null
  return url.href.replace(/\/$/, '')
}

function isLoopbackHost(hostname: string): boolean {
  const address = parseAddress(hostname.replace(/^\[(.*)\]$/, '$1'))
  if (address === null) return hostname === 'localhost' || hostname.endsWith('.localhost')
  return LOOPBACK_NETWORKS.some((network) => isWithin(address, network))
}

/** A list of names (with their subdomains), addresses and networks, each with an optional port; `*` matches everything. */
function isExempt(url: URL, list: string): boolean {
  const port = url.port || DEFAULT_PORTS[url.protocol]
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1').toLowerCase()
  const address = parseAddress(host)
  return list.split(/[\s,]+/).some((entry) => {
    if (entry === '' || entry === '*') return entry === '*'
    const network = parseNetwork(entry.replace(/^\[(.*)\]$/, '$1'))
    if (network !== null) return address !== null && isWithin(address, network)
    const [, name = '', itsPort] = /^(.*?)(?::(\d+))?$/.exec(entry.toLowerCase()) ?? []
    const bare = name.replace(/^\[(.*)\]$/, '$1').replace(/^\*?\./, '')
    const isPort = itsPort === undefined || itsPort === port
    return isPort && (host === bare || (address === null && host.endsWith(`.${bare}`)))
  })
}
