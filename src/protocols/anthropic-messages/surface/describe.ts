// The OpenAPI description of messages.
import { type SurfaceDescription } from '../../contract/description.js'
import { bodySchema } from './schema.js'

/** @see https://platform.claude.com/docs/en/api/messages */
export function describe(): SurfaceDescription {
  const messages = [{ role: 'user', content: 'Tell me about rivers.' }]
  return {
    title: 'Anthropic messages',
    summary: 'Create a message, streamed as SSE events or as one JSON answer',
    body: bodySchema(),
    examples: {
      streamed: { model: 'claude-sonnet-5', max_tokens: 200, stream: true, messages },
      whole: { model: 'gpt-4o', max_tokens: 200, system: 'Be brief.', messages },
      blocks: {
        model: 'claude-sonnet-5',
        max_tokens: 200,
        messages: [{ role: 'user', content: [{ type: 'text', text: 'Tell me about rivers.' }] }],
      },
    },
    answer: {
      type: 'object',
      required: ['id', 'type', 'role', 'model', 'content', 'stop_reason', 'usage'],
      properties: {
        id: { type: 'string' },
        type: { const: 'message' },
        role: { const: 'assistant' },
        model: { type: 'string' },
        content: { type: 'array', items: { type: 'object', required: ['type'] } },
        stop_reason: { type: ['string', 'null'] },
        usage: {
          type: 'object',
          properties: { input_tokens: { type: 'integer' }, output_tokens: { type: 'integer' } },
        },
      },
    },
    operation: {
      parameters: [
        {
          name: 'anthropic-beta',
          in: 'header',
          description: 'Forwarded to providers of this API',
          schema: { type: 'string' },
        },
      ],
    },
  }
}

/** Of requests whose input tokens are counted: they have no cap. */
export function describeCounts(): SurfaceDescription {
  const body = bodySchema() as { readonly required?: readonly string[] }
  return {
    ...describe(),
    body: { ...body, required: (body.required ?? []).filter((name) => name !== 'max_tokens') },
    examples: {
      text: {
        model: 'claude-sonnet-5',
        system: 'Be brief.',
        messages: [{ role: 'user', content: 'Tell me about rivers.' }],
      },
    },
  }
}
