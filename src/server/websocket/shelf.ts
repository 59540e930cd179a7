// The answers of one connection, for requests that no store may keep: later ones on the same connection continue them. Bounded by number
// and by bytes, which are reserved like those of requests that arrive; the oldest make room. Gone with the connection.
import { type ResponseShelf } from '../../pipeline/client.js'
import { bytesOf, type StoredResponse } from '../../responses/store.js'
import { type Reservation } from '../context.js'

export type ShelfOptions = {
  readonly reservation: Reservation
  readonly maxBytes: number
}

/** A conversation continues its latest answer, which has all of its input; further ones are for lanes that fork. */
const MAX_ANSWERS = 128

export class Shelf implements ResponseShelf {
  readonly #options: ShelfOptions
  /** In the order in which they were put there. */
  readonly #answers = new Map<string, StoredResponse>()
  #bytes = 0
  #isClosed = false

  constructor(options: ShelfOptions) {
    this.#options = options
  }

  get(id: string): StoredResponse | null {
    return this.#answers.get(id) ?? null
  }

  /** One for which there is no room is not found later. */
  put(answer: StoredResponse): void {
    const { reservation, maxBytes } = this.#options
    const bytes = sizeOf(answer)
    if (this.#isClosed || bytes > maxBytes) return
    while (this.#answers.size >= MAX_ANSWERS || this.#bytes + bytes > maxBytes) this.#forgetOldest()
    while (reservation.grow(this.#bytes + bytes) !== null) if (!this.#forgetOldest()) return
    // In memory of its own: a view would hold all of what it is a view of.
    const own = { input: new Uint8Array(answer.input), response: new Uint8Array(answer.response) }
    this.#answers.set(answer.id, { ...answer, ...own })
    this.#bytes += bytes
  }

  /** A turn may still end after it: what it puts would be held by a reservation that nothing releases. */
  close(): void {
    this.#isClosed = true
    this.#answers.clear()
    this.#bytes = 0
    this.#options.reservation.release()
  }

  #forgetOldest(): boolean {
    for (const [id, answer] of this.#answers) {
      this.#answers.delete(id)
      this.#bytes -= sizeOf(answer)
      return true
    }
    return false
  }
}

/** Its items are not found by their ids. */
function sizeOf({ input, response }: StoredResponse): number {
  return bytesOf({ input, response, items: [] })
}
