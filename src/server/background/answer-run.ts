// One run of an answer that has no client: an exchange of the pipeline whose answer goes to the store, under an id that a client has. The
// store shows how far it is, and the first end counts: complete, failed, cancelled or deleted, here or elsewhere.
//
//   queued --run--> in_progress --> completed | incomplete          failed: the caller of `run` decides what becomes of it
//      '---------------'-------- stop, or ended elsewhere
import { GatewayError, toGatewayError } from '../../errors.js'
import { type ErrorData } from '../../model/error.js'
import { type ExchangeHandle, type OwnAnswer } from '../../pipeline/client.js'
import { type OwnMembers, type StoredAnswers } from '../../protocols/contract/stored.js'
import { type Advanced, type NewResponse, type NextResponse, type ResponseDesk } from '../../responses/response-desk.js'

export type AnswerRunOptions = {
  /** As it was stored when it was accepted. Its phase is kept until a client can have had an event of it: then it ends with this process. */
  readonly record: NewResponse
  readonly members: OwnMembers
  readonly stored: StoredAnswers
  readonly desk: ResponseDesk
  /** Starts the exchange. May throw. */
  readonly start: (own: OwnAnswer) => ExchangeHandle
  /** Stops an exchange whose stream has begun. */
  readonly stopStream: () => void
  /** The store has been told how far it is. */
  readonly onChange: () => void
}

export const CANCELLED = new GatewayError('client_gone', { message: 'The response was cancelled.' })

/** The store may be back by then. */
const AWAY_RETRY_AFTER_MS = 1000

/** The error for a run that has not begun since its store cannot be had: nothing is lost if it begins later. */
export function storeAway(cause: unknown): GatewayError {
  const { message } = toGatewayError(cause)
  return new GatewayError('overloaded', { message, retryAfterMs: AWAY_RETRY_AFTER_MS, cause })
}

export class AnswerRun {
  readonly #options: AnswerRunOptions
  #streamId: string | null = null
  #handle: ExchangeHandle | null = null
  #isOver = false
  #end: (error: ErrorData | null) => void = () => undefined

  constructor(options: AnswerRunOptions) {
    this.#options = options
  }

  get id(): string {
    return this.#options.record.id
  }

  get owner(): string {
    return this.#options.record.owner
  }

  /** It has ended, here or elsewhere. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** Resolves when it is over, with null, or with the error of a run that failed, which is not stored yet. Never rejects. */
  async run(): Promise<ErrorData | null> {
    try {
      const begun = await this.#showProgress()
      if (this.#isOver) return null
      if (begun instanceof GatewayError) return storeAway(begun).data
      const ended = new Promise<ErrorData | null>((resolve) => {
        this.#end = resolve
      })
      this.#handle = this.#options.start(this.#own())
      return await ended
    } catch (thrown) {
      return toGatewayError(thrown).data
    }
  }

  /** Ends its exchange, and leaves the store as it is. */
  stop(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#options.stopStream()
    this.#handle?.cancel()
    this.#end(null)
  }

  /** Stores why it failed, unless it has ended. Never rejects. */
  fail(error: ErrorData): Promise<Advanced> {
    this.#isOver = true
    const { record, stored } = this.#options
    return this.#advance('over', stored.withStatus(record.response, 'failed', error))
  }

  /** The same for one that was cancelled. */
  cancel(): Promise<Advanced> {
    const { record, stored } = this.#options
    return this.#advance('over', stored.withCancelled(record.response))
  }

  /** Has it ended elsewhere? Then this stops it. */
  async look(): Promise<void> {
    try {
      const found = await this.#options.desk.get(this.owner, this.id)
      if (found === null || found.phase === 'over') this.stop()
    } catch {
      // While the store is unavailable, nobody can have ended it.
    }
  }

  #own(): OwnAnswer {
    const { members } = this.#options
    return {
      members,
      isPrivate: true,
      keep: (answer) => this.#keep(answer),
      began: (streamId) => {
        this.#streamId = streamId
        void this.#showProgress()
      },
      settled: (error) => this.#end(this.#isOver ? null : error),
    }
  }

  async #keep(answer: Uint8Array): Promise<GatewayError | null> {
    if (this.#isOver) return CANCELLED
    const advanced = await this.#advance('over', answer)
    if (advanced instanceof GatewayError) return advanced
    this.#isOver = true
    // Ended elsewhere before.
    return advanced === false ? CANCELLED : null
  }

  /** Ended elsewhere, it goes no further. */
  async #showProgress(): Promise<Advanced> {
    if (this.#isOver) return false
    const { record, stored } = this.#options
    const phase = this.#streamId === null ? record.phase : 'running'
    const advanced = await this.#advance(phase, stored.withStatus(record.response, 'in_progress'))
    if (advanced === false) this.stop()
    return advanced
  }

  async #advance(phase: NextResponse['phase'], response: Uint8Array): Promise<Advanced> {
    const { desk, onChange } = this.#options
    const advanced = await desk.advance({ id: this.id, owner: this.owner, phase, response, streamId: this.#streamId })
    onChange()
    return advanced
  }
}
