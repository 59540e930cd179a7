// A request that runs for others as well: equal ones follow its stream while it runs, and its complete answer goes into the cache.
import { type ExchangeHandle } from '../../pipeline/client.js'
import { type Answer, type Sink } from '../../pipeline/sink.js'
import { type KeptStream } from '../../streams/kept/kept-stream.js'
import { SharedRun } from '../../streams/sharing/shared-run.js'
import { type SharingRequest } from '../context.js'
import { cacheStream, cacheWhole, isFromProvider, shareAnswer } from './answers.js'
import { type Asked } from './asked.js'
import { SharedSink } from './shared-sink.js'
import { type Run, type SharingGround, type SharingPolicy } from './sharing.js'

export type ShareLeadOptions = {
  readonly ground: SharingGround
  readonly policy: SharingPolicy
  readonly request: SharingRequest
  readonly asked: Asked
  readonly onAbandoned: () => void
}

export class ShareLead {
  readonly run: Run
  readonly sink: SharedSink
  readonly #options: ShareLeadOptions
  #isOver = false

  /** `sink`: the client's own. */
  constructor(sink: Sink, options: ShareLeadOptions) {
    const { ground, policy, request, asked, onAbandoned } = options
    this.#options = options
    this.run = new SharedRun({
      ...{ requestId: request.requestId, graceMs: 0, mayBeRetried: false, takesFollowers: asked.leads, onAbandoned },
      startGrace: (delayMs, act) => ground.graces.start(delayMs, act),
    })
    this.sink = new SharedSink(sink, {
      ...{ streams: ground.streams, policy: policy.share, key: request.key },
      ...{ surfaceId: request.surfaceId, requestId: request.requestId },
      events: {
        onBegin: (stream) => this.#began(stream),
        onAnswer: (answer) => this.#answered(answer),
        onEnd: (stream) => this.#end(stream),
      },
    })
    if (asked.leads) ground.index.add(asked.digest, this.run)
    ground.counters.cacheAnswer('miss')
  }

  hold(handle: ExchangeHandle): void {
    this.sink.hold(handle)
  }

  /** The exchange is over. Idempotent. */
  ended(): void {
    this.#end(null)
  }

  #began(stream: KeptStream | null): void {
    this.run.begin(stream === null ? { kind: 'gone' } : { kind: 'stream', find: () => stream })
  }

  /** A refusal by a limit of ours is no answer to the others, who may be within theirs. */
  #answered(answer: Answer): void {
    const { ground, asked } = this.#options
    const isShared = answer.error === null || isFromProvider(answer.error)
    this.run.begin(isShared ? { kind: 'answer', answer: shareAnswer(answer) } : { kind: 'gone' })
    const isWhole = answer.error === null && answer.isCut !== true
    if (asked.cache !== null && isWhole && ground.cache.accepts(answer.body.length)) {
      const { digest, ttlMs } = asked.cache
      ground.cache.put(digest, cacheWhole(answer, this.run.requestId), ttlMs)
    }
    this.#end(null)
  }

  #end(stream: KeptStream | null): void {
    if (this.#isOver) return
    this.#isOver = true
    const { ground, asked } = this.#options
    this.run.end(ground.timers.nowMs(), false)
    if (asked.leads) ground.index.end(asked.digest, this.run)
    this.run.forget()
    const isWhole = stream !== null && stream.streamEnd?.outcome === 'complete' && stream.first === 0
    if (!isWhole || asked.cache === null || !ground.cache.accepts(stream.heldBytes)) return
    ground.cache.put(asked.cache.digest, cacheStream(stream), asked.cache.ttlMs)
  }
}
