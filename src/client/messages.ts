// The messages of the WebSocket protocol `sluice.v1`, as docs/guide/websocket.md describes them, and what a chat is asked and says.

/** The body of a chat: members of the API pass through as they are. It is always streamed. */
export type ChatRequest = {
  readonly model?: string
  readonly messages: readonly object[]
  readonly [member: string]: unknown
}

/** The APIs that a chat may have besides the chat API. */
export type ApiName = 'messages' | 'responses'

/** The body of a chat in another API: `messages` and `max_tokens`, or `input`, and all else that the API has. */
export type ApiRequest = { readonly model?: string; readonly [member: string]: unknown }

/** A stream event of another API, as its own client library describes it. */
export type ApiEvent = { readonly type: string; readonly [member: string]: unknown }

/** A `chat.completion.chunk`, as far as most programs look. */
export type ChatChunk = {
  readonly id: string
  readonly model: string
  readonly choices: readonly {
    readonly index: number
    readonly delta: {
      readonly role?: string
      readonly content?: string | null
      readonly tool_calls?: readonly {
        readonly index: number
        readonly id?: string
        readonly function?: { readonly name?: string; readonly arguments?: string }
      }[]
    }
    readonly finish_reason: string | null
  }[]
  readonly usage?: ChatUsage | null
}

export type ChatUsage = {
  readonly prompt_tokens: number
  readonly completion_tokens: number
  readonly total_tokens: number
}

/** The error of a chat, in the form of the chat API. */
export type ChatErrorBody = {
  readonly message: string
  readonly type?: string
  readonly code?: string | null
  readonly param?: string | null
}

export type ClientMessage =
  | {
      readonly type: 'chat'
      readonly id: string
      /** Undefined, and so not sent, for the chat API. */
      readonly api: 'chat' | ApiName | undefined
      readonly request: ApiRequest
      readonly queue: true
      readonly resume: true | undefined
    }
  | { readonly type: 'resume'; readonly id: string; readonly stream: string; readonly after?: number }
  | { readonly type: 'cancel'; readonly id: string }
  | { readonly type: 'ping' }

export type ServerMessage =
  | { readonly type: 'opened'; readonly id: string; readonly stream: string; readonly requestId: string }
  | { readonly type: 'queued'; readonly id: string; readonly position: number; readonly etaMs: number | null }
  | { readonly type: 'event'; readonly id: string; readonly seq: number; readonly data: unknown }
  | {
      readonly type: 'done'
      readonly id: string
      readonly seq?: number
      readonly requestId: string
      readonly outcome: string
      readonly usage?: ChatUsage
    }
  | {
      readonly type: 'error'
      /** Null: no chat could be found in what was sent. */
      readonly id: string | null
      /** Of the stream's own error; absent where the request itself is rejected. */
      readonly seq?: number
      readonly requestId?: string
      readonly error: ChatErrorBody
      readonly outcome?: string
    }
  | { readonly type: 'pong' }
