// When a store is asked for what is due: whenever there is a hint, and at least every `pollMs`, for what falls due by itself.
// One claim at a time; a hint that comes meanwhile, or while there is no room, is not lost.
import { type Timers } from './timers.js'

export type ClaimLoopOptions = {
  readonly pollMs: number
  readonly timers: Timers
  /** Something more can be taken now. */
  readonly hasRoom: () => boolean
  /** Takes what is due. False: the store could not be reached, the next poll tries again. Must not reject. */
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

  /** Takes no more; resolves when the claim under way is over. */
  async stop(): Promise<void> {
    this.#isStopping = true
    this.#callOffPoll()
    await this.#claiming
  }
}
