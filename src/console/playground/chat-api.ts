// What the playground knows of a client API: how a question is asked in it, and what its stream says. The APIs are in apis/. Nothing
// here touches a page.

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
  readonly id: string
  readonly name: string
  /** `sse`: server-sent events; `ndjson`: lines of JSON. */
  readonly framing: 'sse' | 'ndjson'
  /** Without its first slash, with its query. */
  path(model: string): string
  body(question: ChatQuestion): object
  /** Whether the answer to this request is a stream of this API. `path` is the whole one. */
  streams(path: string, body: RequestBody): boolean
  /** Takes the data of one event, or one line. */
  read(data: string, reader: ChatReader): void
  /** An expression for the text in `event`, for the code that is copied. */
  readonly textOf: { readonly JavaScript: string; readonly Python: string }
}

/** What is read of a body to know whether it asks for a stream. */
export type RequestBody = { readonly stream?: unknown }

/** The member of a body with the tools, where there are some. */
export function toolsMember(tools: readonly unknown[]): object {
  return tools.length === 0 ? {} : { tools }
}

/** The beginning of a call, whose arguments follow. */
export function callOf(name: string | undefined): string {
  return name === undefined ? '' : `${name} `
}

/** The list that somebody has typed; empty where nothing is. @throws SyntaxError for anything else than a JSON list */
export function readTools(text: string): unknown[] {
  if (text.trim() === '') return []
  const tools: unknown = JSON.parse(text)
  if (!Array.isArray(tools)) throw new SyntaxError('It is no list.')
  return tools
}
