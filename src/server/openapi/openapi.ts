// The OpenAPI 3.1 document: built from the routing table, the descriptions of the surfaces and the output of their encoders, so that
// its answers, streams and errors are those that clients get. Built on first request.

import { ERROR_CATALOGUE, errorData } from '../../errors.js'
import { type ErrorCode } from '../../model/error.js'
import { type StreamEvent } from '../../model/event.js'
import { isJsonObject, type JsonObject, type JsonValue, mergeUnder } from '../../model/json.js'
import { type ChatResponse } from '../../model/response.js'
import { NO_PARTS } from '../../model/usage.js'
import { type Surface } from '../../protocols/contract/protocol.js'
import { PROVIDER_HEADER } from '../../protocols/contract/resource.js'
import { PROVIDER_PART } from '../http/credentials.js'
import { components, EVERY_HEADER, EXCHANGE_HEADERS, WAIT_HEADERS } from './openapi-components.js'

/** One row of the routing table: a route for a surface's chats, or a plain one with its operation. */
export type RouteRow = {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly path: string
} & ({ readonly surface: Surface; readonly counts?: true } | { readonly surface: null; readonly operation: JsonObject })

export type OpenApiOptions = {
  readonly version: string
  /** Gateway keys are set, so that most routes need one. */
  readonly hasKeys: boolean
  readonly routes: readonly RouteRow[]
}

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  sse: 'text/event-stream',
  ndjson: 'application/x-ndjson',
  json: 'application/json',
}
/** Statuses with a time to retry. */
const BUSY_STATUSES = ['429', '503']
/** The first two have no client left to read them; the others are not answers of an existing route, or of this kind of route. */
const UNSEEN_CODES: readonly ErrorCode[] = [
  ...(['client_gone', 'slow_reader', 'not_found', 'method_not_allowed', 'conflict'] as const),
  ...(['stream_gone', 'precondition_failed'] as const),
]
const REPEAT_REFUSALS: Readonly<Record<string, string>> = {
  409: 'The first request with this Idempotency-Key is still running.',
  422: 'This Idempotency-Key was used for another request.',
}
const COMMON_PARAMETERS = ['request-id', 'idempotency-key', 'resume', 'queue-place'].map((name) => ({
  $ref: `#/components/parameters/${name}`,
}))
const REQUEST_ID = 'pB0ueOR9-1'

const USAGE = {
  inputTokens: 12,
  outputTokens: 5,
  cachedInputTokens: 0,
  cacheWriteTokens: 0,
  reasoningTokens: 0,
  parts: NO_PARTS,
}
const META = { id: 'pB0ueOR9-1', model: 'gpt-4o', createdSec: 1_795_216_274, usage: null }
const TARGET = { provider: 'local', protocol: '' }
const RESPONSE: ChatResponse = {
  meta: META,
  content: [{ type: 'text', text: 'Rivers run to the sea.' }],
  finishReason: 'stop',
  stopSequence: null,
  usage: USAGE,
}
const EVENTS: readonly StreamEvent[] = [
  { type: 'start', meta: META },
  { type: 'block-start', index: 0, block: { kind: 'text' } },
  { type: 'block-delta', index: 0, delta: 'Rivers run' },
  { type: 'block-delta', index: 0, delta: ' to the sea.' },
  { type: 'block-end', index: 0, signature: null },
  { type: 'finish', reason: 'stop', usage: USAGE, stopSequence: null },
]

/** The whole document. A surface without a description is left out; a test ensures that every surface has one. */
export function createOpenApi({ version, hasKeys, routes }: OpenApiOptions): JsonObject {
  const paths: Record<string, JsonObject> = {}
  const schemas: Record<string, JsonObject> = {}
  for (const row of routes) {
    const { method, path } = row
    const key = documentedPath(path)
    const operation = row.surface === null ? row.operation : surfaceOperation(row.surface, schemas, row.counts === true)
    if (operation === undefined) continue
    const item = paths[key] ?? {}
    const member = method.toLowerCase()
    const before = item[member]
    // Several surfaces on one path: the texts of the first are used, the others add their media types.
    const joined = isJsonObject(before) ? mergeUnder(operation, before) : complete(operation, { key, member, hasKeys })
    paths[key] = { ...item, [member]: joined }
  }
  const about = 'A streaming gateway for LLMs. Each of these APIs reaches every configured provider.'
  return {
    openapi: '3.1.0',
    info: { title: 'Sluice', version, description: about, license: { name: 'MIT', identifier: 'MIT' } },
    servers: [{ url: '/' }],
    paths,
    components: { ...components(), schemas: { ...components().schemas, ...schemas } },
  }
}

/** A path of the engine in the syntax of OpenAPI: `/v1/models/*` and `/x/:name` have parameters. */
export function documentedPath(path: string): string {
  return path.replace(/(?<=\/):(\w+)/g, '{$1}').replace(/\*$/, '{id}')
}

type Place = { readonly key: string; readonly member: string; readonly hasKeys: boolean }

/** What follows from the path and method of an operation: its id, its path parameters, and whether it needs a key. */
function complete(operation: JsonObject, { key, member, hasKeys }: Place): JsonObject {
  const id = `${member}${key.replace(/[^A-Za-z0-9]+/g, '-').replace(/-$/, '')}`
  const named = Array.from(key.matchAll(/\{(\w+)\}/g), ([, name = '']) => name)
  const inPath = named.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } }))
  const own = Array.isArray(operation.parameters) ? operation.parameters : []
  const needsOwnKey = own.some((parameter) => isJsonObject(parameter) && parameter.name === PROVIDER_HEADER)
  const usual = needsOwnKey ? [ownKeySecurity(hasKeys)] : [...gatewaySecurity(hasKeys), ...callerSecurity(key, hasKeys)]
  const security = operation.security ?? usual
  return { operationId: id, ...operation, parameters: [...inPath, ...own], security }
}

function gatewaySecurity(hasKeys: boolean): JsonObject[] {
  return hasKeys ? [{ bearer: [] }, { apiKey: [] }] : [{}]
}

/** If the path names the provider, the caller may send its own key for it, in addition to a gateway key. */
function callerSecurity(path: string, hasKeys: boolean): JsonObject[] {
  if (!path.includes(PROVIDER_PART)) return []
  return [ownKeySecurity(hasKeys)]
}

function ownKeySecurity(hasKeys: boolean): JsonObject {
  return hasKeys ? { bearer: [], callerKey: [] } : { callerKey: [] }
}

function surfaceOperation(
  surface: Surface,
  schemas: Record<string, JsonObject>,
  counts: boolean,
): JsonObject | undefined {
  const chat = chatOperation(surface, schemas)
  if (!counts || chat === undefined || !isJsonObject(chat.responses)) return chat
  const example = surface.encodeCount?.(USAGE.inputTokens) ?? {}
  const answer = {
    description: 'The count of the provider, or an estimate with `x-sluice-estimated`',
    headers: refs([...EVERY_HEADER, ...EXCHANGE_HEADERS, 'x-sluice-estimated']),
    content: { 'application/json': { schema: schemaOf(example), examples: named({ count: example }) } },
  }
  const summary = 'Count the input tokens of a request; nothing is run'
  return { ...chat, summary, responses: { ...chat.responses, '200': answer } }
}

/** Undefined for a surface that does not describe itself. Adds its schemas to the components. */
function chatOperation(surface: Surface, schemas: Record<string, JsonObject>): JsonObject | undefined {
  const description = surface.describe?.()
  if (description === undefined) return undefined
  const { title, summary, body, examples, answer, bytes, isForm = false, operation = {} } = description
  const errors = errorAnswers(surface)
  schemas[`${surface.id}.request`] = plainJson(body)
  if (answer !== null) schemas[`${surface.id}.answer`] = plainJson(answer)
  schemas[`${surface.id}.error`] = errorSchema(surface)
  const own = Array.isArray(operation.parameters) ? operation.parameters : []
  const generated: JsonObject = {
    tags: [title],
    summary,
    requestBody: {
      required: true,
      content: {
        ...(isForm === 'only'
          ? {}
          : { 'application/json': { schema: ref(surface, 'request'), examples: named(examples) } }),
        ...(isForm !== false ? { 'multipart/form-data': { schema: ref(surface, 'request') } } : {}),
      },
    },
    responses: {
      '200': answer === null ? upstreamAnswer(bytes) : completeAnswer(surface),
      ...errors,
      ...repeatAnswers(surface),
      default: refusedAnswer(surface),
    },
  }
  return { ...mergeUnder(generated, operation), parameters: [...COMMON_PARAMETERS, ...own] }
}

function completeAnswer(surface: Surface): JsonObject {
  const media = MEDIA_TYPES[surface.framing] ?? 'application/octet-stream'
  const whole = { schema: ref(surface, 'answer'), examples: named({ whole: surface.encodeResponse(RESPONSE, TARGET) }) }
  const failed = surface.encodeErrorFrame(errorData('upstream_cut'), REQUEST_ID)
  const streamed = {
    // Without a type: some readers apply the schema of a stream to each of its events.
    schema: { description: 'Frames, each sent as soon as it is available' },
    examples: named({ streamed: streamOf(surface), 'failed in mid-stream': failed }),
  }
  return {
    description: 'The answer, as one JSON document or, if requested, as a stream',
    headers: refs([...EVERY_HEADER, ...EXCHANGE_HEADERS]),
    // A stream that is one JSON document is described by its schema as a whole.
    content: media === 'application/json' ? { [media]: whole } : { 'application/json': whole, [media]: streamed },
  }
}

/** An answer that is entirely the upstream's. */
function upstreamAnswer(bytes?: string): JsonObject {
  const frames = { schema: { description: 'The provider’s own frames' } }
  const whole = bytes === undefined ? {} : { [bytes]: { schema: {} } }
  return {
    description: 'The answer of the provider, as one document or as a stream',
    headers: refs([...EVERY_HEADER, ...EXCHANGE_HEADERS]),
    content: {
      ...{ 'application/json': { schema: {} }, 'text/event-stream': frames, 'application/x-ndjson': frames },
      ...whole,
    },
  }
}

function streamOf(surface: Surface): string {
  let text = ''
  const emit = (frame: string): void => {
    text += frame
  }
  const encoder = surface.createEncoder(emit, { includeUsage: true })
  for (const event of EVENTS) encoder.push(event)
  return text
}

/** Each status of an error, with an example of each error in this surface's form. */
function errorAnswers(surface: Surface): JsonObject {
  const answers: Record<string, JsonObject> = {}
  for (const code of Object.keys(ERROR_CATALOGUE) as ErrorCode[]) {
    if (UNSEEN_CODES.includes(code)) continue
    const { status, body } = surface.encodeError(errorData(code), REQUEST_ID)
    const waits = BUSY_STATUSES.includes(String(status)) ? WAIT_HEADERS : []
    const answer: JsonObject = {
      description: ERROR_CATALOGUE[code].message,
      headers: refs([...EVERY_HEADER, ...EXCHANGE_HEADERS, ...waits]),
      content: { 'application/json': { schema: refusalSchema(surface), examples: named({ [code]: body }) } },
    }
    const before = answers[status]
    answers[status] = before === undefined ? answer : mergeUnder(answer, before)
  }
  return answers
}

/** Errors of a request whose Idempotency-Key was used before. */
function repeatAnswers(surface: Surface): JsonObject {
  const answers = Object.entries(REPEAT_REFUSALS).map(([status, message]) => {
    const { body } = surface.encodeError(errorData('invalid_request', { status: Number(status), message }), REQUEST_ID)
    const content = { 'application/json': { schema: refusalSchema(surface), examples: named({ repeated: body }) } }
    return [status, { description: message, headers: refs(EVERY_HEADER), content }]
  })
  return Object.fromEntries(answers)
}

/** A provider may reject a request with any status, which is passed on. */
function refusedAnswer(surface: Surface): JsonObject {
  return {
    description: 'The provider rejected the request; its status is passed on',
    headers: refs([...EVERY_HEADER, ...EXCHANGE_HEADERS]),
    content: { 'application/json': { schema: refusalSchema(surface) } },
  }
}

/** Only the gateway's own errors, or anything if the provider's refusals reach the client unchanged. */
function refusalSchema(surface: Surface): JsonObject {
  const own = ref(surface, 'error')
  if (surface.upstreamFrames === undefined) return own
  return { anyOf: [own, { description: 'The error body of the provider' }] }
}

/** The shapes that a surface's errors have; mostly one. */
function errorSchema(surface: Surface): JsonObject {
  const shapes = new Map<string, JsonObject>()
  for (const code of Object.keys(ERROR_CATALOGUE) as ErrorCode[]) {
    const shape = schemaOf(surface.encodeError(errorData(code), REQUEST_ID).body)
    shapes.set(JSON.stringify(shape), shape)
  }
  const [only] = shapes.values()
  return shapes.size === 1 && only !== undefined ? only : { anyOf: [...shapes.values()] }
}

/** The shape of one error: members of the kinds that they have there, null for anything. */
function schemaOf(value: JsonValue): JsonObject {
  if (value === null) return {}
  if (!isJsonObject(value)) return { type: Array.isArray(value) ? 'array' : typeof value }
  const properties = Object.fromEntries(Object.entries(value).map(([name, member]) => [name, schemaOf(member)]))
  return { type: 'object', required: Object.keys(value), properties }
}

function ref(surface: Surface, part: 'request' | 'answer' | 'error'): JsonObject {
  return { $ref: `#/components/schemas/${surface.id}.${part}` }
}

function refs(headers: readonly string[]): JsonObject {
  return Object.fromEntries(headers.map((name) => [name, { $ref: `#/components/headers/${name}` }]))
}

function named(examples: Readonly<Record<string, JsonValue>>): JsonObject {
  return Object.fromEntries(Object.entries(examples).map(([name, value]) => [name, { value }]))
}

/** Schemas have marks of their library that are not JSON. */
function plainJson(schema: object): JsonObject {
  return JSON.parse(JSON.stringify(schema)) as JsonObject
}
