// All event loops of the process together, as the admin API asks them. A loop that does not answer is named, and the others are shown.
import { GatewayError } from '../../errors.js'
import { type KeptBody } from '../../telemetry/recent/kept-bodies.js'
import {
  type AdminLoop,
  type LoopCalls,
  loopOfStream,
  type RequestEntry,
  type StreamEntry,
  type WatchedStream,
} from './loop-calls.js'

export type AllLoopsOptions = {
  readonly own: AdminLoop
  /** Event loops of the process; the own one is 0. */
  readonly threads: number
  readonly seed: string
  /** Another event loop; null while it does not listen yet. */
  readonly connect: (loopIndex: number) => Promise<AdminLoop | null>
}

/** What all loops answered, and those that did not. */
export type Gathered<T> = { readonly answers: readonly T[]; readonly silent: readonly number[] }

export class AllLoops {
  readonly #options: AllLoopsOptions
  readonly #others = new Map<number, Promise<AdminLoop | null>>()

  constructor(options: AllLoopsOptions) {
    this.#options = options
  }

  /** Asks all of them at once. */
  async ask<Name extends keyof LoopCalls>(
    name: Name,
    args: Parameters<LoopCalls[Name]>,
  ): Promise<Gathered<ReturnType<LoopCalls[Name]>>> {
    const indexes = Array.from({ length: this.#options.threads }, (_, index) => index)
    const results = await Promise.allSettled(
      indexes.map(async (index) => {
        const loop = await this.#at(index)
        return loop === null ? null : { value: await loop.call(name, args) }
      }),
    )
    const answers: ReturnType<LoopCalls[Name]>[] = []
    const silent: number[] = []
    for (const [index, result] of results.entries()) {
      if (result.status === 'rejected') silent.push(index)
      else if (result.value !== null) answers.push(result.value.value)
    }
    return { answers, silent }
  }

  /** The oldest first. */
  async streams(): Promise<Gathered<StreamEntry>> {
    const { answers, silent } = await this.ask('streams', [])
    return { answers: answers.flat().sort((a, b) => b.ageMs - a.ageMs), silent }
  }

  /** The newest first. */
  async requests(...args: Parameters<LoopCalls['requests']>): Promise<Gathered<RequestEntry>> {
    const { answers, silent } = await this.ask('requests', args)
    const [, limit] = args
    const newest = answers.flat().sort((a, b) => b.atMs - a.atMs)
    return { answers: newest.slice(0, limit), silent }
  }

  /** Of the loop that has it. @throws not_found */
  async body(requestId: string): Promise<KeptBody> {
    const { answers } = await this.ask('body', [requestId])
    const found = answers.find((body) => body !== null)
    if (found) return found
    throw new GatewayError('not_found', { message: 'The body of no such request is kept (admin.maxKeptBytes).' })
  }

  /** @returns the entry as it was. @throws not_found, overloaded */
  async cancel(id: string, by: string): Promise<StreamEntry> {
    const entry = await (await this.#holderOf(id)).call('cancel', [id, by])
    if (entry === null) throw unknownStream()
    return entry
  }

  /** @throws not_found, overloaded */
  async watch(id: string, onReadable: () => void): Promise<WatchedStream> {
    const watched = await (await this.#holderOf(id)).watch(id, onReadable)
    if (watched === null) throw unknownStream()
    return watched
  }

  /** On all loops. @throws overloaded if one did not answer; the others have it then */
  async pause(providers: readonly string[]): Promise<void> {
    const { silent } = await this.ask('pause', [providers])
    if (silent.length === 0) return
    throw new GatewayError('overloaded', {
      message: `Event loop ${silent.join(', ')} did not answer; the others have taken the change. Send it again.`,
      retryAfterMs: 1000,
    })
  }

  async #holderOf(id: string): Promise<AdminLoop> {
    const { seed, threads } = this.#options
    const index = loopOfStream(id, seed)
    const loop = index === null || index >= threads ? null : await this.#at(index)
    if (loop === null) throw unknownStream()
    return loop
  }

  async #at(index: number): Promise<AdminLoop | null> {
    const { own, connect } = this.#options
    if (index === 0) return own
    const known = this.#others.get(index) ?? connect(index)
    this.#others.set(index, known)
    const loop = await known.catch(() => null)
    // It may listen the next time.
    if (loop === null) this.#others.delete(index)
    return loop
  }
}

function unknownStream(): GatewayError {
  return new GatewayError('not_found', { message: 'No such open stream.' })
}
