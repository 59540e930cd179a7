// When a store is asked for due work: at every hint, and at least every `pollMs`, for work that becomes due by itself. One claim at
// a time; a hint that arrives during a claim, or while there is no capacity, is not lost.
import { type Timers } from './timers.js'

export type ClaimLoopOptions = {
  readonly pollMs: number
  readonly timers: Timers
  /** Something more can be taken now. */
  readonly hasRoom: () => boolean
  /** Claims due work. False: the store is unavailable, the next poll tries again. Must not reject. */
  readonly claim: () => Promise<boolean>
}

export class ClaimLoop {
  readonly #options: ClaimLoopOptions
  #claiming: Promise<void> | null = null
  #isHinted = false
  #isStopping = false
  #callOffPoll: () => void = () => undefined

  constructor(options: ClaimLoopOptions) {
    this.#options = options
  }

  get isStopping(): boolean {
    return this.#isStopping
  }

  start(): void {
    if (this.#isStopping) return
    const { pollMs, timers } = this.#options
    this.#callOffPoll = timers.after(pollMs, () => this.start())
    this.wake()
  }

  /** There may be something to take, or there is room again. */
  wake(): void {
    this.#isHinted = true
    if (this.#claiming !== null || this.#isStopping || !this.#options.hasRoom()) return
    this.#isHinted = false
    this.#claiming = this.#options.claim().then((isReached) => {
      this.#claiming = null
      if (isReached && this.#isHinted) this.wake()
    })
  }

  /** Claims no more; resolves when the running claim has ended. */
  async stop(): Promise<void> {
    this.#isStopping = true
    this.#callOffPoll()
    await this.#claiming
  }
}
