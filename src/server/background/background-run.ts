// A run without its client that lives as long as this process: it waits for its turn in memory, and fails when its exchange does.
import { type BackgroundAnswer } from '../context.js'
import { type AnswerRun } from './answer-run.js'

/** How often a run looks whether another event loop has cancelled it. */
const WATCH_MS = 1000

export class BackgroundRun implements BackgroundAnswer {
  readonly #run: AnswerRun
  readonly #room: { release(): void }

  /** `room`: memory for its request, as long as it waits. */
  constructor(run: AnswerRun, room: { release(): void }) {
    this.#run = run
    this.#room = room
  }

  get id(): string {
    return this.#run.id
  }

  get owner(): string {
    return this.#run.owner
  }

  async run(): Promise<void> {
    this.#room.release()
    const watch = setInterval(() => void this.#run.look(), WATCH_MS)
    watch.unref()
    const error = await this.#run.run()
    clearInterval(watch)
    if (error !== null) await this.#run.fail(error)
  }

  async cancel(): Promise<boolean> {
    if (this.#run.isOver) return false
    this.forget()
    await this.#run.cancel()
    return true
  }

  forget(): void {
    this.#room.release()
    this.#run.stop()
  }
}
