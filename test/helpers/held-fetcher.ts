// Fetches of images and documents that a test answers by hand, and the memory that they hold.
import { GatewayError } from '../../src/errors.js'
import { type Fetching, type Reservation } from '../../src/pipeline/context.js'

const PNG = { mediaType: 'image/png', base64: 'QQ==' }
const NO_ROOM = GatewayError.shared('rate_limited', { message: 'no room', retryAfterMs: 1000 })

/** `room`: how many fetches and their results may be held, each counted as 1. */
export function heldFetcher({ room = Number.POSITIVE_INFINITY } = {}) {
  const fetches: { url: string; signal: AbortSignal; withinMs: number; resolve: () => void; reject: () => void }[] = []
  const memory = { held: 0 }
  const fetching: Fetching = {
    reserve: () => new OneByte(memory, room),
    fetch: (url, { signal, timeoutMs, room: own }) =>
      new Promise((resolve, reject) => {
        const refusal = own.grow(1)
        if (refusal !== null) reject(refusal)
        fetches.push({
          url,
          signal,
          withinMs: timeoutMs,
          resolve: () => resolve(PNG),
          reject: () => reject(new Error('refused')),
        })
        signal.addEventListener('abort', () => reject(new Error('aborted')))
      }),
  }
  return { fetches, fetching, memory }
}

class OneByte implements Reservation {
  readonly #memory: { held: number }
  readonly #room: number
  #isHeld = false

  constructor(memory: { held: number }, room: number) {
    this.#memory = memory
    this.#room = room
  }

  grow(): GatewayError | null {
    if (this.#memory.held >= this.#room) return NO_ROOM
    this.#isHeld = true
    this.#memory.held += 1
    return null
  }

  release(): void {
    if (this.#isHeld) this.#memory.held -= 1
    this.#isHeld = false
  }
}
