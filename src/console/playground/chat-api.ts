// The client APIs that the playground speaks: what is asked in each, and what its events say. It touches no page.

/** What the events of a stream tell, whatever API they are of. */
export type ChatReader = {
  text(kind: 'answer' | 'thinking', text: string): void
  finish(reason: string): void
  usage(outputTokens: number): void
  fail(message: unknown): void
  /** The stream is whole. */
  close(): void
}

/** A question. `tools`: in the form of the API; empty for none. */
export type ChatQuestion = { readonly model: string; readonly prompt: string; readonly tools: readonly unknown[] }

export type ChatApi = {
  readonly name: string
  /** Without its first slash. */
  readonly path: string
  body(question: ChatQuestion): object
  /** Takes the data of one event. */
  read(data: string, reader: ChatReader): void
  /** An expression for the text in `event`, for the code that is copied. */
  readonly textOf: { readonly JavaScript: string; readonly Python: string }
}

/** The API requires a limit; it is enough for a look at an answer. */
const MAX_TOKENS = 4096

const CHAT: ChatApi = {
  name: 'Chat completions',
  path: 'v1/chat/completions',
  body: ({ model, prompt, tools }) => ({
    ...{ model, stream: true, stream_options: { include_usage: true }, messages: [{ role: 'user', content: prompt }] },
    ...ifAny(tools),
  }),
  read: readChunk,
  textOf: {
    JavaScript: "event.choices?.[0]?.delta.content ?? ''",
    Python: '"".join(choice["delta"].get("content") or "" for choice in event.get("choices", []))',
  },
}

const MESSAGES: ChatApi = {
  name: 'Messages',
  path: 'v1/messages',
  body: ({ model, prompt, tools }) => ({
    ...{ model, stream: true, max_tokens: MAX_TOKENS, messages: [{ role: 'user', content: prompt }] },
    ...ifAny(tools),
  }),
  read: readMessageEvent,
  textOf: { JavaScript: "event.delta?.text ?? ''", Python: 'event.get("delta", {}).get("text", "")' },
}

const RESPONSES: ChatApi = {
  name: 'Responses',
  path: 'v1/responses',
  body: ({ model, prompt, tools }) => ({ model, stream: true, store: false, input: prompt, ...ifAny(tools) }),
  read: readResponseEvent,
  textOf: {
    JavaScript: "event.type === 'response.output_text.delta' ? event.delta : ''",
    Python: 'event["delta"] if event.get("type") == "response.output_text.delta" else ""',
  },
}

export const CHAT_APIS = [CHAT, MESSAGES, RESPONSES] as const

/** The list that somebody has typed; empty where nothing is. @throws SyntaxError for anything else than a JSON list */
export function readTools(text: string): unknown[] {
  if (text.trim() === '') return []
  const tools: unknown = JSON.parse(text)
  if (!Array.isArray(tools)) throw new SyntaxError('It is no list.')
  return tools
}

function ifAny(tools: readonly unknown[]): object {
  return tools.length === 0 ? {} : { tools }
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

type ResponseEvent = {
  readonly type?: string
  readonly delta?: string
  readonly message?: unknown
  readonly item?: { readonly type?: string; readonly name?: string }
  readonly response?: {
    readonly status?: string
    readonly usage?: { readonly output_tokens?: number } | null
    readonly incomplete_details?: { readonly reason?: string } | null
    readonly error?: { readonly message?: unknown } | null
  }
}

function readResponseEvent(data: string, reader: ChatReader): void {
  const { type = '', delta = '', message, item, response } = JSON.parse(data) as ResponseEvent
  if (type === 'response.output_item.added' && item?.type === 'function_call') reader.text('answer', callOf(item.name))
  if (/^response\.reasoning(_summary)?_text\.delta$/.test(type)) reader.text('thinking', delta)
  if (/^response\.(output_text|refusal|function_call_arguments)\.delta$/.test(type)) reader.text('answer', delta)
  if (type === 'error') reader.fail(message)
  if (type === 'response.failed') reader.fail(response?.error?.message)
  if (type !== 'response.completed' && type !== 'response.incomplete') return
  reader.finish(response?.incomplete_details?.reason ?? response?.status ?? '')
  if (typeof response?.usage?.output_tokens === 'number') reader.usage(response.usage.output_tokens)
  reader.close()
}

/** The beginning of a call; its arguments follow. */
function callOf(name: string | undefined): string {
  return name === undefined ? '' : `${name} `
}
