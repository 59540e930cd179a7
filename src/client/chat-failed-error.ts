// The error of a chat that the gateway rejected or whose stream failed, in the gateway's own words.
import { type ChatErrorBody } from './messages.js'

export type ChatFailure = {
  readonly error: ChatErrorBody
  readonly outcome?: string | undefined
  readonly requestId?: string | undefined
}

/** The chat has failed. */
export class ChatFailedError extends Error {
  override readonly name = 'ChatFailedError'
  /** The gateway's error code, such as `rate_limited`. */
  readonly code: string | null
  readonly type: string | null
  /** The member of the request that is wrong. */
  readonly param: string | null
  readonly outcome: string | null
  /** The chat's `id` in the gateway's log. */
  readonly requestId: string | null

  constructor({ error, outcome, requestId }: ChatFailure) {
    super(error.message)
    this.code = error.code ?? null
    this.type = error.type ?? null
    this.param = error.param ?? null
    this.outcome = outcome ?? null
    this.requestId = requestId ?? null
  }
}
