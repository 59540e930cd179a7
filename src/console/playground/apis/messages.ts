// Messages: server-sent events with a name each; blocks of text, thoughts and calls.
import { type ChatApi, type ChatReader, callOf, toolsMember } from '../chat-api.js'

const PATH = 'v1/messages'
/** The API requires a limit; it is enough for a look at an answer. */
const MAX_TOKENS = 4096

export const MESSAGES: ChatApi = {
  id: 'messages',
  name: 'Messages',
  framing: 'sse',
  path: () => PATH,
  body: ({ model, prompt, tools }) => ({
    ...{ model, stream: true, max_tokens: MAX_TOKENS, messages: [{ role: 'user', content: prompt }] },
    ...toolsMember(tools),
  }),
  streams: (path, { stream }) => path === `/${PATH}` && stream === true,
  read: readMessageEvent,
  textOf: { JavaScript: "event.delta?.text ?? ''", Python: 'event.get("delta", {}).get("text", "")' },
}

type MessageEvent = {
  readonly type?: string
  readonly content_block?: { readonly type?: string; readonly name?: string }
  readonly delta?: {
    readonly text?: string
    readonly thinking?: string
    readonly partial_json?: string
    readonly stop_reason?: string | null
  }
  readonly usage?: { readonly output_tokens?: number }
  readonly error?: { readonly message?: unknown }
}

function readMessageEvent(data: string, reader: ChatReader): void {
  const { type, content_block: block, delta = {}, usage, error } = JSON.parse(data) as MessageEvent
  if (type === 'content_block_start' && block?.type === 'tool_use') reader.text('answer', callOf(block.name))
  if (type === 'content_block_delta') {
    reader.text('thinking', delta.thinking ?? '')
    reader.text('answer', delta.text ?? delta.partial_json ?? '')
  }
  if (type === 'message_delta') {
    if (typeof delta.stop_reason === 'string') reader.finish(delta.stop_reason)
    if (typeof usage?.output_tokens === 'number') reader.usage(usage.output_tokens)
  }
  if (type === 'error') reader.fail(error?.message)
  if (type === 'message_stop') reader.close()
}
