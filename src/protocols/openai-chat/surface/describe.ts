// What the API's document says of chat completions.
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
/** What makes a job of a chat, and what a job is answered with. */
const JOB_OPERATION = {
  parameters: [
    {
      ...{ name: 'Prefer', in: 'header', schema: { type: 'string' } },
      description: 'respond-async: answered 202 with a job. So is a body with webhookUrl.',
    },
    {
      ...{ name: 'Idempotency-Key', in: 'header', schema: { type: 'string', minLength: 1, maxLength: 255 } },
      description: 'The same key and body within 24 h: the first answer, or the same job.',
    },
  ],
  responses: {
    '202': {
      description: 'It is a job now, and will be run',
      content: { 'application/json': { schema: { type: 'object' }, examples: { job: { value: JOB_EXAMPLE } } } },
    },
  },
}

/** @see https://platform.openai.com/docs/api-reference/chat/create */
export function describe(): SurfaceDescription {
  const messages = [{ role: 'user', content: 'Tell me about rivers.' }]
  return {
    title: 'OpenAI chat completions',
    summary: 'A chat, streamed as SSE chunks or answered whole',
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
