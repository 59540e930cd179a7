// One run without a client: an exchange of the pipeline whose answer goes to the store, under an id that its client has. The store shows
// how far it is; the first end counts, whether the answer is complete, fails, is cancelled or deleted.
//
//   queued --run--> in_progress --> completed | incomplete | failed
//      '---------------'-------- cancel --> cancelled
import { GatewayError, toGatewayError } from '../../errors.js'
import { type ErrorData } from '../../model/error.js'
import { type JsonObject } from '../../model/json.js'
import { type ExchangeHandle, type OwnAnswer } from '../../pipeline/client.js'
import { type OwnMembers, type StoredAnswers } from '../../protocols/contract/stored.js'
import { type Advanced, type NextResponse, type ResponseDesk } from '../../responses/response-desk.js'
import { type BackgroundAnswer } from '../context.js'

export type BackgroundRunOptions = {
  readonly members: OwnMembers
  readonly owner: string
  readonly model: string
  readonly createdSec: number
  readonly input: Uint8Array
  readonly echo: JsonObject | null
  readonly stored: StoredAnswers
  readonly desk: ResponseDesk
  /** Memory for its request, as long as it waits. */
  readonly room: { release(): void }
  /** Starts the exchange. May throw. */
  readonly start: (own: OwnAnswer) => ExchangeHandle
  /** Stops an exchange whose stream has begun. */
  readonly stopStream: () => void
  /** Answers a client that waits for a stream, which will not begin. */
  readonly refuse: (error: GatewayError) => void
}

/** How often a run looks whether another event loop or node has cancelled it. */
const WATCH_MS = 1000
const GONE = new GatewayError('client_gone', { message: 'The response was cancelled.' })

type Status = 'queued' | 'in_progress' | 'failed' | 'cancelled'

export class BackgroundRun implements BackgroundAnswer {
  readonly #options: BackgroundRunOptions
  #streamId: string | null = null
  #hasBegun = false
  #handle: ExchangeHandle | null = null
  #isOver = false
  #onOver: () => void = () => undefined

  constructor(options: BackgroundRunOptions) {
    this.#options = options
  }

  get id(): string {
    return this.#options.members.id
  }

  get owner(): string {
    return this.#options.owner
  }

  /** The answer in this state, as text. */
  show(status: Status, error: ErrorData | null = null): Buffer {
    const { stored, members: own, model, createdSec, echo } = this.#options
    return Buffer.from(JSON.stringify(stored.encodeState({ own, model, createdSec, status, error }, echo)))
  }

  /** Stores it as one that waits; returns what failed. */
  accept(): GatewayError | null | Promise<GatewayError | null> {
    const { model, input, desk } = this.#options
    return desk.commit({ ...this.#state(this.show('queued'), 'running'), model, input })
  }

  /** Resolves when its exchange has settled. Never rejects. */
  async run(): Promise<void> {
    this.#options.room.release()
    // It may have been cancelled or deleted elsewhere while it waited.
    await this.#look()
    if (this.#isOver) return
    const over = new Promise<void>((resolve) => {
      this.#onOver = resolve
    })
    const watch = setInterval(() => void this.#look(), WATCH_MS)
    watch.unref()
    try {
      await this.#begin()
      if (this.#isOver) return
      this.#handle = this.#options.start(this.#own())
      await over
    } catch (thrown) {
      const error = toGatewayError(thrown)
      this.#options.refuse(error)
      await this.#fail(error.data)
    } finally {
      clearInterval(watch)
    }
  }

  /** False if it has ended already. */
  async cancel(): Promise<boolean> {
    if (this.#isOver) return false
    this.forget()
    await this.#advance(this.show('cancelled'))
    return true
  }

  /** Ends it, and leaves the store as it is. */
  forget(): void {
    if (this.#isOver) return
    this.#isOver = true
    const { room, stopStream, refuse } = this.#options
    room.release()
    stopStream()
    if (!this.#hasBegun) refuse(GONE)
    this.#handle?.cancel()
    this.#onOver()
  }

  #own(): OwnAnswer {
    const { members } = this.#options
    return {
      members,
      isPrivate: true,
      keep: (answer) => this.#keep(answer),
      began: (streamId) => {
        this.#streamId = streamId
        this.#hasBegun = true
        if (!this.#isOver) void this.#begin()
      },
      settled: (error) => void this.#settle(error),
    }
  }

  async #keep(answer: Uint8Array): Promise<GatewayError | null> {
    if (this.#isOver) return GONE
    this.#isOver = true
    const advanced = await this.#advance(answer)
    // Cancelled or deleted elsewhere.
    if (advanced === false) return GONE
    if (!(advanced instanceof GatewayError)) return null
    // Then it is over when the exchange has settled with that error.
    this.#isOver = false
    return advanced
  }

  async #settle(error: ErrorData | null): Promise<void> {
    if (error !== null) await this.#fail(error)
    this.#onOver()
  }

  async #fail(error: ErrorData): Promise<void> {
    if (this.#isOver) return
    this.#isOver = true
    await this.#advance(this.show('failed', error))
  }

  /** Cancelled or deleted elsewhere? */
  async #look(): Promise<void> {
    const { desk, stored } = this.#options
    try {
      const found = await desk.get(this.owner, this.id)
      if (found === null || stored.readState(found.response).isCancelled) this.forget()
    } catch {
      // While the store is unavailable, nobody can have cancelled it.
    }
  }

  /** Cancelled or deleted elsewhere, it goes no further. */
  async #begin(): Promise<void> {
    const { desk } = this.#options
    if ((await desk.advance(this.#state(this.show('in_progress'), 'running'))) === false) this.forget()
  }

  #advance(response: Uint8Array): Advanced | Promise<Advanced> {
    return this.#options.desk.advance(this.#state(response, 'over'))
  }

  #state(response: Uint8Array, phase: 'running' | 'over'): NextResponse {
    return { id: this.id, owner: this.#options.owner, phase, response, streamId: this.#streamId }
  }
}
