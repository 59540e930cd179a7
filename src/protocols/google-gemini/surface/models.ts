// The list of models in the form of this API: GET /v1beta/models with pages, GET /v1beta/models/{model}.
// @see https://ai.google.dev/api/models
import { type JsonObject } from '../../../model/json.js'
import { type ModelListing, type ReadParameter } from '../../contract/listing.js'
import { invalidField } from '../../fields/field-error.js'

const DEFAULT_SIZE = 50
const MAX_SIZE = 1000
const METHODS = Object.freeze(['generateContent', 'streamGenerateContent', 'countTokens'])

/** Clients of this API send the header of its libraries with every request. */
export const modelListing: ModelListing = Object.freeze({
  header: 'x-goog-api-client',
  path: '/v1beta/models',
  encodeModel,
  encodeList,
})

/** `{id, owned_by, ...}` -> `{"name":"models/...", ...}` */
function encodeModel({ id = '' }: JsonObject): JsonObject {
  return {
    name: `models/${String(id)}`,
    version: '1',
    displayName: id,
    supportedGenerationMethods: [...METHODS],
  }
}

/** The page that `pageToken` names, of at most `pageSize` models. The token is the id of the last model of the page before. */
function encodeList(models: readonly JsonObject[], read: ReadParameter): JsonObject {
  const size = readSize(read('pageSize'))
  const token = read('pageToken')
  const last = token === '' ? -1 : models.findIndex(({ id }) => id === decodeToken(token))
  if (token !== '' && last < 0) throw invalidField('pageToken', 'must be the token of a page')
  const page = models.slice(last + 1, last + 1 + size)
  const end = page.at(-1)
  const hasMore = end !== undefined && last + 1 + page.length < models.length
  return { models: page.map(encodeModel), ...(hasMore ? { nextPageToken: encodeToken(String(end.id)) } : {}) }
}

/** A page that is larger than allowed is as large as allowed. */
function readSize(text: string): number {
  if (text === '' || text === '0') return DEFAULT_SIZE
  const size = /^\d{1,9}$/.test(text) ? Number(text) : 0
  if (size < 1) throw invalidField('pageSize', 'must be a number from 1 on')
  return Math.min(size, MAX_SIZE)
}

function encodeToken(id: string): string {
  return Buffer.from(id).toString('base64url')
}

function decodeToken(token: string): string {
  return Buffer.from(token, 'base64url').toString('utf8')
}
