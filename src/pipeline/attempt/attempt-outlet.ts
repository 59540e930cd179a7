// The outlet of an attempt's relay: passes frames to the gate and tokens to their timing, and builds and sends a whole answer. Called
// for each chunk: nothing is allocated here, and nothing passes once the end of the attempt is decided.
import { GatewayError, toGatewayError } from '../../errors.js'
import { type ErrorData } from '../../model/error.js'
import { type JsonObject } from '../../model/json.js'
import { type Target } from '../../model/target.js'
import { concealSecrets } from '../../upstream/conceal.js'
import { type AnswerOutcome, reply, resultAnswer } from '../delivery/answer.js'
import { type FirstContentGate } from '../delivery/first-content-gate.js'
import { type TokenTiming } from '../delivery/token-timing.js'
import { type ExchangeView } from '../exchange.js'
import { type MadeKind, type RelayOutlet, type WholeKind } from '../relay/types.js'
import { makeWhole } from '../relay/whole-answer.js'
import { type AttemptEnd } from './attempt-end.js'
import { blameKey } from './attempt-result.js'
import { fallbackMeta } from './relay-options.js'
import { type UpstreamLease } from './upstream-lease.js'

/** Where the pieces of an answer go. */
export type Outlets = {
  readonly exchange: ExchangeView
  readonly target: Target
  readonly lease: UpstreamLease
  readonly gate: FirstContentGate
  readonly timing: TokenTiming
  readonly end: AttemptEnd
}

const COMPLETE: AnswerOutcome = Object.freeze({ outcome: 'complete', cause: null })

export class AttemptOutlet implements RelayOutlet {
  readonly #exchange: ExchangeView
  readonly #target: Target
  readonly #lease: UpstreamLease
  readonly #gate: FirstContentGate
  readonly #timing: TokenTiming
  readonly #end: AttemptEnd
  /** What a whole answer needs of the request. */
  echo: JsonObject | null = null

  constructor({ exchange, target, lease, gate, timing, end }: Outlets) {
    this.#exchange = exchange
    this.#target = target
    this.#lease = lease
    this.#gate = gate
    this.#timing = timing
    this.#end = end
  }

  append(frames: Uint8Array, hasContent: boolean): void {
    if (this.#end.isOver) return
    if (hasContent) this.progress()
    this.#gate.append(frames, hasContent)
  }

  progress(): void {
    this.#lease.sawToken()
    this.#timing.mark()
  }

  complete(): void {
    if (this.#end.isOver) return
    this.#gate.claim()
    this.#end.succeed()
    this.#end.countOk()
    this.#gate.complete()
  }

  whole(bytes: Uint8Array, kind: WholeKind): void {
    if (this.#end.isOver) return
    this.progress()
    this.#end.succeed()
    if (kind === 'forward') this.#answer(bytes)
    else this.#make(bytes, kind)
  }

  fail(error: ErrorData): void {
    this.#end.fail(blameKey(GatewayError.of(error), this.#end.secrets()))
  }

  #make(bytes: Uint8Array, kind: MadeKind): void {
    const { context, request } = this.#exchange
    makeWhole(bytes, {
      offload: context.offload,
      kind,
      task: {
        surfaceId: request.surface.id,
        target: this.#target,
        fallback: fallbackMeta(this.#exchange),
        echo: this.echo,
      },
      onMade: (body) => this.#answer(body),
      onUnmade: (thrown) => this.#failMaking(thrown),
    })
  }

  #answer(body: Uint8Array): void {
    this.#end.countOk()
    reply(this.#exchange, resultAnswer(this.#exchange, body), COMPLETE)
    this.#gate.resolve()
  }

  /** The upstream's answer was complete, but no whole answer could be made of it. */
  #failMaking(thrown: unknown): void {
    const secrets = this.#end.secrets()
    const error = concealSecrets(secrets, blameKey(toGatewayError(thrown), secrets))
    const isOurs = !error.data.code.startsWith('upstream_')
    if (isOurs) this.#end.countOk()
    else this.#end.countFailure(error.data)
    // An internal error would only repeat at the next upstream.
    if (isOurs) this.#gate.resolve()
    this.#gate.fail(error)
  }
}
