// The bodies of the last requests of one event loop, for operators who send one again. Bounded by bytes: the oldest make room. Filled as
// requests begin, where it is on; read when somebody asks.

/** A body, and what else it takes to send it again. No header is kept. */
export type KeptBody = {
  readonly requestId: string
  readonly path: string
  /** Name of the gateway key, and what it belongs to; null without keys. */
  readonly key: string | null
  readonly owner: string | null
  /** Owned by whoever keeps it. */
  readonly bytes: Uint8Array<ArrayBuffer>
}

/** The rest of an entry, roughly. */
const ENTRY_BYTES = 512

export class KeptBodies {
  /** The oldest first. Of equal ids the last one counts. */
  readonly #bodies = new Map<string, KeptBody>()
  #bytes = 0

  /** `maxBytes`: of all of them. One that is larger is not kept. */
  note(body: KeptBody, maxBytes: number): void {
    this.#drop(body.requestId)
    const size = sizeOf(body)
    if (size > maxBytes) return
    this.#bodies.set(body.requestId, body)
    this.#bytes += size
    this.shrink(maxBytes)
  }

  /** Drops the oldest until the others have no more bytes than that. */
  shrink(maxBytes: number): void {
    for (const requestId of this.#bodies.keys()) {
      if (this.#bytes <= maxBytes) return
      this.#drop(requestId)
    }
  }

  find(requestId: string): KeptBody | null {
    return this.#bodies.get(requestId) ?? null
  }

  #drop(requestId: string): void {
    const body = this.#bodies.get(requestId)
    if (body === undefined) return
    this.#bodies.delete(requestId)
    this.#bytes -= sizeOf(body)
  }
}

function sizeOf({ bytes }: KeptBody): number {
  return bytes.length + ENTRY_BYTES
}
