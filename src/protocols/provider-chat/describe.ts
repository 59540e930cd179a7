// What the API's document says of chats with the provider in their path.
import { type SurfaceDescription } from '../contract/description.js'
import { type Surface } from '../contract/protocol.js'

/** `chat` is whose bodies it borrows. */
export function describe(chat: Surface): SurfaceDescription {
  const model = 'gpt-4o-mini'
  const messages = [{ role: 'user', content: 'Hello!' }]
  return {
    title: 'Provider chat',
    summary: 'A chat with the provider of the path; a stream is that provider’s own bytes',
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
        stop_reason: { type: 'string', description: 'In the provider’s own word' },
      },
    },
    operation: {
      description:
        'X-API-Key is a gateway key, or else your own key with that provider: it goes to its configured address alone. What the provider refuses keeps its status and body.',
    },
  }
}
