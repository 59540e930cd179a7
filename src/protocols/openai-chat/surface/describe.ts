// The OpenAPI description of chat completions.
import { type SurfaceDescription } from '../../contract/description.js'
import { bodySchema } from './schema.js'

const MESSAGE = {
  type: 'object',
  required: ['role', 'content'],
  properties: {
    role: { const: 'assistant' },
    content: { type: ['string', 'null'] },
    tool_calls: { type: 'array', items: { type: 'object' } },
  },
}

const JOB_EXAMPLE = {
  request_id: 'job_4fX0b1c2d3e4f5a6b7c8d9',
  status: 'pending',
  queue_position: 1,
  active_requests: 0,
}
/** The headers that turn a chat into a job, and the answer to one. */
const JOB_OPERATION = {
  parameters: [
    {
      ...{ name: 'Prefer', in: 'header', schema: { type: 'string' } },
      description: 'respond-async runs the chat as a job and answers 202; so does webhookUrl in the body.',
    },
    {
      ...{ name: 'Idempotency-Key', in: 'header', schema: { type: 'string', minLength: 1, maxLength: 255 } },
      description: 'A repetition with the same key and body within 24 h gets the first answer or the same job.',
    },
  ],
  responses: {
    '202': {
      description: 'The chat was accepted as a job',
      content: { 'application/json': { schema: { type: 'object' }, examples: { job: { value: JOB_EXAMPLE } } } },
    },
  },
}

/** @see https://platform.openai.com/docs/api-reference/chat/create */
export function describe(): SurfaceDescription {
  const messages = [{ role: 'user', content: 'Tell me about rivers.' }]
  return {
    title: 'OpenAI chat completions',
    summary: 'Create a chat completion, streamed as SSE chunks or as one JSON answer',
    body: bodySchema(),
    examples: {
      streamed: { model: 'gpt-4o', stream: true, messages },
      whole: {
        model: 'claude-sonnet-5',
        messages: [{ role: 'system', content: 'Be brief.' }, ...messages],
        max_tokens: 200,
        temperature: 0.7,
      },
      pinned: { provider: 'openrouter', model: 'meta-llama/llama-3.2-3b-instruct:free', messages },
      tools: {
        model: 'gpt-4o',
        messages: [{ role: 'user', content: 'How high is the Elbe at Dresden?' }],
        tools: [
          {
            type: 'function',
            function: {
              name: 'water_level',
              description: 'The water level at a gauge, in cm',
              parameters: { type: 'object', required: ['gauge'], properties: { gauge: { type: 'string' } } },
            },
          },
        ],
      },
    },
    operation: JOB_OPERATION,
    answer: {
      type: 'object',
      required: ['id', 'object', 'created', 'model', 'choices'],
      properties: {
        id: { type: 'string' },
        object: { const: 'chat.completion' },
        created: { type: 'integer' },
        model: { type: 'string' },
        choices: {
          type: 'array',
          items: {
            type: 'object',
            required: ['index', 'message', 'finish_reason'],
            properties: { index: { type: 'integer' }, message: MESSAGE, finish_reason: { type: ['string', 'null'] } },
          },
        },
        usage: {
          type: 'object',
          properties: { prompt_tokens: { type: 'integer' }, completion_tokens: { type: 'integer' } },
        },
      },
    },
  }
}
