// The kept streams of one event loop: found by id and owner, forgotten when their retention is over or their memory is needed. It
// belongs to the loop, not to a configuration, so a reload keeps it.
//
//   open --> running --end--> ended, kept for keepMs --> forgotten
//                             '- no room for a new one: the oldest end goes first
import { type MessagePort } from 'node:worker_threads'
import { type FrameReader } from '../reader.js'
import { EndedList, type Link } from './ended-list.js'
import { type KeptRoom, KeptStream, STREAM_COST_BYTES, type Timers } from './kept-stream.js'
import { type PeerStreams } from './port-reader.js'
import { type AttachOptions, type KeptFacts, type ReadableLog, type ReaderHow } from './readable-log.js'
import { loopOf, StreamIds } from './stream-id.js'

/** Memory on the account of a key. */
export type KeptBudget = {
  /** Reserves up to `bytes` in total; returns whose limit forbids it, and then has changed nothing. */
  claim(bytes: number): 'gateway' | 'key' | null
  shrink(bytes: number): void
  release(): void
}

/** How a reader's time with a stream ended; `moved`: to another node; `gone`: what it asked for was no longer held. */
export type ReaderResult = 'delivered' | 'client_gone' | 'slow_reader' | 'upstream_cut' | 'moved' | 'gone'

/** What is counted. */
export type KeptCounters = {
  /** Streams held, running or ended. */
  keptStreams(change: 1 | -1): void
  /** A stream is not kept, for want of room. */
  streamNotKept(scope: 'gateway' | 'key'): void
  streamReader(how: ReaderHow, result: ReaderResult): void
}

export type KeptStreamsOptions = {
  readonly loopIndex: number
  readonly timers: Timers
  readonly counters: KeptCounters
  /** A new port to the streams of another event loop; null if there is no such loop. Absent: there is no other. */
  readonly connectLoop?: (loopIndex: number) => Promise<MessagePort | null>
}

/** Where kept streams are besides the memory of this event loop. */
export type Elsewhere = {
  /** A stream has been opened here, to be held for `keepMs` after its end. */
  opened(stream: KeptStream, keepMs: number): void
  /** The frames of an opened stream, none of which it has yet, will be those of another one with this id: they are held once. */
  copies(stream: KeptStream, originId: string): void
  /** A private stream is copied by one that others find. Idempotent. */
  storeOrigin(stream: KeptStream, keepMs: number): void
  /** A stream of others. @throws overloaded while that cannot be known */
  find(id: string, owner: string): Promise<ReadableLog | null>
  /** A stream that has ended is to be forgotten, everywhere. */
  cancelled(stream: KeptStream): void
  /** The reader in its place, which may be sent where the stream is as well. */
  movable(stream: KeptStream, reader: FrameReader, options: AttachOptions): FrameReader
  /** Others can serve the stream to its end, as long as it goes on here. */
  isShared(stream: KeptStream): boolean
  /** Sends away all readers that it may, now and as they come. */
  handOver(): void
  /** Resolves when all is stored and nothing is connected any more, about `timeoutMs` from now at the latest. */
  close(timeoutMs: number): Promise<void>
}

export type OpenOptions = {
  readonly graceMs: number
  /** How long it stays after its end. */
  readonly keepMs: number
  readonly maxStreamBytes: number
  readonly maxLagBytes: number
  /** Only requests of this process read it, so it is nowhere else. */
  readonly isPrivate?: boolean
  /** Empty; it belongs to the stream from here on. */
  readonly budget: KeptBudget
  /** Nobody has read it for `graceMs`, or it was cancelled: stop, and close it. */
  readonly onAbandoned: () => void
}

/** One object for what the registry knows of a stream and for the stream's memory: there are many, and they live long. */
class Entry implements KeptRoom {
  readonly stream: KeptStream
  readonly budget: KeptBudget
  readonly keepMs: number
  readonly #claim: Claim
  /** Its place among all that have ended, and among its owner's; then it is forgotten at `dueAtMs`. */
  inAll: Link<Entry> | null = null
  inOwn: Link<Entry> | null = null
  dueAtMs = 0
  /** It has given its memory back, and takes no more. */
  isForgotten = false

  constructor(claim: Claim, { budget, keepMs }: OpenOptions, open: (room: KeptRoom) => KeptStream) {
    this.#claim = claim
    this.budget = budget
    this.keepMs = keepMs
    this.stream = open(this)
  }

  claim(bytes: number): boolean {
    return !this.isForgotten && this.#claim(this.stream.facts.owner, this.budget, bytes) === null
  }

  shrink(bytes: number): void {
    this.budget.shrink(bytes)
  }
}

type Claim = (owner: string, budget: KeptBudget, bytes: number) => 'gateway' | 'key' | null

/** All kept streams of one event loop. */
export class KeptStreams {
  readonly #options: KeptStreamsOptions
  readonly #ids: StreamIds
  readonly #entries = new Map<string, Entry>()
  /** In the order of their ends: of all, and of each owner. */
  readonly #ended = new EndedList<Entry>()
  readonly #endedOf = new Map<string, EndedList<Entry>>()
  /** Other event loops by their index; null where there is none. */
  readonly #peers = new Map<number, Promise<PeerStreams | null>>()
  #elsewhere: Elsewhere | null = null
  /** The same for all streams. */
  readonly #onEnded = (stream: KeptStream): void => this.#noteEnd(stream)
  readonly #onCancelled = (stream: KeptStream): void => {
    this.forget(stream)
    this.#elsewhere?.cancelled(stream)
  }
  readonly #movable = (stream: KeptStream, reader: FrameReader, options: AttachOptions): FrameReader =>
    this.#elsewhere?.movable(stream, reader, options) ?? reader
  /** Ended streams that nobody reads make room: those of the owner where its own limit is the reason. */
  readonly #claim: Claim = (owner, budget, bytes) => {
    for (;;) {
      const refusal = budget.claim(bytes)
      if (refusal === null) return null
      const ended = refusal === 'key' ? this.#endedOf.get(owner) : this.#ended
      const oldest = ended?.find(({ stream }) => stream.readerCount === 0)
      if (oldest == null) return refusal
      this.forget(oldest.stream)
    }
  }
  #isTimerSet = false
  #isClosing = false

  constructor(options: KeptStreamsOptions) {
    this.#options = options
    this.#ids = new StreamIds(options.loopIndex)
  }

  /** Running and ended. */
  get size(): number {
    return this.#entries.size
  }

  get counters(): KeptCounters {
    return this.#options.counters
  }

  /** From now on its streams are there, too. */
  join(elsewhere: Elsewhere): void {
    this.#elsewhere = elsewhere
  }

  /** Keeps a stream from now on; null if there is no room, which is counted. */
  open(facts: Omit<KeptFacts, 'id'>, options: OpenOptions): KeptStream | null {
    const { counters } = this.#options
    const refusal = this.#claim(facts.owner, options.budget, STREAM_COST_BYTES)
    if (refusal !== null) {
      counters.streamNotKept(refusal)
      return null
    }
    const id = this.#ids.create()
    const entry = new Entry(this.#claim, options, (room) => this.#create(withId(facts, id), options, room))
    const { stream } = entry
    this.#entries.set(id, entry)
    counters.keptStreams(1)
    if (options.isPrivate !== true) this.#elsewhere?.opened(stream, options.keepMs)
    return stream
  }

  #create(facts: KeptFacts, options: OpenOptions, room: KeptRoom): KeptStream {
    return new KeptStream(facts, {
      graceMs: this.#isClosing && this.#elsewhere === null ? 0 : options.graceMs,
      maxStreamBytes: options.maxStreamBytes,
      maxLagBytes: options.maxLagBytes,
      room,
      timers: this.#options.timers,
      // Requests of this process read a private one; their own streams are what clients come back to.
      movable: options.isPrivate === true ? null : this.#movable,
      onAbandoned: options.onAbandoned,
      onEnded: this.#onEnded,
      onCancelled: this.#onCancelled,
    })
  }

  /** All frames of a stream that has none yet will be those of a private one of the same owner, on any loop of the process. */
  copies(stream: KeptStream, originId: string): void {
    const loopIndex = loopOf(originId)
    if (this.#elsewhere === null || loopIndex === null) return
    this.#elsewhere.copies(stream, originId)
    const { owner } = stream.facts
    if (loopIndex === this.#options.loopIndex) this.storeOrigin(originId, owner)
    else void this.#peerAt(loopIndex).then((peer) => peer?.send({ type: 'store', id: originId, owner }))
  }

  /** A private stream of this loop is copied by one that others find. */
  storeOrigin(id: string, owner: string): void {
    const entry = this.#entries.get(id)
    if (entry?.stream.facts.owner === owner) this.#elsewhere?.storeOrigin(entry.stream, entry.keepMs)
  }

  /** A stream of this loop. Null alike if there is none with this id and if it is not the owner's. */
  find(id: string, owner: string): KeptStream | null {
    const stream = this.#entries.get(id)?.stream ?? null
    return stream !== null && stream.facts.owner === owner ? stream : null
  }

  /** A stream wherever it lives. Null alike if there is none with this id and if it is not the owner's. */
  reach(id: string, owner: string): ReadableLog | null | Promise<ReadableLog | null> {
    const loopIndex = loopOf(id)
    if (loopIndex === null) return null
    const lookElsewhere = () => this.#elsewhere?.find(id, owner) ?? null
    if (loopIndex === this.#options.loopIndex) return this.find(id, owner) ?? lookElsewhere()
    // The index may be that of another node's loop.
    const looking = this.#peerAt(loopIndex).then((peer) => peer?.look(id, owner) ?? null)
    return looking.then((log) => log ?? lookElsewhere())
  }

  /** Another event loop reads streams of this one through the port. */
  accept(port: MessagePort): void {
    void import('./port-holder.js').then(({ holdStreams }) => holdStreams(port, this))
  }

  /** A stream that has ended was forgotten elsewhere. */
  drop(id: string): void {
    const stream = this.#entries.get(id)?.stream
    if (stream !== undefined && stream.streamEnd !== null) this.forget(stream)
  }

  /** Its readers go on; no other finds it. Idempotent. */
  forget(stream: KeptStream): void {
    const entry = this.#entries.get(stream.facts.id)
    if (entry?.stream !== stream) return
    this.#entries.delete(stream.facts.id)
    entry.isForgotten = true
    this.#leaveEnded(entry)
    entry.budget.release()
    this.#options.counters.keptStreams(-1)
  }

  /** Others can serve the stream to its end, as long as it goes on here. */
  isShared(stream: KeptStream): boolean {
    return this.#elsewhere?.isShared(stream) === true && !stream.hasFixedReader
  }

  /**
   * Nobody can come back to this process any more. Streams that others can serve go on for clients that come back there, to where its
   * readers are sent. Of all others those that nobody reads are abandoned now, the rest when they are left.
   */
  leave(): void {
    this.#isClosing = true
    for (const { stream } of [...this.#entries.values()]) {
      if (this.#elsewhere?.isShared(stream) !== true) stream.endGrace()
    }
    this.#elsewhere?.handOver()
  }

  /** Resolves when all that is to be stored elsewhere is, about `timeoutMs` from now at the latest. */
  async close(timeoutMs: number): Promise<void> {
    await this.#elsewhere?.close(timeoutMs)
  }

  /** Connected when it is first needed; never again to a loop that died, since the process ends then. */
  #peerAt(loopIndex: number): Promise<PeerStreams | null> {
    const known = this.#peers.get(loopIndex)
    if (known !== undefined) return known
    const connecting = this.#connect(loopIndex)
    this.#peers.set(loopIndex, connecting)
    return connecting
  }

  async #connect(loopIndex: number): Promise<PeerStreams | null> {
    const port = (await this.#options.connectLoop?.(loopIndex)) ?? null
    if (port === null) return null
    const { PeerStreams } = await import('./port-reader.js')
    return new PeerStreams(port)
  }

  #noteEnd(stream: KeptStream): void {
    const entry = this.#entries.get(stream.facts.id)
    if (entry === undefined) return
    // It failed before it said anything: there is nothing to come back for.
    if (stream.streamEnd?.error != null && stream.next === 0) {
      this.forget(stream)
      return
    }
    const { owner } = stream.facts
    const own = this.#endedOf.get(owner) ?? new EndedList<Entry>()
    this.#endedOf.set(owner, own)
    entry.dueAtMs = this.#options.timers.nowMs() + entry.keepMs
    entry.inAll = this.#ended.add(entry)
    entry.inOwn = own.add(entry)
    this.#setTimer()
  }

  #leaveEnded(entry: Entry): void {
    const { stream, inAll, inOwn } = entry
    if (inAll === null || inOwn === null) return
    // A stream that is still read holds its entry, but not those that ended after it.
    entry.inAll = null
    entry.inOwn = null
    this.#ended.remove(inAll)
    const { owner } = stream.facts
    const own = this.#endedOf.get(owner)
    own?.remove(inOwn)
    if (own?.oldest === null) this.#endedOf.delete(owner)
  }

  /** For the oldest end alone. After a reload with a shorter `keepMs` streams wait for those that ended before them. */
  #setTimer(): void {
    if (this.#isTimerSet) return
    const due = this.#ended.oldest
    if (due === null) return
    this.#isTimerSet = true
    const { timers } = this.#options
    timers.after(Math.max(0, due.dueAtMs - timers.nowMs()), () => this.#forgetDue())
  }

  #forgetDue(): void {
    this.#isTimerSet = false
    // A timer may fire a little early.
    const nowMs = this.#options.timers.nowMs() + 1
    for (;;) {
      const { oldest } = this.#ended
      if (oldest === null || oldest.dueAtMs > nowMs) break
      this.forget(oldest.stream)
    }
    this.#setTimer()
  }
}

/** Member by member: a spread of an object takes more than all else that a stream needs (V8 11.3). */
function withId(facts: Omit<KeptFacts, 'id'>, id: string): KeptFacts {
  const { owner, surfaceId, requestId, framing, contentType, headers, trace } = facts
  if (trace === undefined) return { id, owner, surfaceId, requestId, framing, contentType, headers }
  return { id, owner, surfaceId, requestId, framing, contentType, headers, trace }
}
