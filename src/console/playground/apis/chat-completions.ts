// Chat completions, the API that most clients speak: server-sent events, the last of which is [DONE].
import { type ChatApi, type ChatReader, callOf, toolsMember } from '../chat-api.js'

const PATH = 'v1/chat/completions'

export const CHAT_COMPLETIONS: ChatApi = {
  id: 'chat',
  name: 'Chat completions',
  framing: 'sse',
  path: () => PATH,
  body: ({ model, prompt, tools }) => ({
    ...{ model, stream: true, stream_options: { include_usage: true }, messages: [{ role: 'user', content: prompt }] },
    ...toolsMember(tools),
  }),
  streams: (path, { stream }) => path === `/${PATH}` && stream === true,
  read: readChunk,
  textOf: {
    JavaScript: "event.choices?.[0]?.delta.content ?? ''",
    Python: '"".join(choice["delta"].get("content") or "" for choice in event.get("choices", []))',
  },
}

type Chunk = {
  readonly choices?: readonly {
    readonly delta?: {
      readonly content?: string | null
      readonly reasoning_content?: string | null
      readonly tool_calls?: readonly { readonly function?: { readonly name?: string; readonly arguments?: string } }[]
    }
    readonly finish_reason?: string | null
  }[]
  readonly usage?: { readonly completion_tokens?: number } | null
  readonly error?: { readonly message?: unknown } | null
}

function readChunk(data: string, reader: ChatReader): void {
  if (data === '[DONE]') {
    reader.close()
    return
  }
  const { choices = [], usage, error } = JSON.parse(data) as Chunk
  if (error != null) reader.fail(error.message)
  for (const { delta = {}, finish_reason: reason } of choices) {
    reader.text('thinking', delta.reasoning_content ?? '')
    reader.text('answer', delta.content ?? '')
    for (const { function: call } of delta.tool_calls ?? []) {
      reader.text('answer', `${callOf(call?.name)}${call?.arguments ?? ''}`)
    }
    if (typeof reason === 'string') reader.finish(reason)
  }
  if (typeof usage?.completion_tokens === 'number') reader.usage(usage.completion_tokens)
}
