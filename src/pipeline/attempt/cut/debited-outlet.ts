// The outlet of a stream that budgets pay for while it runs: it counts each piece of content, and ends the stream when no more can be paid. The
// client gets the end of its own API, as if the provider had reached a cap on the output.
//
//   relay > append > AttemptOutlet      paid: nothing else      not paid: frames of the end > AttemptOutlet.cut, upstream aborted
import { toGatewayError } from '../../../errors.js'
import { type ErrorData } from '../../../model/error.js'
import { type Usage } from '../../../model/usage.js'
import { type AttemptState } from '../../attempt-state.js'
import { type Relay, type RelayOptions, type RelayOutlet, type WholeKind } from '../../relay/types.js'
import { type Hold } from '../../spending/hold.js'
import { StreamDebit } from '../../spending/stream-debit.js'
import { type AttemptOutlet } from '../attempt-outlet.js'
import { type ClosingOptions, closingFrames } from './closing.js'

export class DebitedOutlet implements RelayOutlet {
  readonly #outlet: AttemptOutlet
  readonly #state: AttemptState
  readonly #debit: StreamDebit
  #options: RelayOptions | null = null
  #relay: Relay | null = null
  /** Frames that have passed: all, or the last ones, as the end of the stream needs. */
  #passed: Uint8Array[] = []
  #keepsAll = false

  constructor(outlet: AttemptOutlet, state: AttemptState, hold: Hold) {
    this.#outlet = outlet
    this.#state = state
    this.#debit = new StreamDebit(hold)
  }

  /** What feeds it. */
  join(relay: Relay, options: RelayOptions): void {
    this.#relay = relay
    this.#options = options
    this.#keepsAll = options.surface.hasStatefulEnd === true && relay.close === undefined
  }

  append(frames: Uint8Array, hasContent: boolean): void {
    this.#outlet.append(frames, hasContent)
    if (hasContent && !this.#keepsAll) this.#passed = []
    this.#passed.push(frames)
    if (hasContent) this.#count()
  }

  progress(): void {
    this.#outlet.progress()
    this.#count()
  }

  leftOut(names: readonly string[]): void {
    this.#outlet.leftOut(names)
  }

  complete(last?: Uint8Array): void {
    this.#outlet.complete(last)
  }

  whole(bytes: Uint8Array, kind: WholeKind): void {
    this.#outlet.whole(bytes, kind)
  }

  fail(error: ErrorData): void {
    this.#outlet.fail(error)
  }

  /** An end that has passed already is not written again. */
  #count(): void {
    const { meter } = this.#state
    if (meter === null || meter.finish !== null || this.#debit.isFunded(meter)) return
    try {
      this.#outlet.cut((usage) => this.#closing(usage))
    } catch (thrown) {
      this.#outlet.fail(toGatewayError(thrown).data)
    }
  }

  #closing(usage: Usage): string[] {
    const options = this.#options as ClosingOptions
    return this.#relay?.close?.(usage) ?? closingFrames(options, this.#passed, usage)
  }
}
