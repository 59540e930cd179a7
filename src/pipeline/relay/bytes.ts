// An answer that is neither JSON nor frames, such as audio: every chunk is forwarded as it comes. Only HTTP marks its end, so a body
// that ends with its connection may be half of it and counts as cut.
import { errorData } from '../../errors.js'
import { type FinishReason } from '../../model/event.js'
import { type UsageReport } from '../../model/usage.js'
import { type Meter, type Relay, type RelayOptions, type RelayOutlet } from './types.js'

const UPSTREAM_CUT = errorData('upstream_cut')

export class BytesRelay implements Relay, Meter {
  readonly #outlet: RelayOutlet
  readonly #isDelimited: boolean
  readonly usage: UsageReport | null = null
  readonly contentBytes = 0
  readonly finish: FinishReason | null = null

  constructor({ outlet, isDelimited }: RelayOptions) {
    this.#outlet = outlet
    this.#isDelimited = isDelimited
  }

  get meter(): Meter {
    return this
  }

  push(chunk: Buffer): void {
    this.#outlet.append(chunk, true)
  }

  end(): void {
    if (this.#isDelimited) this.#outlet.complete()
    else this.#outlet.fail(UPSTREAM_CUT)
  }
}
