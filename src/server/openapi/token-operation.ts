// The OpenAPI operation that issues browser tokens.
import { type JsonObject } from '../../model/json.js'
import { json, refusal, UNAUTHENTICATED } from './operation-parts.js'

const CLAIMS: JsonObject = {
  models: {
    type: ['array', 'null'],
    items: { type: 'string' },
    description: 'Model names or globs, within those of the key; null for all of them',
  },
  maxOutputTokens: {
    type: ['integer', 'null'],
    minimum: 16,
    description: 'Output tokens of each answer at most; null for no cap',
  },
  user: {
    type: ['string', 'null'],
    maxLength: 256,
    description: 'The end user for whom it asks; of keys with trustUser only',
  },
  origin: {
    type: ['string', 'null'],
    description: 'The only origin whose pages may use the token; null for any that CORS allows',
  },
}
const EXAMPLE = {
  token: 'sk-sluice-token-eyJlIjoxNzk1MjE2ODc0fQ.nT0VqzgJ7k9xW3s1r5b8c2d4f6h8j0l2n4p6q8s0u2w',
  expiresAt: '2026-11-20T20:41:14.000Z',
  expiresInSeconds: 599,
  models: ['fast'],
  maxOutputTokens: 2000,
  origin: 'https://app.example.com',
  user: 'user-17',
}

export const TOKEN_OPERATION: JsonObject = {
  tags: ['Keys'],
  summary: 'Get a short-lived token that a browser uses in place of this key',
  description:
    'A token does no more than its key, ends with the key’s secret, and issues no further tokens. It counts as one request of the key’s limits.',
  requestBody: {
    required: true,
    content: {
      'application/json': {
        schema: {
          type: 'object',
          additionalProperties: false,
          properties: {
            expiresInSeconds: { type: 'integer', minimum: 1, maximum: 3600, default: 600 },
            ...CLAIMS,
          },
        },
      },
    },
  },
  responses: {
    '200': json('The token', EXAMPLE, undefined, {
      type: 'object',
      required: Object.keys(EXAMPLE),
      properties: {
        token: { type: 'string' },
        expiresAt: { type: 'string', format: 'date-time' },
        expiresInSeconds: { type: 'integer' },
        ...CLAIMS,
      },
    }),
    '400': refusal('maxOutputTokens must be a whole number from 16 to 10000000.', 'invalid_request', 'maxOutputTokens'),
    '401': UNAUTHENTICATED,
    '403': refusal('A token does not permit this; it needs the key itself.', 'forbidden'),
  },
}
