// Ids of kept streams: `str_`, the event loop on which the stream lives in two hex digits, and 132 random bits. The loop is in the id so
// that any other one finds the stream; the id alone gives no right to it.
import { randomBytes } from 'node:crypto'

const PREFIX = 'str_'
/** 22 characters of base64url; the 17th byte completes the last of them. */
const RANDOM_BYTES = 17
const RANDOM_CHARS = 22
/** The same within another text. */
const IDS_WITHIN = /str_[0-9a-f]{2}[A-Za-z0-9_-]{22}/g
const STREAM_ID = /^str_([0-9a-f]{2})[A-Za-z0-9_-]{22}$/
/** Of an id, as much as a log line shows: enough to find a stream, too little to ask for it. */
const SHOWN_CHARS = PREFIX.length + 8
const HEX = 16

/** A new id. `loopIndex`: below 256. */
export function createStreamId(loopIndex: number): string {
  const random = randomBytes(RANDOM_BYTES).toString('base64url').slice(0, RANDOM_CHARS)
  return `${PREFIX}${loopIndex.toString(HEX).padStart(2, '0')}${random}`
}

/** The index of the event loop on which the stream lives; null if this is no id of a stream. */
export function loopOf(streamId: string): number | null {
  const digits = STREAM_ID.exec(streamId)?.[1]
  return digits === undefined ? null : Number.parseInt(digits, HEX)
}

/** The id as log lines show it. */
export function shownStreamId(streamId: string): string {
  return streamId.slice(0, SHOWN_CHARS)
}

/** A text for a log line, such as a path, with its ids as log lines show them. */
export function shownStreamIds(text: string): string {
  return text.includes(PREFIX) ? text.replace(IDS_WITHIN, shownStreamId) : text
}
