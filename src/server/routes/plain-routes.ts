// The routes without an exchange: health, models, metrics, CORS preflight and 404. Each answers immediately, metrics when the text is
// rendered; none contacts an upstream.
import { createHash, timingSafeEqual } from 'node:crypto'
import { GatewayError } from '../../errors.js'
import { type JsonObject } from '../../model/json.js'
import { type KeyIdentity } from '../../pipeline/client.js'
import { type ModelListing } from '../../protocols/contract/listing.js'
import { shownStreamIds } from '../../streams/kept/stream-id.js'
import { parseRequestBody } from '../../wire/body/members.js'
import { preflightHeaders } from '../engine/fixed-headers.js'
import { authenticateKey } from '../http/credentials.js'
import { type Act, type HttpExchange } from '../http/http.js'
import { decodePath } from './chat-route.js'
import { adviseOnPath, type KnownRoute } from './wrong-path.js'

/** Answers whether the process is running. `status` is the value in the body. */
export function answerAlive(status: string): Act {
  const body = encode({ status })
  return (exchange) => exchange.answer(200, body)
}

/** Answers whether new work is accepted: 503 while starting, in maintenance and draining. `isDegraded`: keys are those known before. */
export function answerReady(isReady: () => boolean, isDegraded: () => boolean): Act {
  const ready = encode({ status: 'ok' })
  const degraded = encode({ status: 'degraded', reason: 'account database away' })
  const notReady = encode({ status: 'unavailable' })
  const maintained = encode({ status: 'maintenance' })
  return (exchange) => {
    if (!isReady()) exchange.answer(503, notReady, [['retry-after', '1']])
    else if (exchange.view.isInMaintenance) exchange.answer(503, maintained, [['retry-after', '1']])
    else exchange.answer(200, isDegraded() ? degraded : ready)
  }
}

/** Lists the providers by name and state, never a key. */
export function answerProviders(status: string): Act {
  return (exchange) => {
    const providers = exchange.view.providers().map(({ name, configured, breaker }) => ({ name, configured, breaker }))
    exchange.answer(200, encode({ status, providers }))
  }
}

/** A document that is the same for everybody. */
export function answerDocument(document: JsonObject): Act {
  const body = encode(document)
  return (exchange) => exchange.answer(200, body)
}

/** One model by the name in a body that is posted, in the form of its API. */
export function answerAskedModel({ readName, encodeModel }: NonNullable<ModelListing['asked']>): Act {
  return (exchange) => {
    const key = exchange.authenticate()
    exchange.readBody(key, (asked, bytes) => {
      const id = readName(parseRequestBody(bytes).json)
      asked.answer(200, encode(encodeModel(findModel(asked, key, id))))
      return true
    })
  }
}

function findModel({ view }: Pick<HttpExchange, 'view'>, key: KeyIdentity, id: string): JsonObject {
  return view.models(key).find((entry) => entry.id === id) ?? view.model(key, id)
}

/** The body of the ping route. */
export function answerPing(): Act {
  const body = encode({ status: true, body: 'pong' })
  return (exchange) => exchange.answer(200, body)
}

/** The document of the API, built on first request: one for a gateway with keys, one for a gateway without. */
export function answerOpenApi(create: (hasKeys: boolean) => JsonObject): Act {
  const bodies = new Map<boolean, Buffer>()
  return (exchange) => {
    const { hasKeys } = exchange.view
    const body = bodies.get(hasKeys) ?? encode(create(hasKeys))
    bodies.set(hasKeys, body)
    exchange.answer(200, body)
  }
}

/** The list of models that the caller's key may use, in the form of its API. */
export const answerModels: Act = (exchange, req) => {
  const key = exchange.authenticate()
  const models = exchange.view.models(key)
  const listing = exchange.surface?.models
  const read = (name: string): string => req.getQuery(name) ?? ''
  exchange.answer(200, encode(listing?.encodeList(models, read) ?? { object: 'list', data: [...models] }))
}

/** The models that the caller's key may use, each with its provider and the languages of the prompt library. */
export const answerTags: Act = (exchange) => {
  const { view } = exchange
  const key = exchange.authenticate()
  const languages = [...view.languages()]
  const tags = view.models(key).map(({ id = null, owned_by = null }) => {
    return { name: id, model: id, provider: owned_by, languages }
  })
  exchange.answer(200, encode({ models: tags }))
}

/** @throws overloaded where too many wait for it, and what the account database throws */
export type UsageSource = (key: KeyIdentity) => Promise<JsonObject>

/** What the caller's key has spent, in the form of no API; errors are in the form of the caller's. */
export function answerUsage(usage: UsageSource): Act {
  return (exchange) => {
    usage(authenticateKey(exchange)).then(
      (body) => exchange.answer(200, encode(body), NOT_STORED),
      (thrown: unknown) => exchange.reject(thrown),
    )
  }
}

/** One model by its id, which may hold slashes; `prefix` is the path before it. */
export function answerModel(prefix: string): Act {
  return (exchange, req) => {
    const id = decodePath(req.getUrl().slice(prefix.length))
    const found = findModel(exchange, exchange.authenticate(), id)
    exchange.answer(200, encode(exchange.surface?.models?.encodeModel(found) ?? found))
  }
}

/**
 * Metrics as text. They cover all keys, so only `metrics.token` gives access if it is set; otherwise any gateway key does if keys
 * are set. `isApart`: on a separate listener on loopback, which requires no gateway key.
 */
export function answerMetrics(render: () => Promise<string>, isApart: boolean): Act {
  return (exchange) => {
    const { metricsToken, hasKeys } = exchange.view
    const { authorization, isCredentialDoubled } = exchange.head
    if (metricsToken !== null) {
      if (isCredentialDoubled || !hasToken(authorization, metricsToken)) throw new GatewayError('unauthenticated')
    } else if (hasKeys && !isApart) authenticateKey(exchange)
    render().then(
      (text) => exchange.answer(200, Buffer.from(text), METRICS_TYPE),
      (thrown: unknown) => exchange.reject(thrown),
    )
  }
}

function hasToken(authorization: string, token: string): boolean {
  const [scheme = '', ...rest] = authorization.split(' ')
  return timingSafeEqual(digest(`${scheme.toLowerCase()} ${rest.join(' ')}`), digest(`bearer ${token}`))
}

/** A known path with another method. `allow` lists the allowed ones. */
export function refuseMethod(allow: string): Act {
  return (exchange) => {
    const message = `This route does not support ${exchange.head.method}; it supports ${allow}.`
    exchange.reject(new GatewayError('method_not_allowed', { message }), [['allow', allow]])
  }
}

/** A path that is not served: the answer names it, and the route that was most likely meant. */
export function refusePath(routes: readonly KnownRoute[]): Act {
  return (_exchange, req) => {
    throw new GatewayError('not_found', {
      message: adviseOnPath(req.getMethod(), shownStreamIds(req.getUrl()), routes),
    })
  }
}

/** A path that is served, but not to the clients of this API, which are known by a header. */
export function refuseStranger(header: string): Act {
  return ({ head: { method, path } }) => {
    const message = `${method} ${path} is not available to clients that send ${header}; GET /openapi.json lists what is.`
    throw new GatewayError('not_found', { message })
  }
}

/** OPTIONS: a CORS preflight of an allowed origin gets its permissions, anything else just `allow`. */
export function answerOptions(allow: string): Act {
  return (exchange, req) => {
    const { policy } = exchange.view
    const requested = req.getHeader('access-control-request-headers')
    const cors = policy.isAllowed(exchange.head.origin) ? preflightHeaders(allow, requested) : []
    exchange.answer(204, NO_BODY, [['allow', allow], ...cors])
  }
}

const NO_BODY = new Uint8Array(0)
const NOT_STORED = [['cache-control', 'no-store']] as const
const METRICS_TYPE = [['content-type', 'text/plain; version=0.0.4; charset=utf-8']] as const

function encode(body: JsonObject): Buffer {
  return Buffer.from(JSON.stringify(body))
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
