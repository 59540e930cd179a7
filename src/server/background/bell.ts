// Tells those who wait for the stream of an answer that it has begun, where it runs on their own event loop. It is a hint: those who wait
// look into the store as well, and find there what runs elsewhere.
import { type AnswerBell } from '../context.js'

export class Bell implements AnswerBell {
  readonly #waiting = new Map<string, Set<() => void>>()

  ring(id: string): void {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    for (const wake of waiting ?? []) wake()
  }

  wait(id: string, wake: () => void): () => void {
    const waiting = this.#waiting.get(id) ?? new Set()
    this.#waiting.set(id, waiting.add(wake))
    return () => {
      waiting.delete(wake)
      if (waiting.size === 0 && this.#waiting.get(id) === waiting) this.#waiting.delete(id)
    }
  }
}
