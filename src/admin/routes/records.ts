// What the routes of keys and of teams share: the schemas of their members, pages, and the store without which there are none.
import { Type } from 'typebox'
import { type AccountCalls } from '../../accounts/store.js'
import { NAME_PATTERN } from '../../config/schema/parts.js'
import { GatewayError } from '../../errors.js'
import { type AdminContext } from '../context.js'
import { nullable } from '../http/answers.js'

export const Name = Type.String({ pattern: NAME_PATTERN, expects: 'a name of 1 to 64 letters, digits, . _ -' })

/** More of anything in one record is a mistake. */
const MAX_ITEMS = 100
const MAX_PER_MINUTE = 1_000_000_000
const MAX_CONCURRENCY = 1_000_000
const MAX_TEXT = 256

const upTo = (maximum: number) => [Type.Integer({ minimum: 1, maximum }), Type.Null()] as const
const atMost = (maximum: number) => Type.Union([...upTo(maximum)], { default: null })
/** Without a default: an absent member must not take a limit away. */
const changedTo = (maximum: number) => Type.Optional(Type.Union([...upTo(maximum)]))

export const Limits = Type.Object(
  {
    requestsPerMinute: atMost(MAX_PER_MINUTE),
    tokensPerMinute: atMost(MAX_PER_MINUTE),
    concurrency: atMost(MAX_CONCURRENCY),
  },
  { additionalProperties: false },
)
export const LimitsPatch = Type.Object(
  {
    requestsPerMinute: changedTo(MAX_PER_MINUTE),
    tokensPerMinute: changedTo(MAX_PER_MINUTE),
    concurrency: changedTo(MAX_CONCURRENCY),
  },
  { additionalProperties: false, description: 'Those that are absent stay as they are' },
)
export const Models = Type.Array(Type.String({ minLength: 1, maxLength: MAX_TEXT }), {
  minItems: 1,
  maxItems: MAX_ITEMS,
})
export const Tags = Type.Array(Name, { maxItems: MAX_ITEMS })
export const Metadata = Type.Record(
  Type.String({ pattern: '^[\\x20-\\x7e]{1,64}$' }),
  Type.String({ maxLength: MAX_TEXT * 4 }),
)

/** The query of a list. */
export const pageFields = {
  after: Type.Optional(Type.String({ pattern: NAME_PATTERN, description: '`next` of the page before' })),
  limit: Type.Integer({ minimum: 1, maximum: 1000, default: 100 }),
}

/** A time in ISO 8601, or null. */
export const TimeInput = nullable(Type.String({ maxLength: 40 }))

/**
 * Unix milliseconds of a time that was sent.
 * @throws invalid_request, naming the member
 */
export function readTimeOf(param: string, text: string | null): number | null {
  if (text === null) return null
  const ms = Date.parse(text)
  if (Number.isFinite(ms)) return ms
  throw new GatewayError('invalid_request', { message: `${param}: must be a time in ISO 8601, or null`, param })
}

/** @throws conflict where the gateway has no database of accounts */
export function storeOf({ accounts }: AdminContext): AccountCalls {
  const store = accounts()
  if (store !== null) return store
  throw new GatewayError('conflict', {
    message: 'accounts.store is off: the keys are those of the configuration file, and there are no teams.',
  })
}

/** @throws not_found */
export function unknown(what: 'key' | 'team' | 'budget'): GatewayError {
  return new GatewayError('not_found', { message: `No such ${what}.` })
}
