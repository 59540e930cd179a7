// The run of a request whose stream is kept for its own client: a retry of it, or a repetition with its Idempotency-Key, is answered
// from it. A whole answer whose client was lost is kept for its retry, for a minute.
import { type KeyIdentity } from '../../pipeline/client.js'
import { type Answer, type Sink } from '../../pipeline/sink.js'
import { type KeptStream } from '../../streams/kept/kept-stream.js'
import { type StreamEnd } from '../../streams/reader.js'
import { keyNameOf, RETRY_WINDOW_MS } from '../../streams/sharing/run-index.js'
import { SharedRun } from '../../streams/sharing/shared-run.js'
import { type KeyedAsking } from '../context.js'
import { type KeptSink } from '../kept/kept-sink.js'
import { shareAnswer } from './answers.js'
import { HandleSink } from './handle-sink.js'
import { type Run, type SharingGround, type SharingPolicy } from './sharing.js'

export type OwnRunOptions = {
  readonly ground: SharingGround
  readonly policy: SharingPolicy
  readonly request: { readonly requestId: string; readonly key: KeyIdentity; readonly isOver: () => boolean }
  readonly owner: string
  /** Null: it came without a key. */
  readonly keyed: KeyedAsking | null
  readonly onAbandoned: () => void
}

export class OwnRun {
  readonly run: Run
  readonly #options: OwnRunOptions
  #digest: string | null = null
  #handle: HandleSink | null = null
  #isOver = false

  constructor(options: OwnRunOptions) {
    const { ground, policy, request, onAbandoned } = options
    this.#options = options
    this.run = new SharedRun({
      requestId: request.requestId,
      mayBeRetried: true,
      takesFollowers: false,
      onAbandoned,
      graceMs: policy.keep?.graceMs ?? 0,
      startGrace: (delayMs, act) => ground.graces.start(delayMs, act),
    })
  }

  /** The sink that tells the run what comes of the request. `digest`: by which a retry finds it; null if by its key alone. */
  around(sink: KeptSink, digest: string | null): Sink {
    const { ground, owner } = this.#options
    this.#digest = digest
    this.#options.keyed?.onStream()
    if (digest !== null) ground.index.add(digest, this.run)
    this.#handle = new HandleSink(sink, {
      onBegin: (id) => {
        if (id === null) this.#end(null)
        else this.run.begin({ kind: 'stream', find: finderOf(ground.streams, id, owner) })
      },
      onAnswer: (answer) => this.#answered(answer),
      onReader: (result) => this.#read(result === 'delivered'),
      onEnd: (end) => this.#end(end),
    })
    return this.#handle
  }

  /** It does not stream, so its key is none of this run's. */
  release(): void {
    const { ground, owner, keyed } = this.#options
    this.#isOver = true
    this.run.end(ground.timers.nowMs(), false)
    if (keyed !== null) ground.index.removeKeyed(keyNameOf(owner, keyed.idempotencyKey), this.run)
  }

  /** The exchange is over. Its stream may have its end yet to come, if it is read from one that is shared. Idempotent. */
  ended(): void {
    if (this.run.head?.kind !== 'stream' || this.#handle?.isFollowed !== true) this.#end(null)
  }

  #end(end: StreamEnd | null): void {
    if (this.#isOver) return
    this.#isOver = true
    const { ground, owner, keyed } = this.#options
    this.run.end(ground.timers.nowMs(), end?.outcome === 'complete')
    if (this.#digest !== null) ground.index.end(this.#digest, this.run)
    if (this.run.head?.kind === 'answer') this.run.forget()
    if (keyed === null) return
    if (!this.run.isComplete) ground.index.removeKeyed(keyNameOf(owner, keyed.idempotencyKey), this.run)
    keyed.onEnd()
  }

  #answered(answer: Answer): void {
    this.run.begin({ kind: 'answer', answer: shareAnswer(answer) })
    const isLost = this.#options.request.isOver() && !this.run.isDelivered
    if (answer.error === null && isLost && this.#keepAnswer(answer.body.length)) return
    this.#end(null)
  }

  /** Once its client has all of it, and no other reads it, a retry of it is a new request. */
  #read(isDelivered: boolean): void {
    this.run.noteDelivered(isDelivered)
    const digest = this.#digest
    if (isDelivered && digest !== null && this.run.clientCount === 0)
      this.#options.ground.index.remove(digest, this.run)
  }

  /** For its retry. False if there is no room. */
  #keepAnswer(bytes: number): boolean {
    const { ground, policy, request } = this.#options
    const digest = this.#digest
    if (digest === null) return false
    const room = policy.share.reserve(request.key)
    if (room.claim(bytes) !== null) return false
    this.run.end(ground.timers.nowMs(), true)
    this.#isOver = true
    ground.index.end(digest, this.run)
    ground.timers.after(RETRY_WINDOW_MS, () => {
      room.release()
      ground.index.remove(digest, this.run)
      this.run.forget()
    })
    return true
  }
}

/** Outside the run, so that what the index keeps for retries holds nothing of the request: a function holds all that its scope has. */
function finderOf(streams: SharingGround['streams'], id: string, owner: string): () => KeptStream | null {
  return () => streams.find(id, owner)
}
