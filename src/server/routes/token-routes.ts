// The route that issues browser tokens to the holder of a key.
import { GatewayError } from '../../errors.js'
import { type JsonObject, type JsonValue } from '../../model/json.js'
import { type KeyIdentity } from '../../pipeline/client.js'
import { parseRequestBody } from '../../wire/body/members.js'
import { type TokenClaims } from '../context.js'
import { authenticateKey } from '../http/credentials.js'
import { type Act, type HttpExchange } from '../http/http.js'

const DEFAULT_SEC = 600
const MAX_SEC = 3600
const MAX_MODELS = 64
const MAX_MODEL_CHARS = 256
/** The least that a provider's API accepts as a cap. */
const MIN_OUTPUT_TOKENS = 16
const MAX_OUTPUT_TOKENS = 10_000_000
const MAX_USER_CHARS = 256
const MS_PER_SEC = 1000
const MEMBERS: ReadonlySet<string> = new Set([...['expiresInSeconds', 'models', 'maxOutputTokens', 'origin', 'user']])
const NOT_STORED = [['cache-control', 'no-store']] as const

/** Issues a token for the caller's key. It counts as one request of the key's limits. */
export const answerToken: Act = (exchange) => {
  const key = authenticateKey(exchange)
  const refusal = exchange.refusal(key)
  if (refusal !== null) {
    exchange.reject(refusal)
    return
  }
  exchange.readBody(key, (asked, body) => {
    issue(asked, key, body).catch((thrown: unknown) => asked.reject(thrown))
    return true
  })
}

/** @throws invalid_request, rate_limited, overloaded, forbidden */
async function issue(exchange: HttpExchange, key: KeyIdentity, body: Uint8Array): Promise<void> {
  const { tokens, jobs } = exchange.view
  const nowMs = Date.now()
  const claims = readClaims(parseRequestBody(body).json, nowMs)
  if (claims.user !== null && key.account?.trustUser !== true) {
    throw invalid('user', 'may be named by keys of the account database with trustUser only.')
  }
  const counting = jobs.countRequest(key)
  if (counting !== null) await counting
  const token = tokens?.issue(digestOf(key), claims) ?? null
  if (token === null)
    throw new GatewayError('overloaded', { message: 'The secret that signs browser tokens is not available yet.' })
  const { expiresAtMs, ...rest } = claims
  const expiresInSeconds = Math.max(0, Math.floor((expiresAtMs - nowMs) / MS_PER_SEC))
  const answer = { token, expiresAt: new Date(expiresAtMs).toISOString(), expiresInSeconds, ...rest }
  exchange.answer(200, Buffer.from(JSON.stringify(answer)), NOT_STORED)
}

/** Of the secret that the caller has: the token ends with it. @throws forbidden for a caller without one */
function digestOf({ digest, owner }: KeyIdentity): Buffer {
  if (digest !== undefined) return Buffer.from(digest, 'hex')
  if (owner === null)
    throw new GatewayError('forbidden', { message: 'Browser tokens are issued for keys, and this gateway has none.' })
  return Buffer.from(owner, 'hex')
}

/** @throws invalid_request */
function readClaims(asked: JsonObject, nowMs: number): TokenClaims {
  for (const name of Object.keys(asked)) {
    if (!MEMBERS.has(name)) throw invalid(name, `is not known; accepted are ${[...MEMBERS].join(', ')}.`)
  }
  const { expiresInSeconds = DEFAULT_SEC, models = null, maxOutputTokens = null, origin = null, user = null } = asked
  const seconds = readInteger('expiresInSeconds', expiresInSeconds, [1, MAX_SEC])
  return {
    expiresAtMs: Math.floor(nowMs / MS_PER_SEC + seconds) * MS_PER_SEC,
    models: models === null ? null : readModels(models),
    maxOutputTokens:
      maxOutputTokens === null
        ? null
        : readInteger('maxOutputTokens', maxOutputTokens, [MIN_OUTPUT_TOKENS, MAX_OUTPUT_TOKENS]),
    origin: origin === null ? null : readOrigin(origin),
    user: user === null ? null : readUser(user),
  }
}

function readInteger(name: string, value: JsonValue, [least, most]: readonly [number, number]): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value
  throw invalid(name, `must be a whole number from ${least} to ${most}.`)
}

function readModels(value: JsonValue): string[] {
  const names = Array.isArray(value) ? value.filter((name) => typeof name === 'string') : []
  const isValid =
    Array.isArray(value) &&
    names.length === value.length &&
    names.length > 0 &&
    names.length <= MAX_MODELS &&
    names.every((name) => name !== '' && name.length <= MAX_MODEL_CHARS)
  if (isValid) return names
  throw invalid('models', `must be 1 to ${MAX_MODELS} names or globs of 1 to ${MAX_MODEL_CHARS} characters.`)
}

function readUser(value: JsonValue): string {
  if (typeof value === 'string' && value !== '' && value.length <= MAX_USER_CHARS) return value
  throw invalid('user', `must be the id of an end user, of 1 to ${MAX_USER_CHARS} characters.`)
}

/** As browsers write it in their requests. */
function readOrigin(value: JsonValue): string {
  if (typeof value === 'string' && URL.canParse(value)) {
    const { origin, protocol } = new URL(value)
    if (origin === value && /^https?:$/.test(protocol)) return value
  }
  throw invalid('origin', 'must be an origin such as https://app.example.com, in lower case and without a path.')
}

function invalid(param: string, what: string): GatewayError {
  return new GatewayError('invalid_request', { message: `${param} ${what}`, param })
}
