// The outlet of an attempt's relay: passes frames to the gate and tokens to their timing, and builds and sends a whole answer. Called
// for each chunk: nothing is allocated here, and nothing passes once the end of the attempt is decided.
import { GatewayError, toGatewayError } from '../../errors.js'
import { type ErrorData } from '../../model/error.js'
import { type Outcome } from '../../model/event.js'
import { type JsonObject } from '../../model/json.js'
import { type Target } from '../../model/target.js'
import { type Usage } from '../../model/usage.js'
import { type AnswerTask } from '../../protocols/contract/answer-task.js'
import { concealSecrets } from '../../upstream/conceal.js'
import { type AttemptState } from '../attempt-state.js'
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
  readonly state: AttemptState
}

const COMPLETE: AnswerOutcome = Object.freeze({ outcome: 'complete', cause: null })
const CUT: AnswerOutcome = Object.freeze({ outcome: 'limit', cause: null })

export class AttemptOutlet implements RelayOutlet {
  readonly #exchange: ExchangeView
  readonly #target: Target
  readonly #lease: UpstreamLease
  readonly #gate: FirstContentGate
  readonly #timing: TokenTiming
  readonly #end: AttemptEnd
  readonly #state: AttemptState
  /** What a whole answer needs of the request. */
  echo: JsonObject | null = null

  constructor({ exchange, target, lease, gate, timing, end, state }: Outlets) {
    this.#exchange = exchange
    this.#target = target
    this.#lease = lease
    this.#gate = gate
    this.#timing = timing
    this.#end = end
    this.#state = state
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

  leftOut(names: readonly string[]): void {
    this.#state.dropped = [...this.#state.dropped, ...names]
  }

  complete(last?: Uint8Array): void {
    if (this.#end.isOver) return
    this.#gate.claim()
    this.#end.succeed()
    this.#end.countOk()
    const outcome = this.#isCut() ? 'limit' : 'complete'
    if (last === undefined) this.#gate.complete(outcome)
    else this.#completeStored(last, outcome)
  }

  /** Ends the stream here, with these frames: no more of it can be paid. */
  cut(closing: (usage: Usage) => string[]): void {
    if (this.#end.isOver) return
    this.#gate.claim()
    this.#end.cut()
    const frames = closing(this.#state.usage)
    const last = this.#exchange.own?.keep == null ? undefined : frames.pop()
    this.#gate.append(Buffer.from(frames.join('')), true)
    if (last === undefined) this.#gate.complete('limit')
    else this.#completeStored(Buffer.from(last), 'limit')
  }

  whole(bytes: Uint8Array, kind: WholeKind): void {
    if (this.#end.isOver) return
    this.progress()
    this.#end.succeed()
    if (kind === 'forward') this.#answer(this.#withOwn(bytes))
    else this.#make(bytes, kind)
  }

  fail(error: ErrorData): void {
    this.#end.fail(blameKey(GatewayError.of(error), this.#end.secrets()))
  }

  /** The end of a stream follows when its answer is stored. */
  #completeStored(last: Uint8Array, outcome: Outcome): void {
    const answer = this.#exchange.request.surface.stored?.answerIn(last) ?? null
    this.#store(answer, () => {
      this.#gate.append(last, true)
      this.#gate.complete(outcome)
    })
  }

  /** Goes on at once where nothing has to be awaited; the client gets an error if the answer had to be stored and is not. */
  #store(answer: Uint8Array | null, goOn: () => void): void {
    const keep = this.#exchange.own?.keep ?? null
    const storing = keep === null || answer === null ? null : keep(answer)
    if (storing instanceof Promise) void storing.then((error) => this.#afterStore(error, goOn))
    else this.#afterStore(storing, goOn)
  }

  #afterStore(error: GatewayError | null, goOn: () => void): void {
    if (error === null) {
      goOn()
      return
    }
    // Another target could not help.
    this.#gate.resolve()
    this.#gate.fail(error)
  }

  #make(bytes: Uint8Array, kind: MadeKind): void {
    makeWhole(bytes, {
      offload: this.#exchange.context.offload,
      kind,
      task: this.#makingTask(),
      onMade: ({ body, dropped }) => {
        if (dropped.length > 0) this.leftOut(dropped)
        this.#answer(body)
      },
      onUnmade: (thrown) => this.#failMaking(thrown),
    })
  }

  #makingTask(): Omit<AnswerTask, 'body'> {
    const { context, request, decoded } = this.#exchange
    const { id: surfaceId, isTimed = false } = request.surface
    const endpoint = decoded?.facts.endpoint
    const task = { surfaceId, target: this.#target, fallback: fallbackMeta(this.#exchange), echo: this.echo }
    if (endpoint !== undefined) return { ...task, endpoint: endpoint.id }
    return isTimed ? { ...task, elapsedMs: context.clock.nowMs() - request.acceptedAtMs } : task
  }

  #answer(body: Uint8Array): void {
    this.#end.countOk()
    if (this.#exchange.own?.keep == null) this.#reply(body)
    else this.#store(body, () => this.#reply(body))
  }

  #reply(body: Uint8Array): void {
    const answer = resultAnswer(this.#exchange, body)
    const { status, headers, error } = answer
    if (!this.#isCut()) reply(this.#exchange, answer, COMPLETE)
    else reply(this.#exchange, { status, headers, body: answer.body, error, isCut: true }, CUT)
    this.#gate.resolve()
  }

  /** The provider has stopped at a cap that was lowered because no more could be paid. */
  #isCut(): boolean {
    const { hold, meter } = this.#state
    return hold !== null && hold.cap !== null && meter?.finish === 'length'
  }

  /** The upstream's whole answer, under the gateway's own id. */
  #withOwn(bytes: Uint8Array): Uint8Array {
    const { own, request } = this.#exchange
    return own === null ? bytes : (request.surface.stored?.withOwn(bytes, own.members) ?? bytes)
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
