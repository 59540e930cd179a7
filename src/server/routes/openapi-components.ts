// The parts of the API's document that many routes share: headers, keys, the error of routes that belong to no API.
import { type JsonObject } from '../../model/json.js'

/** Headers of every answer. */
export const EVERY_HEADER: readonly string[] = ['x-request-id']
/** Headers of routed requests and of limited keys; each only where it applies. */
export const EXCHANGE_HEADERS: readonly string[] = [
  'x-sluice-target',
  'x-sluice-attempts',
  'x-sluice-overhead-ms',
  'x-sluice-dropped',
  ...['limit', 'remaining', 'reset'].flatMap((word) => [`x-ratelimit-${word}-requests`, `x-ratelimit-${word}-tokens`]),
]
/** Headers of an answer that says when to come back. */
export const WAIT_HEADERS: readonly string[] = ['retry-after', 'retry-after-ms']

const HEADERS: Readonly<Record<string, string>> = {
  'x-request-id': 'The id of the request, the same as in the log',
  'x-sluice-target': 'provider/model that answered, or was tried last',
  'x-sluice-attempts': 'Requests sent to providers for this one',
  'x-sluice-overhead-ms': 'Time without the provider’s part; on whole answers',
  'x-sluice-dropped': 'Request members that could not be carried to this provider',
  'x-ratelimit-limit-requests': 'Requests a minute of this key',
  'x-ratelimit-remaining-requests': 'What is left of them',
  'x-ratelimit-reset-requests': 'Time until full again, such as 6m0s',
  'x-ratelimit-limit-tokens': 'Tokens a minute of this key',
  'x-ratelimit-remaining-tokens': 'What is left of them',
  'x-ratelimit-reset-tokens': 'Time until full again, such as 1.5s',
  'retry-after': 'When to come back, in whole seconds',
  'retry-after-ms': 'The same in milliseconds',
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
        description: 'Kept if it is 1 to 128 characters of A-Z a-z 0-9 . _ : -, else replaced',
        schema: { type: 'string', pattern: '^[A-Za-z0-9._:-]{1,128}$' },
      },
      'idempotency-key': {
        name: 'Idempotency-Key',
        in: 'header',
        description: 'The same key gives the same answer, without the request being carried out twice',
        schema: { type: 'string', minLength: 1, maxLength: 255, pattern: '^[!-~]([ -~]*[!-~])?$' },
      },
    },
    securitySchemes: {
      bearer: { type: 'http', scheme: 'bearer', description: 'A gateway key' },
      apiKey: {
        type: 'apiKey',
        in: 'header',
        name: 'X-API-Key',
        description: 'A gateway key; api-key and x-goog-api-key are read as well',
      },
      callerKey: { type: 'apiKey', in: 'header', name: 'X-API-Key', description: 'Your own key with the provider' },
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
