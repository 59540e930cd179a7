// Collects young objects after so many bytes of bodies. Bodies lie outside V8's heap and count as its growth, but V8 collects young objects
// for their sake only at 32 MB of them: a heap of 20 MB has grown by more than its size before that, which begins a full collection, 15 ms
// of this thread and as much again of its helpers for each 60 requests of 215 KB (decision 0080; Node 20.20).
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** What is not swept yet counts as well, so that twice as much is there at most. */
const COLLECT_AT_BYTES = 16 * 1024 * 1024
/** Smaller bodies are outweighed by the objects of their requests, which fill the young heap. */
const MIN_BYTES = 16 * 1024

type Collect = (options: { readonly type: 'minor' }) => void

/** One per event loop. */
export class BodyGarbage {
  readonly #collect: () => void
  #bytes = 0

  constructor(collect = collectYoung) {
    this.#collect = collect
  }

  /** So many bytes were received, or made to be sent. */
  note(bytes: number): void {
    if (bytes < MIN_BYTES) return
    this.#bytes += bytes
    if (this.#bytes < COLLECT_AT_BYTES) return
    this.#bytes = 0
    // Between requests, not within one.
    setImmediate(this.#collect)
  }
}

let collect: Collect | null = null

/** A young collection, now. */
export function collectYoung(): void {
  collect ??= exposeCollect()
  collect({ type: 'minor' })
}

/** V8 gives its function to contexts that are made while the flag is set. Without it V8 collects when it wants to. */
function exposeCollect(): Collect {
  setFlagsFromString('--expose-gc')
  const exposed = runInNewContext('globalThis.gc') as Collect | undefined
  setFlagsFromString('--no-expose-gc')
  return exposed ?? (() => undefined)
}
