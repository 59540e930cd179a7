// The routes that are no exchange: health, models, metrics, CORS preflight, and what is not found. Each answers at once,
// or in the case of metrics when the text is rendered; none asks an upstream.
import { createHash, timingSafeEqual } from 'node:crypto'
import { GatewayError } from '../errors.js'
import { type JsonObject } from '../model/json.js'
import { type KeyIdentity } from '../pipeline/client.js'
import { type HeaderPolicy, preflightHeaders } from './headers.js'
import { type Act } from './http.js'

export type ProviderStatus = {
  readonly name: string
  readonly configured: boolean
  /** Worst of its targets: `closed` where all is well, `half-open`, `open`. */
  readonly breaker: string
}

/** Answers whether the process lives. `status` is the word in the body. */
export function answerAlive(status: string): Act {
  const body = encode({ status })
  return (exchange) => exchange.answer(200, body)
}

/** Answers whether new work is welcome: 503 while starting and draining. */
export function answerReady(isReady: () => boolean): Act {
  const ready = encode({ status: 'ok' })
  const notReady = encode({ status: 'unavailable' })
  return (exchange) =>
    isReady() ? exchange.answer(200, ready) : exchange.answer(503, notReady, [['retry-after', '1']])
}

/** Lists the providers by name and state, never a key. */
export function answerProviders(status: string, providers: () => readonly ProviderStatus[]): Act {
  return (exchange) => {
    const list = providers().map(({ name, configured, breaker }) => ({ name, configured, breaker }))
    exchange.answer(200, encode({ status, providers: list }))
  }
}

/** The body of the ping route. */
export function answerPing(): Act {
  const body = encode({ status: true, body: 'pong' })
  return (exchange) => exchange.answer(200, body)
}

export type ModelSource = (key: KeyIdentity) => readonly JsonObject[]

/** The list of models that the caller's key may use; each has an `id`. */
export function answerModels(models: ModelSource): Act {
  return (exchange) => {
    const key = exchange.authenticate()
    exchange.answer(200, encode({ object: 'list', data: [...models(key)] }))
  }
}

/** One model by its id, which may hold slashes; `prefix` is the path before it. */
export function answerModel(models: ModelSource, prefix: string): Act {
  return (exchange, req) => {
    const id = decodePath(req.getUrl().slice(prefix.length))
    const key = exchange.authenticate()
    const model = models(key).find((entry) => entry.id === id)
    if (model === undefined) throw new GatewayError('model_not_found', { param: 'model' })
    exchange.answer(200, encode(model))
  }
}

export type MetricsAccess = {
  readonly render: () => Promise<string>
  /** Bearer token that opens the metrics beside the gateway keys; null for none. */
  readonly token: string | null
  /** Without a match of `token`, a gateway key is asked for. */
  readonly needsKey: boolean
}

/** Metrics as text. */
export function answerMetrics(access: MetricsAccess): Act {
  const wanted = access.token === null ? null : digest(`bearer ${access.token}`)
  return (exchange) => {
    const [scheme = '', ...rest] = exchange.head.authorization.split(' ')
    const given = digest(`${scheme.toLowerCase()} ${rest.join(' ')}`)
    const isOpen = wanted === null ? !access.needsKey : timingSafeEqual(given, wanted)
    if (!isOpen || exchange.head.isCredentialDoubled) {
      // A token alone, on a gateway without keys: there is no key that could open it.
      if (!access.needsKey) throw new GatewayError('unauthenticated')
      exchange.authenticate()
    }
    access.render().then(
      (text) => exchange.answer(200, Buffer.from(text), METRICS_TYPE),
      (thrown: unknown) => exchange.reject(thrown),
    )
  }
}

/** A known path with another method. `allow` lists those it takes. */
export function refuseMethod(allow: string): Act {
  return (exchange) => exchange.reject(new GatewayError('method_not_allowed'), [['allow', allow]])
}

/** A path nobody serves. */
export const refusePath: Act = () => {
  throw new GatewayError('not_found')
}

/** OPTIONS: a CORS preflight of an allowed origin gets its permissions, anything else just `allow`. */
export function answerOptions(policy: HeaderPolicy, allow: string): Act {
  return (exchange, req) => {
    const requested = req.getHeader('access-control-request-headers')
    const cors = policy.isAllowed(exchange.head.origin) ? preflightHeaders(allow, requested) : []
    exchange.answer(204, NO_BODY, [['allow', allow], ...cors])
  }
}

const NO_BODY = new Uint8Array(0)
const METRICS_TYPE = [['content-type', 'text/plain; version=0.0.4; charset=utf-8']] as const

function encode(body: JsonObject): Buffer {
  return Buffer.from(JSON.stringify(body))
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

/** Percent-decodes; text that does not decode is no model's name and stays as it is. */
function decodePath(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
