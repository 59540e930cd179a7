// Ids of kept streams: `str_`, the event loop on which the stream lives in two hex digits, and 132 random bits. The loop is in the id so
// that any other one finds the stream; the id alone gives no right to it.
import { randomFillSync } from 'node:crypto'

const PREFIX = 'str_'
/** 22 characters of base64url; the 17th byte completes the last of them. */
const RANDOM_BYTES = 17
const RANDOM_CHARS = 22
/** The same within another text. */
const IDS_WITHIN = /str_[0-9a-f]{2}[A-Za-z0-9_-]{22}/g
const IDS_A_DRAW = 128
const STREAM_ID = /^str_([0-9a-f]{2})[A-Za-z0-9_-]{22}$/
/** Of an id, as much as a log line shows: enough to find a stream, too little to ask for it. */
const SHOWN_CHARS = PREFIX.length + 8
const HEX = 16

/** Ids of one event loop, whose index is below 256. Randomness is drawn for many at once: a call for each takes 2 us. */
export class StreamIds {
  readonly #head: string
  readonly #pool = Buffer.allocUnsafeSlow(RANDOM_BYTES * IDS_A_DRAW)
  #at = this.#pool.length

  constructor(loopIndex: number) {
    this.#head = `${PREFIX}${loopIndex.toString(HEX).padStart(2, '0')}`
  }

  create(): string {
    if (this.#at === this.#pool.length) {
      randomFillSync(this.#pool)
      this.#at = 0
    }
    const random = this.#pool.toString('base64url', this.#at, this.#at + RANDOM_BYTES)
    this.#at += RANDOM_BYTES
    return this.#head + random.slice(0, RANDOM_CHARS)
  }
}

/** A new id. `loopIndex`: below 256. */
export function createStreamId(loopIndex: number): string {
  return new StreamIds(loopIndex).create()
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
