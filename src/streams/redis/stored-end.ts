// The end of a stored log, as it is in Redis: how the stream ended, and for a log that was closed in place of its writer, how far
// the number of its error frame is from its last frame.
import { errorData } from '../../errors.js'
import { NO_USAGE } from '../../model/usage.js'
import { type StreamEnd } from '../reader.js'

export type StoredEnd = {
  readonly end: StreamEnd
  /** Added to the number of the next frame, it is the number of the error frame. */
  readonly beyond: number
}

/**
 * A dead writer may have sent its own clients frames that it never stored. The number of the error frame must be beyond theirs, or
 * a client that has them would be told that there is nothing after its last frame: a clean end. No writer holds this many frames.
 */
const BEYOND_UNSTORED = 1_000_000

const WRITER_LOST = 'The gateway that produced this stream is gone; what it had not stored is lost.'
const NOT_HELD = 'A part of this stream was lost before it could be stored.'

/** Closes the log of a writer whose lease is over. */
export const END_OF_LOST_WRITER = encodeEnd(cutWith(WRITER_LOST), BEYOND_UNSTORED)
/** Closes a log whose continuation is no longer in its writer's memory. */
export const END_AT_GAP = encodeEnd(cutWith(NOT_HELD), BEYOND_UNSTORED)
/** Closes a log that is cancelled while its writer cannot be reached. */
export const END_OF_CANCELLED = encodeEnd(
  { ...cutWith(''), outcome: 'client_gone', error: errorData('client_gone', { message: 'The stream was cancelled.' }) },
  BEYOND_UNSTORED,
)

/** The text that Redis holds. `beyond`: 0 for the writer's own end. */
export function encodeEnd(end: StreamEnd, beyond = 0): string {
  return JSON.stringify({ end, beyond } satisfies StoredEnd)
}

/** Null while the log is open. */
export function decodeEnd(text: string): StoredEnd | null {
  return text === '' ? null : (JSON.parse(text) as StoredEnd)
}

function cutWith(message: string): StreamEnd {
  const error = errorData('upstream_cut', { message })
  return { outcome: 'upstream_cut', error, usage: NO_USAGE, usageSource: 'partial' }
}
