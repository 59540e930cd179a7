// The OpenAPI description of responses.
import { type SurfaceDescription } from '../../contract/description.js'
import { bodySchema } from './schema.js'

const NULLABLE = (type: string) => ({ type: [type, 'null'] })

/** @see https://platform.openai.com/docs/api-reference/responses/create */
export function describe(): SurfaceDescription {
  return {
    title: 'OpenAI responses',
    summary: 'Create a response, streamed as SSE events or as one JSON answer; nothing is stored',
    body: bodySchema(),
    examples: {
      streamed: { model: 'gpt-4o', stream: true, store: false, input: 'Tell me about rivers.' },
      whole: {
        model: 'claude-sonnet-5',
        instructions: 'Be brief.',
        input: [{ role: 'user', content: [{ type: 'input_text', text: 'Tell me about rivers.' }] }],
        max_output_tokens: 200,
        temperature: 0.7,
        store: false,
      },
      tools: {
        model: 'gpt-4o',
        store: false,
        input: 'How high is the Elbe at Dresden?',
        tools: [
          {
            type: 'function',
            name: 'water_level',
            description: 'The water level at a gauge, in cm',
            parameters: { type: 'object', required: ['gauge'], properties: { gauge: { type: 'string' } } },
            strict: false,
          },
        ],
      },
    },
    answer: {
      type: 'object',
      required: ['id', 'object', 'created_at', 'status', 'model', 'output'],
      properties: {
        id: { type: 'string' },
        object: { const: 'response' },
        created_at: { type: 'integer' },
        status: { type: 'string', enum: ['completed', 'incomplete', 'failed'] },
        error: NULLABLE('object'),
        incomplete_details: NULLABLE('object'),
        model: { type: 'string' },
        output: {
          type: 'array',
          items: { type: 'object', required: ['type'], properties: { type: { type: 'string' } } },
        },
        usage: {
          type: ['object', 'null'],
          properties: { input_tokens: { type: 'integer' }, output_tokens: { type: 'integer' } },
        },
        store: { const: false, description: 'Responses are not stored, whatever the request asks' },
      },
    },
  }
}
