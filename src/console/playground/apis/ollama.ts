// The Ollama API: lines of JSON, the last of which is done; whole calls. Its paths have a prefix that the gateway's configuration sets.
import { type ChatApi, type ChatReader, callOf, toolsMember } from '../chat-api.js'

/** The API under this prefix: empty, or a slash and what follows it. */
export function createOllama(prefix: string): ChatApi {
  const path = `${prefix}/api/chat`
  return {
    id: 'ollama',
    name: 'Ollama',
    framing: 'ndjson',
    path: () => path.slice(1),
    body: ({ model, prompt, tools }) => ({
      ...{ model, stream: true, messages: [{ role: 'user', content: prompt }] },
      ...toolsMember(tools),
    }),
    // It streams unless it is told otherwise.
    streams: (asked, { stream }) => asked === path && stream !== false,
    read: readLine,
    textOf: { JavaScript: "event.message?.content ?? ''", Python: 'event.get("message", {}).get("content", "")' },
  }
}

type Line = {
  readonly message?: {
    readonly content?: string
    readonly thinking?: string
    readonly tool_calls?: readonly { readonly function?: { readonly name?: string; readonly arguments?: unknown } }[]
  }
  readonly done?: boolean
  readonly done_reason?: string
  readonly eval_count?: number
  readonly error?: unknown
}

function readLine(data: string, reader: ChatReader): void {
  const { message = {}, done, done_reason: reason, eval_count: tokens, error } = JSON.parse(data) as Line
  if (error !== undefined) reader.fail(error)
  reader.text('thinking', message.thinking ?? '')
  reader.text('answer', message.content ?? '')
  for (const { function: call } of message.tool_calls ?? []) {
    reader.text('answer', `${callOf(call?.name)}${JSON.stringify(call?.arguments ?? {})}`)
  }
  if (tokens !== undefined) reader.usage(tokens)
  if (done !== true) return
  reader.finish(reason ?? '')
  reader.close()
}
