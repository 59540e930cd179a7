// The parts of the OpenAPI document that many routes share: headers, keys, the error of routes that belong to no API.
import { type JsonObject } from '../../model/json.js'

/** Headers of every answer. */
export const EVERY_HEADER: readonly string[] = ['x-request-id']
/** Headers of routed requests and of limited keys; each only where it applies. */
export const EXCHANGE_HEADERS: readonly string[] = [
  'x-sluice-target',
  'x-sluice-attempts',
  'x-sluice-overhead-ms',
  'x-sluice-cost',
  'x-sluice-dropped',
  'x-sluice-stream',
  'link',
  'x-sluice-cache',
  'x-sluice-attached',
  'age',
  ...['limit', 'remaining', 'reset'].flatMap((word) => [`x-ratelimit-${word}-requests`, `x-ratelimit-${word}-tokens`]),
]
/** Headers of an answer with a time to retry. */
export const WAIT_HEADERS: readonly string[] = ['retry-after', 'retry-after-ms']

const HEADERS: Readonly<Record<string, string>> = {
  'x-request-id': 'Id of the request, as in the log',
  'x-sluice-target': 'The provider/model that answered, or was tried last',
  'x-sluice-attempts': 'Number of requests sent to providers for this one',
  'x-sluice-overhead-ms': 'Time spent in the gateway, in ms; on answers that are not streamed',
  'x-sluice-cost':
    'What the providers charge for the request, in dollars; on answers that are not streamed, with prices.enabled',
  'x-sluice-dropped':
    'Request members that this provider cannot take, and parts of the answer that this API has no place for: they were left out',
  'x-sluice-estimated': 'What of the answer is an estimate: input_tokens',
  'x-sluice-stream': 'Id of the kept stream, for /v1/streams/{id}',
  link: 'URL of the kept stream with a token: reads it for 15 minutes without a key',
  'x-sluice-cache': 'Where the answer of a model that shares its answers came from: hit, follower or miss',
  'x-sluice-attached': 'retry: the answer of the request that this one repeats',
  age: 'Age of an answer from the cache, in whole seconds',
  'x-ratelimit-limit-requests': 'Request limit of this key',
  'x-ratelimit-remaining-requests': 'Requests left',
  'x-ratelimit-reset-requests': 'Time until the request limit is full again, such as 6m0s',
  'x-ratelimit-limit-tokens': 'Token limit of this key per minute',
  'x-ratelimit-remaining-tokens': 'Tokens left',
  'x-ratelimit-reset-tokens': 'Time until the token limit is full again, such as 1.5s',
  'retry-after': 'Time to wait before retrying, in whole seconds',
  'retry-after-ms': 'Time to wait before retrying, in milliseconds',
}

/** Components but for the surfaces' own schemas. */
export function components() {
  const headers = Object.entries(HEADERS).map(([name, description]) => [
    name,
    { description, schema: { type: 'string' } },
  ])
  return {
    headers: Object.fromEntries(headers) as JsonObject,
    parameters: {
      'request-id': {
        name: 'X-Request-Id',
        in: 'header',
        description:
          'Used as the id of the request if it is 1 to 128 characters of A-Z a-z 0-9 . _ : -, otherwise replaced',
        schema: { type: 'string', pattern: '^[A-Za-z0-9._:-]{1,128}$' },
      },
      'idempotency-key': {
        name: 'Idempotency-Key',
        in: 'header',
        description:
          'A repeated request with the same key gets the first answer, or the first stream while it is kept, and is not run again',
        schema: { type: 'string', minLength: 1, maxLength: 255, pattern: '^[!-~]([ -~]*[!-~])?$' },
      },
      resume: {
        name: 'x-sluice-resume',
        in: 'header',
        description: '1: the stream is kept, named in x-sluice-stream, and each of its frames has a number',
        schema: { const: '1' },
      },
      'queue-place': {
        name: 'x-sluice-queue',
        in: 'header',
        description: '1: an event stream that waits for a slot shows its position in the queue, in comments',
        schema: { const: '1' },
      },
    },
    securitySchemes: {
      bearer: { type: 'http', scheme: 'bearer', description: 'A gateway key' },
      apiKey: {
        type: 'apiKey',
        in: 'header',
        name: 'X-API-Key',
        description: 'A gateway key; the headers api-key and x-goog-api-key are accepted as well',
      },
      callerKey: { type: 'apiKey', in: 'header', name: 'X-API-Key', description: 'Your own API key of the provider' },
    },
    schemas: {
      error: {
        type: 'object',
        required: ['error'],
        properties: {
          error: {
            type: 'object',
            required: ['message', 'type', 'param', 'code'],
            properties: {
              message: { type: 'string' },
              type: { type: 'string' },
              param: { type: ['string', 'null'] },
              code: { type: ['string', 'null'] },
            },
          },
        },
      },
    },
  }
}
