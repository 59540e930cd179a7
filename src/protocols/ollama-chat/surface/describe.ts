// The OpenAPI descriptions of a chat and of a prompt.
import { type SurfaceDescription } from '../../contract/description.js'
import { chatSchema, generateSchema } from './schema.js'

const COUNTS = { prompt_eval_count: { type: 'integer' }, eval_count: { type: 'integer' } }
const HEAD = {
  model: { type: 'string' },
  created_at: { type: 'string' },
  done: { const: true },
  done_reason: { type: 'string' },
}

/** @see https://docs.ollama.com/api/chat */
export function describeChat(): SurfaceDescription {
  const messages = [{ role: 'user', content: 'Tell me about rivers.' }]
  return {
    title: 'Ollama',
    summary: 'Chat with a model, in lines of JSON unless stream is false',
    body: chatSchema(),
    examples: {
      streamed: { model: 'gpt-4o', messages },
      whole: { model: 'gpt-4o', messages, stream: false, options: { temperature: 0.7, num_predict: 200 } },
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
    answer: {
      type: 'object',
      required: ['model', 'message', 'done'],
      properties: {
        ...HEAD,
        message: {
          type: 'object',
          required: ['role', 'content'],
          properties: {
            role: { const: 'assistant' },
            content: { type: 'string' },
            thinking: { type: 'string' },
            tool_calls: { type: 'array', items: { type: 'object' } },
          },
        },
        ...COUNTS,
      },
    },
  }
}

/** @see https://docs.ollama.com/api/generate */
export function describeGenerate(): SurfaceDescription {
  return {
    title: 'Ollama',
    summary: 'Answer a prompt, in lines of JSON unless stream is false',
    body: generateSchema(),
    examples: {
      streamed: { model: 'gpt-4o', prompt: 'Tell me about rivers.' },
      whole: { model: 'gpt-4o', prompt: 'Tell me about rivers.', system: 'Be brief.', stream: false },
    },
    answer: {
      type: 'object',
      required: ['model', 'response', 'done'],
      properties: { ...HEAD, response: { type: 'string' }, thinking: { type: 'string' }, ...COUNTS },
    },
  }
}
