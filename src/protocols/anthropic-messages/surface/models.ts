// The list of models in the form of this API: GET /v1/models with pages by cursor, GET /v1/models/{id}.
// @see https://platform.claude.com/docs/en/api/models-list
import { GatewayError } from '../../../errors.js'
import { type JsonObject, type JsonValue } from '../../../model/json.js'
import { type ModelListing, type ReadParameter } from '../../contract/listing.js'

const DEFAULT_LIMIT = 20
const MAX_LIMIT = 1000
const MS_PER_SECOND = 1000

/** Clients of this API send its version in every request. */
export const modelListing: ModelListing = Object.freeze({ header: 'anthropic-version', encodeModel, encodeList })

/** `{id, created, ...}` -> `{"type":"model","id","display_name","created_at"}` */
function encodeModel({ id = null, created = 0 }: JsonObject): JsonObject {
  return { type: 'model', id, display_name: id, created_at: toTime(created) }
}

/** The page after `after_id`, or before `before_id`, of at most `limit` models. */
function encodeList(models: readonly JsonObject[], read: ReadParameter): JsonObject {
  const limit = readLimit(read('limit'))
  const [afterId, beforeId] = [read('after_id'), read('before_id')]
  if (afterId !== '' && beforeId !== '') throw invalid('after_id', 'cannot be combined with before_id.')
  const end = beforeId === '' ? models.length : findIndex(models, 'before_id', beforeId)
  const start = afterId === '' ? 0 : findIndex(models, 'after_id', afterId) + 1
  // With `before_id`, the page is the one right before the cursor.
  const from = beforeId === '' ? start : Math.max(0, end - limit)
  const page = models.slice(from, Math.min(end, from + limit))
  const hasMore = beforeId === '' ? from + page.length < end : from > 0
  return {
    data: page.map(encodeModel),
    has_more: hasMore,
    first_id: page[0]?.id ?? null,
    last_id: page.at(-1)?.id ?? null,
  }
}

function findIndex(models: readonly JsonObject[], param: string, id: string): number {
  const index = models.findIndex((model) => model.id === id)
  if (index < 0) throw invalid(param, 'must be the id of a listed model.')
  return index
}

function readLimit(text: string): number {
  if (text === '') return DEFAULT_LIMIT
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0
  if (limit < 1 || limit > MAX_LIMIT) throw invalid('limit', `must be a number from 1 to ${MAX_LIMIT}.`)
  return limit
}

function invalid(param: string, what: string): GatewayError {
  return new GatewayError('invalid_request', { message: `${param} ${what}`, param })
}

/** RFC 3339; the vendor uses the epoch for an unknown date. */
function toTime(created: JsonValue): string {
  const seconds = typeof created === 'number' ? created : 0
  return new Date(seconds * MS_PER_SECOND).toISOString().replace('.000Z', 'Z')
}
