// What the API's document says of the routes that are no exchange: health, models, jobs, metrics, the WebSocket and the document
// itself. The rows of paths.ts name them.
import { type JsonObject } from '../../model/json.js'
import { EVERY_HEADER, WAIT_HEADERS } from './openapi-components.js'

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
  'Clients that name an API version in a header, as some APIs demand, get models, pages and errors in the form of that API.'
const UNAUTHENTICATED = refusal('Missing or unknown API key.', 'unauthenticated')

const MODELS: JsonObject = {
  tags: ['Models'],
  summary: 'The models that this key may use',
  responses: {
    '200': json('A list', { object: 'list', data: [MODEL_EXAMPLE] }, EVERY_HEADER, {
      type: 'object',
      required: ['object', 'data'],
      properties: { object: { const: 'list' }, data: { type: 'array', items: MODEL } },
    }),
    '401': UNAUTHENTICATED,
  },
}

/** In the words of the jobs' own routes. */
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

/** What is said of each plain route, by what it does. */
export const PLAIN_OPERATIONS = Object.freeze({
  alive: healthy('The process runs', { status: 'ok' }),
  aliveInWords: healthy('The process runs; the word is compat.healthStatus', { status: 'ok' }),
  ready: {
    ...healthy('The process runs', { status: 'ok' }),
    summary: 'Whether requests are taken; no provider is asked',
    responses: {
      '200': json('It takes requests', { status: 'ok' }),
      '503': json('It starts or drains', { status: 'unavailable' }, [...EVERY_HEADER, ...WAIT_HEADERS.slice(0, 1)]),
    },
  },
  ping: healthy('The process runs', { status: true, body: 'pong' }),
  providers: healthy('The process runs, and with which providers', {
    status: 'ok',
    providers: [{ name: 'local', configured: true, breaker: 'closed' }],
  }),
  tags: {
    tags: ['Models'],
    summary: 'The models that this key may use, with provider and languages',
    responses: { '200': json('A list', { models: [TAG_EXAMPLE] }), '401': UNAUTHENTICATED },
  },
  models: MODELS,
  modelsInOwnForm: { ...MODELS, description: OWN_FORM },
  model: {
    tags: ['Models'],
    summary: 'One model by any name that a chat may use; its id may hold slashes',
    description: OWN_FORM,
    responses: {
      '200': json('The model', MODEL_EXAMPLE, EVERY_HEADER, MODEL),
      '401': UNAUTHENTICATED,
      '404': refusal('No such model.', 'model_not_found'),
    },
  },
  jobs: {
    tags: ['Jobs'],
    summary: "The caller's own jobs, newest first",
    parameters: [
      queryParameter('status', {
        enum: ['', 'pending', 'processing', 'completed', 'error'],
        description: 'Empty: all',
      }),
      queryParameter('limit', { type: 'integer', minimum: 1, maximum: 100, default: 20 }),
      queryParameter('after', { type: 'string', description: 'The last id of the page before' }),
    ],
    responses: {
      '200': json('A page', { object: 'list', data: [{ ...JOB_HEAD, attempts: 1 }], has_more: false }),
      '400': json('A parameter is wrong', INVALID_QUERY),
      '401': UNAUTHENTICATED,
    },
  },
  job: {
    tags: ['Jobs'],
    summary: 'The status of a job, and its answer',
    responses: { '200': json('The job', JOB_EXAMPLE), '401': UNAUTHENTICATED, '404': UNKNOWN_JOB },
  },
  cancelledJob: {
    tags: ['Jobs'],
    summary: 'Takes a job back: one that waits is removed, one that runs is broken off',
    responses: {
      '200': json('It is', { request_id: JOB_EXAMPLE.request_id, status: 'cancelled' }),
      '401': UNAUTHENTICATED,
      '404': UNKNOWN_JOB,
      '409': refusal('The job has ended.', 'invalid_request'),
    },
  },
  webSocket: webSocket('Many chats on one socket'),
  largeWebSocket: webSocket('The same for messages of up to server.maxBodyBytes'),
  metrics: {
    tags: ['Operation'],
    summary: 'Metrics as Prometheus text; where metrics.token is set, it alone opens them',
    responses: {
      '200': { description: 'Metrics', content: { 'text/plain': { schema: { type: 'string' } } } },
      '401': UNAUTHENTICATED,
    },
  },
  document: {
    ...OPEN,
    tags: ['Operation'],
    summary: 'This document',
    responses: {
      '200': { description: 'OpenAPI 3.1', content: { 'application/json': { schema: { type: 'object' } } } },
    },
  },
})

function queryParameter(name: string, schema: JsonObject): JsonObject {
  return { name, in: 'query', schema }
}

function webSocket(summary: string): JsonObject {
  return {
    tags: ['WebSocket'],
    summary,
    description:
      'Subprotocol sluice.v1 (JSON in text frames) or sluice.v1.msgpack. The client sends {"type":"chat","id","request"}, {"type":"cancel","id"} and {"type":"ping"}; the server event, done, error and pong. Browsers give the key as a further subprotocol bearer.KEY.',
    responses: {
      '101': { description: 'The socket is open' },
      '401': UNAUTHENTICATED,
      '403': refusal('The origin is not allowed to connect.', 'forbidden'),
      '426': refusal('This route accepts WebSocket upgrades only.', 'invalid_request'),
    },
  }
}

function healthy(summary: string, body: JsonObject): JsonObject {
  return { ...OPEN, tags: ['Operation'], summary, responses: { '200': json('It does', body) } }
}

function json(description: string, value: JsonObject, headers = EVERY_HEADER, schema: JsonObject = { type: 'object' }) {
  return {
    description,
    headers: Object.fromEntries(headers.map((name) => [name, { $ref: `#/components/headers/${name}` }])),
    content: { 'application/json': { schema, examples: { answer: { value } } } },
  }
}

/** The error of routes that belong to no surface. */
function refusal(message: string, code: string): JsonObject {
  const value = { error: { message, type: code, param: null, code } }
  return json(message, value, EVERY_HEADER, { $ref: '#/components/schemas/error' })
}
