// The connections to one origin: undici's Clients, with one request at a time on each. Free ones are on a stack, so a request
// immediately finds the one used last; undici's own Pool walks all busy ones first (0.1 ms with 9,500 open streams). An aborted call
// closes its connection; undici's Pool would then open a new one without need.
//
//   dispatch -> free client > polled once more, or a new one, or a place in the queue          drain: free again, the queue first
//
// An HTTP/1.1 answer does not say which request it belongs to, so bytes that arrive without a request end their connection, and
// an upstream that has sent such bytes is not trusted with a second request on any connection for a while. undici reads a used
// connection before it writes, but in the same turn of the loop, which does not see what came since that turn began to poll:
// a request therefore waits until the poll phase is over, and undici's own wait is then a whole one.
import { type Dispatcher } from 'undici'
import errors from 'undici/lib/core/errors.js'
import Client from 'undici/lib/dispatcher/client.js'
import { isUnsolicited } from '../failure.js'
import { type PoolCounts, type PooledHandler, type UpstreamPool } from './upstream-pool.js'

export type ClientPoolOptions = {
  /** The maximum number of connections; further requests wait. Null: no maximum. */
  readonly maxConnections: number | null
  /** A connection may carry a further request after its first. */
  readonly reusesConnections: boolean
  readonly client: Client.Options
  /** A connection was just made; its first request goes out in the same tick. */
  readonly onConnect: () => void
  /** The upstream has sent unsolicited bytes; called once for each period of distrust. */
  readonly onUnsolicited: () => void
}

type Waiting = { readonly options: Dispatcher.DispatchOptions; readonly handler: PooledHandler }

/** One client and its state. */
type Member = {
  readonly client: Client
  readonly pool: ClientPool
  /** The handler of its current request; null while it is free. */
  handler: PooledHandler | null
  /** The owner of its last request. */
  owner: unknown
  /** The request to send once the poll phase is over. */
  due: Dispatcher.DispatchOptions | null
  isConnected: boolean
  /** Its index on its owner's stack of free members; -1 if not on it. */
  freeAt: number
}

const MEMBER = Symbol('member')
type PooledClient = Client & { [MEMBER]: Member }

/**
 * How long an upstream that sent unsolicited bytes gets a new connection for each request. What makes it send them (a desynchronised
 * proxy, a restart) lasts longer than one answer; a stray that a server sends as it closes an idle connection costs a minute of handshakes.
 */
const DISTRUST_MS = 60_000

export class ClientPool implements UpstreamPool {
  readonly #origin: string
  readonly #options: ClientPoolOptions
  readonly #members = new Set<Member>()
  /** Free members by owner; an owner without any has no entry. */
  readonly #free = new Map<unknown, Member[]>()
  #freeCount = 0
  /** Members with a request that is due. */
  readonly #due: Member[] = []
  /** Called whenever a member or a repeat has ended. */
  readonly #onRemoved: (() => void)[] = []
  /** In order of arrival; a map, so that an aborted request is removed at once, with its body. */
  readonly #waiting = new Map<PooledHandler, Dispatcher.DispatchOptions>()
  /** Requests that are about to be sent again. */
  #repeats = 0
  /** performance.now() until which no connection is reused; 0 as long as the upstream has given no reason. */
  #distrustedUntilMs = 0
  #isClosed = false
  #isDestroyed = false

  constructor(origin: string, options: ClientPoolOptions) {
    this.#origin = origin
    this.#options = options
  }

  /** Requests that have a client, on the wire or on their way to it. */
  get busy(): number {
    return this.#members.size - this.#freeCount
  }

  /** The number of open connections, and of those with a request. Walks all of them: for a scrape. */
  stats(): PoolCounts {
    let [open, busy] = [0, 0]
    for (const { isConnected, handler } of this.#members) {
      if (!isConnected) continue
      open += 1
      if (handler !== null) busy += 1
    }
    return { open, busy }
  }

  /** Sends the request when there is a connection for it. Never throws: errors reach the handler. */
  dispatch(options: Dispatcher.DispatchOptions, handler: PooledHandler): void {
    if (this.#isClosed) handler.onResponseError(null, new errors.ClientClosedError())
    else this.#place(options, handler)
  }

  /**
   * Sends a request again that a stale connection has lost, a turn of the loop later: by then other connections closed by the
   * same restart have been removed. A closing pool still serves it.
   */
  dispatchAgain(options: Dispatcher.DispatchOptions, handler: PooledHandler): void {
    this.#repeats += 1
    setImmediate(() => {
      this.#repeats -= 1
      if (this.#isDestroyed) handler.onResponseError(null, new errors.ClientDestroyedError())
      else if (!handler.isOver) this.#place(options, handler)
      this.#tellRemoved()
    })
  }

  /** The request was aborted: removes it if it waits. */
  forget(handler: PooledHandler): void {
    this.#waiting.delete(handler)
  }

  /** Takes no new request; resolves when the last one, waiting ones included, is done. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#dropFree()
    while (this.#members.size + this.#repeats > 0) await new Promise<void>((resolve) => this.#onRemoved.push(resolve))
  }

  /** Ends all requests, and those that wait, with an error. */
  async destroy(): Promise<void> {
    this.#isClosed = true
    this.#isDestroyed = true
    const waiting = [...this.#waiting.keys()]
    this.#waiting.clear()
    for (const handler of waiting) handler.onResponseError(null, new errors.ClientDestroyedError())
    await Promise.all([...this.#members].map((member) => this.#remove(member)))
  }

  #place(options: Dispatcher.DispatchOptions, handler: PooledHandler): void {
    const { maxConnections } = this.#options
    const member = this.#takeFree(handler.owner)
    if (member !== null) this.#sendSoon(member, options, handler)
    else if (maxConnections === null || this.#members.size < maxConnections) this.#send(this.#open(), options, handler)
    else this.#wait(options, handler)
  }

  #takeFree(owner: unknown): Member | null {
    const stack = this.#free.get(owner)
    const member = stack?.at(-1)
    if (member === undefined) return null
    this.#unfree(member)
    return member
  }

  /** All connections are in use or free only for other owners: one of the latter is closed to make room. */
  #wait(options: Dispatcher.DispatchOptions, handler: PooledHandler): void {
    this.#waiting.set(handler, options)
    for (const [oldest] of this.#free.values()) {
      if (oldest !== undefined) void this.#remove(oldest)
      return
    }
  }

  /** The first waiting request that is not aborted. */
  #takeWaiting(): Waiting | null {
    for (const [handler, options] of this.#waiting) {
      this.#waiting.delete(handler)
      if (!handler.isOver) return { handler, options }
    }
    return null
  }

  /** One immediate for all requests of a turn. */
  #sendSoon(member: Member, options: Dispatcher.DispatchOptions, handler: PooledHandler): void {
    member.handler = handler
    member.owner = handler.owner
    member.due = options
    if (this.#due.push(member) === 1) setImmediate(this.#sendDue)
  }

  readonly #sendDue = (): void => {
    for (const member of this.#due.splice(0)) {
      const { handler, due } = member
      member.due = null
      if (handler === null || due === null) continue
      if (this.#isDestroyed) handler.onResponseError(null, new errors.ClientDestroyedError())
      else if (handler.isOver) this.#release(member)
      else if (this.#isUsable(member)) this.#send(member, due, handler)
      else {
        void this.#remove(member)
        this.#place(due, handler)
      }
    }
  }

  /** Its connection may have ended meanwhile, which costs nothing, or is no longer trusted. */
  #isUsable(member: Member): boolean {
    return this.#members.has(member) && (!member.isConnected || this.#mayReuse())
  }

  #send(member: Member, options: Dispatcher.DispatchOptions, handler: PooledHandler): void {
    if (!this.#give(member, options, handler)) this.#release(member)
  }

  /** False: the client rejected the request as invalid, has not started it, and reports nothing. */
  #give(member: Member, options: Dispatcher.DispatchOptions, handler: PooledHandler): boolean {
    member.handler = handler
    member.owner = handler.owner
    const { client } = member
    const sent = this.#sendable(options)
    // Dropped before it was sent: whether the client will report that with a `drain` is unknown, so it is removed.
    if (client.dispatch(sent, handler)) void this.#remove(member)
    else return client.stats.size > 0
    return true
  }

  /** `reset` makes undici ask the upstream to close as well. */
  #sendable(options: Dispatcher.DispatchOptions): Dispatcher.DispatchOptions {
    const body: unknown = options.body
    const isReused = this.#mayReuse()
    if (!Array.isArray(body)) return isReused ? options : { ...options, reset: true }
    const once = giveOnce(body as readonly Uint8Array[]) as unknown as Uint8Array
    return isReused ? { ...options, body: once } : { ...options, body: once, reset: true }
  }

  #open(): Member {
    const client = new Client(this.#origin, this.#options.client) as PooledClient
    const member: Member = { client, pool: this, handler: null, owner: null, due: null, isConnected: false, freeAt: -1 }
    client[MEMBER] = member
    this.#members.add(member)
    client.on('connect', this.#onConnect)
    client.on('disconnect', this.#onDisconnect)
    client.on('connectionError', this.#onConnectionError)
    client.on('drain', this.#onDrain)
    return member
  }

  // One of each for all connections: closures would be 300 bytes of each one.
  readonly #onConnect = function (this: PooledClient): void {
    const member = this[MEMBER]
    member.isConnected = true
    member.pool.#options.onConnect()
  }

  readonly #onDisconnect = function (this: PooledClient, _origin: unknown, _targets: unknown, error: Error): void {
    const member = this[MEMBER]
    const { pool } = member
    member.isConnected = false
    if (isUnsolicited(error)) pool.#distrust()
    // One that has just lost its request stays, without a connection: on top of the stack, so that the repeat gets a new
    // one and not the next that is stale.
    // A request that was not sent yet, and is still wanted, gets another connection from the client itself.
    if (member.handler === null || member.handler.isOver) void pool.#remove(member)
  }

  readonly #onConnectionError = function (this: PooledClient): void {
    void this[MEMBER].pool.#remove(this[MEMBER])
  }

  readonly #onDrain = function (this: PooledClient): void {
    this[MEMBER].pool.#release(this[MEMBER])
  }

  /** Its request has ended: it takes the next one, or becomes free. */
  #release(member: Member): void {
    while (this.#members.has(member) && member.freeAt < 0) {
      member.handler = null
      if (!this.#mayGoOn(member)) {
        void this.#remove(member)
        return
      }
      const next = this.#takeWaiting()
      if (next === null) this.#setFree(member)
      else if (this.#give(member, next.options, next.handler)) return
    }
  }

  /** A member without a connection gets a new one, which any owner may use. */
  #mayGoOn(member: Member): boolean {
    for (const handler of this.#waiting.keys()) {
      if (!handler.isOver) return !member.isConnected || (this.#mayReuse() && handler.owner === member.owner)
    }
    return !this.#isClosed && (!member.isConnected || this.#mayReuse())
  }

  #mayReuse(): boolean {
    if (!this.#options.reusesConnections) return false
    return this.#distrustedUntilMs === 0 || this.#distrustedUntilMs <= performance.now()
  }

  /** Other connections may be desynchronised as well: each ends with its current request. */
  #distrust(): void {
    const isNew = this.#mayReuse()
    this.#distrustedUntilMs = performance.now() + DISTRUST_MS
    this.#dropFree()
    if (isNew) this.#options.onUnsolicited()
  }

  /** Its connection is closed or will be. The first waiting request gets another one. */
  #remove(member: Member): Promise<void> {
    if (!this.#members.delete(member)) return Promise.resolve()
    this.#unfree(member)
    const next = this.#takeWaiting()
    if (next !== null) this.#send(this.#open(), next.options, next.handler)
    this.#tellRemoved()
    return member.client.destroy()
  }

  #tellRemoved(): void {
    for (const tell of this.#onRemoved.splice(0)) tell()
  }

  #dropFree(): void {
    for (const member of [...this.#free.values()].flat()) void this.#remove(member)
  }

  #setFree(member: Member): void {
    let stack = this.#free.get(member.owner)
    if (stack === undefined) {
      stack = []
      this.#free.set(member.owner, stack)
    }
    member.freeAt = stack.length
    stack.push(member)
    this.#freeCount += 1
  }

  /** The last one takes its place. */
  #unfree(member: Member): void {
    const at = member.freeAt
    const stack = this.#free.get(member.owner)
    if (at < 0 || stack === undefined) return
    member.freeAt = -1
    this.#freeCount -= 1
    const last = stack.pop()
    if (stack.length === 0) this.#free.delete(member.owner)
    if (last === undefined || last === member) return
    stack[at] = last
    last.freeAt = at
  }
}

/** A body that is gone once it is sent: undici holds it until the answer is over, and with it each open stream would hold its prompt. */
function giveOnce(pieces: readonly Uint8Array[]): Iterable<Uint8Array> {
  const left = [...pieces]
  return {
    *[Symbol.iterator]() {
      yield* left.splice(0)
    },
  }
}
