// The OpenAPI description of chats with the provider in the path.
import { type SurfaceDescription } from '../contract/description.js'
import { type Surface } from '../contract/protocol.js'

/** `chat` is the surface whose request bodies these routes share. */
export function describe(chat: Surface): SurfaceDescription {
  const model = 'gpt-4o-mini'
  const messages = [{ role: 'user', content: 'Hello!' }]
  return {
    title: 'Provider chat',
    summary: 'Create a chat completion at the provider in the path; a stream has that provider’s own bytes',
    body: chat.describe?.().body ?? { type: 'object' },
    examples: {
      whole: {
        model,
        messages: [{ role: 'system', content: 'You are helpful' }, ...messages],
        stream: false,
        max_tokens: 256,
        temperature: 0.2,
      },
      streamed: { model, messages, stream: true },
    },
    answer: {
      type: 'object',
      required: ['provider', 'model', 'content', 'stop_reason'],
      properties: {
        provider: { type: 'string' },
        model: { type: 'string' },
        content: { type: 'string' },
        stop_reason: { type: 'string', description: 'The stop reason in the provider’s own vocabulary' },
      },
    },
    operation: {
      description:
        'X-API-Key is a gateway key or your own API key of that provider, which is sent to that provider’s address only. Errors of the provider keep their status and body.',
    },
  }
}
