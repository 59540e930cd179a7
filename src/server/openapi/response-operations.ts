// OpenAPI operations of the routes of stored answers.
import { CURSOR, json, queryParameter, refusal, UNAUTHENTICATED } from './operation-parts.js'

const RESPONSE_EXAMPLE = {
  id: 'resp_4fX0b1c2d3e4f5a6b7c8d9e0f1a2b3c4',
  object: 'response',
  status: 'completed',
  model: 'fast',
  output: [],
}
const INPUT_ITEM_EXAMPLE = {
  id: 'item_4fX0b1c2d3e4f5a6b7c8d9e0f1a2b3c4_in0',
  type: 'message',
  role: 'user',
  status: 'completed',
  content: [{ type: 'input_text', text: 'Tell me about rivers.' }],
}
/** In the form of the surface. */
const UNKNOWN_RESPONSE = {
  '401': UNAUTHENTICATED,
  '404': json('No such answer of this key, or one that is no longer stored', {
    error: {
      message: `Response with id '${RESPONSE_EXAMPLE.id}' not found.`,
      type: 'invalid_request_error',
      param: null,
      code: 'not_found',
    },
  }),
  '503': json('The store is unavailable', {
    error: {
      message: 'The response store is unavailable.',
      type: 'server_error',
      param: null,
      code: 'storage_unavailable',
    },
  }),
}

/** The operation of each route of stored answers, by what the route does. */
export const RESPONSE_OPERATIONS = Object.freeze({
  storedResponse: {
    tags: ['Responses'],
    summary: 'Get a stored answer, or its events from one on',
    parameters: [
      queryParameter('stream', {
        enum: ['true', 'false'],
        description: 'The events of an answer whose stream is kept',
      }),
      queryParameter('starting_after', { ...CURSOR, description: 'Number of the last event that was received' }),
    ],
    responses: {
      '200': json('The answer as it was sent', RESPONSE_EXAMPLE),
      '400': refusal('starting_after must be the number of an event.', 'invalid_request', 'starting_after'),
      '410': refusal('The frames after this cursor are no longer held.', 'stream_gone'),
      ...UNKNOWN_RESPONSE,
    },
  },
  deletedResponse: {
    tags: ['Responses'],
    summary: 'Delete a stored answer; answers that continue it stay as they are',
    responses: {
      '200': json('It is deleted', { id: RESPONSE_EXAMPLE.id, object: 'response', deleted: true }),
      ...UNKNOWN_RESPONSE,
    },
  },
  cancelledResponse: {
    tags: ['Responses'],
    summary: 'Cancel an answer that runs in the background; one that has ended stays as it is',
    responses: {
      '200': json('The answer', { ...RESPONSE_EXAMPLE, status: 'cancelled', background: true }),
      '400': json('It does not run in the background', {
        error: {
          message: 'Only a response with background: true can be cancelled.',
          type: 'invalid_request_error',
          param: null,
          code: 'invalid_request',
        },
      }),
      ...UNKNOWN_RESPONSE,
    },
  },
  inputItems: {
    tags: ['Responses'],
    summary: 'List the items of the input of a stored answer, those of earlier turns included',
    parameters: [
      queryParameter('limit', { type: 'integer', minimum: 1, maximum: 100, default: 20 }),
      queryParameter('order', { enum: ['asc', 'desc'], default: 'desc', description: 'By default the newest first' }),
      queryParameter('after', { type: 'string', description: 'Id of the last item on the previous page' }),
    ],
    responses: {
      '200': json('A page of items', {
        object: 'list',
        data: [INPUT_ITEM_EXAMPLE],
        first_id: INPUT_ITEM_EXAMPLE.id,
        last_id: INPUT_ITEM_EXAMPLE.id,
        has_more: false,
      }),
      '400': refusal('limit must be a number from 1 to 100.', 'invalid_request', 'limit'),
      ...UNKNOWN_RESPONSE,
    },
  },
})
