// OpenAPI operations of the routes that run no exchange: health, models, jobs, metrics, the WebSocket and the document itself.
// The rows of paths.ts refer to them.
import { type JsonObject } from '../../model/json.js'
import { type FixedDocument, type ModelListing } from '../../protocols/contract/listing.js'
import { EVERY_HEADER, WAIT_HEADERS } from './openapi-components.js'
import { CURSOR, json, queryParameter, refusal, UNAUTHENTICATED } from './operation-parts.js'
import { RESPONSE_OPERATIONS } from './response-operations.js'
import { TOKEN_OPERATION } from './token-operation.js'

const OPEN: JsonObject = { security: [{}] }
const MODEL = {
  type: 'object',
  required: ['id', 'object', 'created', 'owned_by'],
  properties: {
    id: { type: 'string' },
    object: { const: 'model' },
    created: { type: 'integer' },
    owned_by: { type: 'string' },
  },
}
const MODEL_EXAMPLE = { id: 'fast', object: 'model', created: 1_700_000_000, owned_by: 'local' }
const TAG_EXAMPLE = { name: 'fast', model: 'fast', provider: 'local', languages: ['en', 'pl'] }
const OWN_FORM =
  'Clients that send the version header of another API get the models, pages and errors in the form of that API.'

const MODELS: JsonObject = {
  tags: ['Models'],
  summary: 'List the models that this key may use',
  responses: {
    '200': json('The models', { object: 'list', data: [MODEL_EXAMPLE] }, EVERY_HEADER, {
      type: 'object',
      required: ['object', 'data'],
      properties: { object: { const: 'list' }, data: { type: 'array', items: MODEL } },
    }),
    '401': UNAUTHENTICATED,
  },
}

const FRAMES = { schema: { description: 'Frames, each sent as soon as it is available' } }
const UNKNOWN_STREAM = refusal('No such stream.', 'not_found')

/** In the form of the job routes. */
const INVALID_QUERY = {
  error: {
    message: 'Invalid request body',
    type: 'validation_error',
    details: [{ path: 'limit', message: 'limit must be a number from 1 to 100.' }],
  },
}
const JOB_EXAMPLE = {
  request_id: 'job_4fX0b1c2d3e4f5a6b7c8d9',
  status: 'completed',
  cost: 0.00042,
  request: { model: 'fast', messages: [{ role: 'user', content: 'Tell me about rivers.' }] },
  response: {
    object: 'chat.completion',
    choices: [{ index: 0, message: { role: 'assistant', content: 'They run.' } }],
  },
  timestamp: 1_795_216_274_000,
}
const UNKNOWN_JOB = json('No such job of this key', {
  error: { message: 'Request not found', type: 'request_not_found' },
})
const { request: _, response: __, ...JOB_HEAD } = JOB_EXAMPLE

const SUM_EXAMPLE = {
  ...{ requests: 12, attempts: 13, errors: 0, inputTokens: 5200, outputTokens: 2100, cachedTokens: 0 },
  ...{ usd: 0.0365, unpriced: 0 },
}
const USAGE_EXAMPLE = {
  ...{ key: 'app1', team: 'search', today: SUM_EXAMPLE, month: SUM_EXAMPLE },
  limits: { requestsPerMinute: 600, tokensPerMinute: null, concurrency: 20 },
  budgets: [
    {
      ...{ name: 'key:app1:month', per: 'month', timezone: 'UTC', usd: 50, spent: 0.0365, reserved: 0.01 },
      ...{ left: 49.9535, resetsAt: '2026-12-01T00:00:00.000Z' },
    },
  ],
}
const USAGE_BUSY_TEXT = 'Too many requests for usage are waiting for the account database.'
const USAGE_BUSY = {
  error: { message: USAGE_BUSY_TEXT, type: 'overloaded', param: null, code: 'overloaded' },
}

/** The operation of each plain route, by what the route does. */
export const PLAIN_OPERATIONS = Object.freeze({
  ...RESPONSE_OPERATIONS,
  alive: healthy('Liveness check', { status: 'ok' }),
  aliveInWords: healthy('Liveness check; compat.healthStatus sets the value of status', { status: 'ok' }),
  ready: {
    ...healthy('Readiness check; contacts no provider', { status: 'ok' }),
    responses: {
      '200': json('The gateway accepts requests; degraded while its account database is away', { status: 'ok' }),
      '503': json('The gateway is starting, in maintenance or draining', { status: 'unavailable' }, [
        ...EVERY_HEADER,
        ...WAIT_HEADERS.slice(0, 1),
      ]),
    },
  },
  ping: healthy('Liveness check', { status: true, body: 'pong' }),
  providers: healthy('Liveness check with the configured providers and their breakers', {
    status: 'ok',
    providers: [{ name: 'local', configured: true, breaker: 'closed' }],
  }),
  tags: {
    tags: ['Models'],
    summary: 'List the models that this key may use, with provider and languages',
    responses: { '200': json('The models', { models: [TAG_EXAMPLE] }), '401': UNAUTHENTICATED },
  },
  models: MODELS,
  modelsInOwnForm: { ...MODELS, description: OWN_FORM },
  model: {
    tags: ['Models'],
    summary: 'Get one model, by any name that a chat accepts; the id may contain slashes',
    description: OWN_FORM,
    responses: {
      '200': json('The model', MODEL_EXAMPLE, EVERY_HEADER, MODEL),
      '401': UNAUTHENTICATED,
      '404': refusal('No such model.', 'model_not_found'),
    },
  },
  usage: {
    tags: ['Usage'],
    summary: 'Get what this key has spent, its limits, and what is left of its budgets',
    description:
      'Today and this month in UTC; the last second may be missing. Budgets that the key shares with others are left out.',
    responses: {
      '200': json('What is this key’s own', USAGE_EXAMPLE),
      '401': UNAUTHENTICATED,
      '503': json(
        'Too many requests for usage are waiting, or the account database is unavailable',
        USAGE_BUSY,
        [...EVERY_HEADER, ...WAIT_HEADERS],
        { $ref: '#/components/schemas/error' },
      ),
    },
  },
  token: TOKEN_OPERATION,
  jobs: {
    tags: ['Jobs'],
    summary: 'List the jobs of this key, newest first',
    parameters: [
      queryParameter('status', {
        enum: ['', 'pending', 'processing', 'completed', 'error'],
        description: 'State of the jobs to list; empty for all',
      }),
      queryParameter('limit', { type: 'integer', minimum: 1, maximum: 100, default: 20 }),
      queryParameter('after', { type: 'string', description: 'Id of the last job on the previous page' }),
    ],
    responses: {
      '200': json('A page of jobs', { object: 'list', data: [{ ...JOB_HEAD, attempts: 1 }], has_more: false }),
      '400': json('A parameter is invalid', INVALID_QUERY),
      '401': UNAUTHENTICATED,
    },
  },
  job: {
    tags: ['Jobs'],
    summary: 'Get the status of a job and its answer',
    responses: { '200': json('The job', JOB_EXAMPLE), '401': UNAUTHENTICATED, '404': UNKNOWN_JOB },
  },
  cancelledJob: {
    tags: ['Jobs'],
    summary: 'Cancel a job; one that is running is aborted',
    responses: {
      '200': json('The job is cancelled', { request_id: JOB_EXAMPLE.request_id, status: 'cancelled' }),
      '401': UNAUTHENTICATED,
      '404': UNKNOWN_JOB,
      '409': refusal('The job has ended.', 'invalid_request'),
    },
  },
  stream: {
    tags: ['Streams'],
    summary: 'Read a kept stream, from the frame after a cursor on',
    description:
      'A request with x-sluice-resume: 1 names its stream in x-sluice-stream. HEAD answers 200 with x-sluice-stream-state, x-sluice-stream-first and x-sluice-stream-next. A link with a token, from the header link, needs no key.',
    parameters: [
      {
        name: 'Last-Event-ID',
        in: 'header',
        schema: CURSOR,
        description: 'Number of the last frame that was received',
      },
      queryParameter('after', { ...CURSOR, description: 'The same, for clients without that header' }),
      queryParameter('token', { type: 'string', description: 'Of a link, in place of a key' }),
    ],
    responses: {
      '200': {
        description: 'The frames, in the form of the API of the first request, each with its number',
        headers: { 'x-request-id': { $ref: '#/components/headers/x-request-id' } },
        content: { 'text/event-stream': FRAMES, 'application/x-ndjson': FRAMES },
      },
      '204': { description: 'The stream has ended, and nothing comes after the cursor' },
      '400': refusal('after must be the number of a frame: digits alone.', 'invalid_request', 'after'),
      '401': UNAUTHENTICATED,
      '404': UNKNOWN_STREAM,
      '410': refusal('The frames after this cursor are no longer held.', 'stream_gone'),
      '429': refusal('This stream has 64 readers, which is as many as it may have.', 'rate_limited'),
    },
  },
  stoppedStream: {
    tags: ['Streams'],
    summary: 'Stop a kept stream that runs, forget one that has ended',
    responses: { '204': { description: 'It is stopped' }, '401': UNAUTHENTICATED, '404': UNKNOWN_STREAM },
  },
  webSocket: webSocket('Open a WebSocket for concurrent chats'),
  largeWebSocket: webSocket('Open a WebSocket for concurrent chats with messages of up to server.maxBodyBytes'),
  turnsWebSocket: {
    tags: ['WebSocket'],
    summary: 'Open a WebSocket whose turns are requests of this path',
    description:
      'The client sends {"type":"response.create", ...the body of a POST, "stream_id", "generate"}; the server sends the events of the stream as JSON text. Turns of one stream_id follow each other, others run side by side. An error is {"type":"error","status","error","stream_id"}. Browsers pass the key as a subprotocol, bearer.KEY, beside sluice.responses.v1.',
    responses: {
      '101': { description: 'The WebSocket is open' },
      '401': UNAUTHENTICATED,
      '403': refusal('The origin is not allowed to connect.', 'forbidden'),
      '426': refusal(
        'GET opens a WebSocket here; without an upgrade send POST. Stored answers are found by id.',
        'invalid_request',
      ),
    },
  },
  metrics: {
    tags: ['Operation'],
    summary: 'Get the metrics as Prometheus text; metrics.token, where set, is the only key accepted',
    responses: {
      '200': { description: 'Metrics', content: { 'text/plain': { schema: { type: 'string' } } } },
      '401': UNAUTHENTICATED,
    },
  },
  document: {
    ...OPEN,
    tags: ['Operation'],
    summary: 'Get this document',
    responses: {
      '200': { description: 'OpenAPI 3.1', content: { 'application/json': { schema: { type: 'object' } } } },
    },
  },
})

/** The list of an API with a path of its own, and each model of it, in its form. */
export function listOperations(models: ModelListing): { readonly list: JsonObject; readonly each: JsonObject } {
  const { encodeList, encodeModel, asked } = models
  const list = json(
    'The models',
    encodeList([MODEL_EXAMPLE], () => ''),
  )
  const one = json('The model', (asked?.encodeModel ?? encodeModel)(MODEL_EXAMPLE))
  const unknown = refusal('No such model.', 'model_not_found')
  const each = {
    tags: ['Models'],
    summary: 'Get one model, by any name that a chat accepts',
    ...(asked === undefined ? {} : { requestBody: ASKED_MODEL }),
    responses: { '200': one, '401': UNAUTHENTICATED, '404': unknown },
  }
  return { list: { ...MODELS, responses: { '200': list, '401': UNAUTHENTICATED } }, each }
}

const ASKED_MODEL: JsonObject = {
  required: true,
  content: {
    'application/json': {
      schema: { type: 'object', required: ['model'], properties: { model: { type: 'string', minLength: 1 } } },
      examples: { named: { value: { model: MODEL_EXAMPLE.id } } },
    },
  },
}

/** A document that is the same for everybody. */
export function documentOperation({ title, body }: FixedDocument): JsonObject {
  return { ...OPEN, tags: ['Models'], summary: title, responses: { '200': json(title, { ...body }) } }
}

function webSocket(summary: string): JsonObject {
  return {
    tags: ['WebSocket'],
    summary,
    description:
      'Subprotocol sluice.v1 (JSON in text frames) or sluice.v1.msgpack. The client sends {"type":"chat","id","api","request"} (api: chat, messages or responses; the form of the request, of its events and of its errors), {"type":"resume","id","stream","after"}, {"type":"cancel","id"} and {"type":"ping"}; the server sends opened, queued, event, done, error and pong. Browsers pass the key as an additional subprotocol, bearer.KEY.',
    responses: {
      '101': { description: 'The WebSocket is open' },
      '401': UNAUTHENTICATED,
      '403': refusal('The origin is not allowed to connect.', 'forbidden'),
      '426': refusal('This route accepts WebSocket upgrades only.', 'invalid_request'),
    },
  }
}

function healthy(summary: string, body: JsonObject): JsonObject {
  return { ...OPEN, tags: ['Operation'], summary, responses: { '200': json('The process is running', body) } }
}
