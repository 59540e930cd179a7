// Request ids: the client's if it is well-formed, otherwise a generated one. They are names for the log, not secrets.

import { randomBytes } from 'node:crypto'

/** Ids that a client may choose: short, without any character that could end a header or a log line. */
const CLIENT_ID = /^[A-Za-z0-9._:-]{1,128}$/

/** Random bytes that distinguish event loops and restarts. */
const SEED_BYTES = 6

/** A seed for one event loop's ids. */
export function createRequestIdSeed(): string {
  return randomBytes(SEED_BYTES).toString('base64url')
}

/** The client's id if it is well-formed, else an empty string. */
export function readRequestId(value: string): string {
  return value !== '' && CLIENT_ID.test(value) ? value : ''
}

/** Makes ids `<seed>-<count>`; `seed` must differ between event loops and restarts. */
export function createRequestIdSource(seed: string): () => string {
  let count = 0
  return () => {
    count += 1
    return `${seed}-${count.toString(36)}`
  }
}
