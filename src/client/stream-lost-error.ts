// The error of an answer that cannot be read to its end. The caller has the beginning; this says why the rest is missing, so that a
// part is never taken for the whole.

/**
 * `unreachable`: no connection within `maxOfflineMs`. `gone`: the gateway no longer has the stream, or the part that comes next.
 * `ended`: it has ended without its end marker, for example because it was cancelled. `refused`: the gateway rejects the request
 * to go on (`status`). `gap`: frames are missing in what it sends. `unkept`: the gateway did not keep it, so it cannot go on.
 */
export type LossReason = 'unreachable' | 'gone' | 'ended' | 'refused' | 'gap' | 'unkept'

export type Loss = {
  readonly reason: LossReason
  /** The gateway's id of the stream; null if it has none. */
  readonly stream: string | null
  /** Number of the last frame that was read, -1 before the first. */
  readonly after: number
  /** Of the gateway's last answer, if that is the reason. */
  readonly status?: number | null
  readonly cause?: unknown
}

const TEXTS: Readonly<Record<LossReason, string>> = {
  unreachable: 'the gateway could not be reached in time',
  gone: 'the gateway no longer has the rest of it',
  ended: 'it ended before its end marker',
  refused: 'the gateway refused to continue it',
  gap: 'frames are missing',
  unkept: 'the gateway did not keep it',
}

/** The rest of an answer is lost. */
export class StreamLostError extends Error {
  override readonly name = 'StreamLostError'
  readonly reason: LossReason
  readonly stream: string | null
  readonly after: number
  readonly status: number | null

  constructor({ reason, stream, after, status = null, cause }: Loss) {
    super(`The answer is incomplete: ${TEXTS[reason]}${status === null ? '' : ` (status ${status})`}.`, { cause })
    this.reason = reason
    this.stream = stream
    this.after = after
    this.status = status
  }
}
