// The batches of all writers of one event loop on their way to Redis: one call at a time, for many logs at once, so that a log has one
// batch under way. A call that fails leaves its batches to be built anew and sent again; their numbers make that harmless.
//
//   mark --> waiting, FLUSH_MS or until one has enough --> one call --> settled, or marked again
import { type Batch, type StreamWriter, type WriterQueue } from './stream-writer.js'

/** A reader elsewhere sees a frame this much later; at 50 tokens a second a batch holds one or two. */
const FLUSH_MS = 25
/** Logs of one call, and bytes after which it takes no further one: a millisecond of Redis, which serves nobody else meanwhile. */
const MAX_LOGS = 64
const MAX_CALL_BYTES = 256 * 1024
/** After a call that failed, as when the memory of Redis is full. */
const RETRY_MS = 400

export type AppendQueueOptions = {
  readonly isUp: () => boolean
  /** Resolves with a reply for each batch: a number, or the text of Redis' refusal. */
  readonly send: (batches: readonly Batch[]) => Promise<readonly (number | string)[]>
  /** Redis refused a batch; null: it takes them again. */
  readonly onRefusal: (reason: string | null) => void
}

export class AppendQueue implements WriterQueue {
  readonly #options: AppendQueueOptions
  readonly #marked = new Set<StreamWriter>()
  readonly #flush: () => void
  #timer: NodeJS.Timeout | null = null
  #immediate: NodeJS.Immediate | null = null
  #isSending = false
  #pausedUntilMs = 0
  #idle: (() => void)[] = []

  constructor(options: AppendQueueOptions) {
    this.#options = options
    this.#flush = () => this.#send()
  }

  mark(writer: StreamWriter): void {
    this.#marked.add(writer)
    if (this.#timer === null && !this.#isSending) this.#timer = setTimeout(this.#flush, FLUSH_MS)
  }

  hurry(): void {
    if (this.#immediate === null && !this.#isSending) this.#immediate = setImmediate(this.#flush)
  }

  forget(writer: StreamWriter): void {
    this.#marked.delete(writer)
    this.#tellIdle()
  }

  /** The link is up again. */
  resume(): void {
    this.#pausedUntilMs = 0
    this.hurry()
  }

  /** Resolves when nothing waits to be sent and nothing is under way. */
  empty(): Promise<void> {
    return new Promise((resolve) => {
      this.#idle.push(resolve)
      this.#tellIdle()
    })
  }

  /** Nothing is sent any more by itself. */
  close(): void {
    this.#clearTimers()
    this.#marked.clear()
    this.#tellIdle()
  }

  #send(): void {
    this.#clearTimers()
    if (this.#isSending || this.#marked.size === 0 || !this.#options.isUp()) return
    const pauseMs = this.#pausedUntilMs - performance.now()
    if (pauseMs > 0) this.#timer = setTimeout(this.#flush, pauseMs)
    else void this.#call(this.#collect())
  }

  #collect(): Batch[] {
    const batches: Batch[] = []
    let bytes = 0
    for (const writer of this.#marked) {
      if (batches.length === MAX_LOGS || bytes >= MAX_CALL_BYTES) break
      this.#marked.delete(writer)
      const batch = writer.batch()
      batches.push(batch)
      bytes += batch.bytes
    }
    return batches
  }

  async #call(batches: readonly Batch[]): Promise<void> {
    this.#isSending = true
    const isFull = this.#marked.size > 0
    let replies: readonly (number | string)[] = []
    try {
      replies = await this.#options.send(batches)
    } catch {
      // The link is down, and tells so.
      this.#pausedUntilMs = performance.now() + RETRY_MS
    }
    this.#isSending = false
    const refusal = replies.find((reply) => typeof reply === 'string')
    if (replies.length > 0) this.#options.onRefusal(typeof refusal === 'string' ? refusal : null)
    if (refusal !== undefined) this.#pausedUntilMs = performance.now() + RETRY_MS
    for (const [index, batch] of batches.entries()) {
      const reply = replies[index]
      if (typeof reply === 'number') batch.writer.settle(reply, batch)
      else batch.writer.mark()
    }
    if (isFull) this.hurry()
    else if (this.#marked.size > 0) this.#timer ??= setTimeout(this.#flush, FLUSH_MS)
    this.#tellIdle()
  }

  #clearTimers(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    if (this.#immediate !== null) clearImmediate(this.#immediate)
    this.#timer = null
    this.#immediate = null
  }

  #tellIdle(): void {
    if (this.#marked.size > 0 || this.#isSending) return
    const idle = this.#idle
    this.#idle = []
    for (const resolve of idle) resolve()
  }
}
