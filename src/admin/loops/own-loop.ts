// What one event loop shows and does for the admin API: its open exchanges, its last requests, its providers. An exchange gets its id
// when somebody first looks at it, so that those that nobody looks at cost nothing.
import { type JsonObject } from '../../model/json.js'
import { cancelBy, factsOf, type OperatorExchange, Watch } from '../../pipeline/outside-view.js'
import { type KeptBodies } from '../../telemetry/recent/kept-bodies.js'
import { type ProviderAttempts } from '../../telemetry/recent/provider-attempts.js'
import { type RecentRequest, type RecentRequests } from '../../telemetry/recent/recent-requests.js'
import { type AdminLoop, type LoopCalls, type StreamEntry, streamId, type WatchedStream } from './loop-calls.js'

export type OwnLoopOptions = {
  readonly loopIndex: number
  /** Of this process: part of the ids of streams. */
  readonly seed: string
  /** Of all pipelines of the loop. */
  readonly listOpen: () => readonly OperatorExchange[]
  readonly recent: Pick<RecentRequests, 'find'>
  readonly bodies: Pick<KeptBodies, 'find'>
  readonly attempts: Pick<ProviderAttempts, 'windows'>
  readonly pause: (providers: readonly string[]) => void
  /** The members of a request's log line, without any secret. */
  readonly lineOf: (request: RecentRequest) => JsonObject
}

export class OwnLoop implements AdminLoop {
  readonly #options: OwnLoopOptions
  readonly #ids = new WeakMap<OperatorExchange, string>()
  #count = 0
  readonly #calls: LoopCalls

  constructor(options: OwnLoopOptions) {
    const { recent, bodies, attempts, pause, lineOf, loopIndex: loop } = options
    this.#options = options
    this.#calls = {
      streams: () => this.#streams(),
      cancel: (id, by) => this.#cancel(id, by),
      requests: (filter, limit) =>
        recent.find(filter, limit).map((each) => {
          const hasBody = bodies.find(each.record.requestId) !== null
          return { atMs: each.atMs, loop, line: lineOf(each), hasBody }
        }),
      body: (requestId) => bodies.find(requestId),
      providers: () => attempts.windows(),
      pause(providers) {
        pause(providers)
        return null
      },
    }
  }

  async call<Name extends keyof LoopCalls>(
    name: Name,
    args: Parameters<LoopCalls[Name]>,
  ): Promise<ReturnType<LoopCalls[Name]>> {
    const call = this.#calls[name] as (...given: Parameters<LoopCalls[Name]>) => ReturnType<LoopCalls[Name]>
    return call(...args)
  }

  async watch(id: string, onReadable: () => void): Promise<WatchedStream | null> {
    return this.watchNow(id, onReadable)
  }

  /** The same at once. */
  watchNow(id: string, onReadable: () => void): WatchedStream | null {
    const exchange = this.#find(id)
    if (exchange === null) return null
    const entry = this.#entryOf(exchange)
    const watch = new Watch(exchange, onReadable)
    return {
      entry,
      get isCut() {
        return watch.isCut
      },
      get end() {
        return watch.end
      },
      read: () => watch.read(),
      detach: () => watch.detach(),
    }
  }

  #streams(): StreamEntry[] {
    const open = this.#options.listOpen().filter(({ isSettled }) => !isSettled)
    const oldestFirst = [...open].sort((a, b) => a.request.acceptedAtMs - b.request.acceptedAtMs)
    let waiting = 0
    return oldestFirst.map((exchange) => {
      const entry = this.#entryOf(exchange)
      if (entry.state !== 'waiting') return entry
      waiting += 1
      return { ...entry, position: waiting }
    })
  }

  #cancel(id: string, by: string): StreamEntry | null {
    const exchange = this.#find(id)
    if (exchange === null) return null
    const entry = this.#entryOf(exchange)
    return cancelBy(exchange, by) ? entry : null
  }

  #find(id: string): OperatorExchange | null {
    return this.#options.listOpen().find((exchange) => this.#ids.get(exchange) === id) ?? null
  }

  #entryOf(exchange: OperatorExchange): StreamEntry {
    const { loopIndex, seed } = this.#options
    let id = this.#ids.get(exchange)
    if (id === undefined) {
      this.#count += 1
      id = streamId(loopIndex, seed, this.#count)
      this.#ids.set(exchange, id)
    }
    return { id, loop: loopIndex, ...factsOf(exchange), position: null }
  }
}
