// The routes of what clients keep at a provider, in their own account: the caller's own key is required, and the operator's is never used.
// A request that creates is a body like any other; all others consist of their path.
import { GatewayError } from '../../errors.js'
import { type PathFacts } from '../../pipeline/client.js'
import { PROVIDER_HEADER, type ResourceRoute } from '../../protocols/contract/resource.js'
import { type HttpRequest } from '../engine/engine.js'
import { authenticateKey, callerKeyOf } from '../http/credentials.js'
import { type Act, type HttpExchange } from '../http/http.js'

/** The placeholder for an id of the provider's. */
const ID_PART = '{id}'
/** Ids of all known providers, and nothing that leads to another path. */
const ID = /^[\w-][\w.:-]{0,255}$/
const QUERY = /^(?:[\w.~:@!$'()*+,;=&/?[\]-]|%[0-9A-Fa-f]{2}){0,2048}$/
const NO_BODY = new Uint8Array(new ArrayBuffer(0))
/** Of a file only its bytes are answered, and no bytes are no answer. */
const CONTENT_METHODS = 'GET, OPTIONS'

/** POST that creates: `take` reads the body. */
export function createResource(take: Act): Act {
  return (exchange, req) => {
    authenticateKey(exchange)
    exchange.path = ownKeyOf(exchange, req)
    take(exchange, req)
  }
}

/** Any other request. */
export function askResource({ method, rest, ...route }: ResourceRoute): Act {
  const isFile = route.isFile === true
  return (exchange, req) => {
    const key = authenticateKey(exchange)
    if (isFile && exchange.head.method === 'HEAD') {
      exchange.reject(new GatewayError('method_not_allowed'), [['allow', CONTENT_METHODS]])
      return
    }
    const path = ownKeyOf(exchange, req)
    const resource = { method, rest: `${rest.replace(ID_PART, idIn(rest, req))}${queryOf(req)}`, isFile }
    const refusal = exchange.refusal(key)
    if (refusal !== null) {
      exchange.reject(refusal)
      return
    }
    exchange.path = { ...path, resource }
    exchange.start(NO_BODY)
  }
}

/** @throws forbidden without a key of the caller's own */
function ownKeyOf(exchange: HttpExchange, req: HttpRequest): PathFacts {
  const callerKey = callerKeyOf(exchange)
  const provider = req.getHeader(PROVIDER_HEADER)
  if (callerKey !== null) return { streams: false, provider, callerKey }
  const message = `Files and batches belong to the account of a provider's key, and the gateway's key is shared. Send your own key for the provider as X-API-Key, its name as ${PROVIDER_HEADER}, and the gateway key as Authorization: Bearer.`
  throw new GatewayError('forbidden', { message, param: 'X-API-Key' })
}

function idIn(rest: string, req: HttpRequest): string {
  if (!rest.includes(ID_PART)) return ''
  const id = req.getParameter(0) ?? ''
  if (ID.test(id)) return id
  const message = 'The path must name an id of 1 to 256 letters, digits and _.:- that does not begin with a dot.'
  throw new GatewayError('invalid_request', { message })
}

function queryOf(req: HttpRequest): string {
  const query = req.getQuery() ?? ''
  if (query === '') return ''
  if (QUERY.test(query)) return `?${query}`
  throw new GatewayError('invalid_request', {
    message: 'The query has characters that are not percent-encoded, or more than 2048.',
  })
}
