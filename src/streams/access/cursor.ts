// Where a reader of a kept stream goes on: after its cursor, the number of the last frame that it has. HTTP clients send it in
// `Last-Event-ID`, which an EventSource does by itself, or as `?after=`; WebSocket clients as a number.

const DIGITS = /^\d+$/

/** Number of the first frame to send. Empty, or no cursor: the first of the stream. Null: not a cursor. */
export function offsetAfter(cursor: string): number | null {
  if (cursor === '') return 0
  if (!DIGITS.test(cursor)) return null
  // No stream has so many frames: beyond the last one a number need not be exact.
  return Math.min(Number(cursor), Number.MAX_SAFE_INTEGER - 1) + 1
}

/** The same for a member of JSON; absent or null: no cursor. */
export function offsetAfterNumber(cursor: unknown): number | null {
  if (cursor === undefined || cursor === null) return 0
  return typeof cursor === 'number' && Number.isSafeInteger(cursor) && cursor >= 0 ? offsetAfter(String(cursor)) : null
}
