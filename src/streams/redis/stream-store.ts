// Kept streams in Redis, for one event loop: the logs that it writes, and readers of those that others write. Its node in Redis is
// alive while it renews its lease; whoever reads a log without an end whose node is dead closes it, so that no reader waits for ever.
//
//   KeptStream --frames--> StreamWriter --AppendQueue--> Redis --doorbell--> StoredReaders --> StoredReader --> a client elsewhere
//
// While Redis is unavailable nothing waits for it but readers of other nodes' streams: streams of this loop continue from memory.
import { randomUUID } from 'node:crypto'
import { GatewayError } from '../../errors.js'
import { RedisLink } from '../../redis/link.js'
import { type AttachOptions, type KeptFacts } from '../kept/readable-log.js'
import { type FrameReader } from '../reader.js'
import { AppendQueue } from './append-queue.js'
import { END_OF_CANCELLED, END_OF_LOST_WRITER } from './stored-end.js'
import { StoredLog } from './stored-log.js'
import { type Page } from './stored-reader.js'
import { StoredReaders } from './stored-readers.js'
import {
  appendArgs,
  readAppended,
  readPages,
  readStreamScripts,
  STREAM_PREFIX,
  type StreamScript,
} from './stream-scripts.js'
import { type Batch, StreamWriter, type WriterOptions } from './stream-writer.js'

/** A node that has not renewed its lease for this long is dead; one that has not renewed an attachment has no readers there. */
const LEASE_MS = 6000
const BEATS_PER_LEASE = 6
/** How long an open log is held whose writer gives no sign, and how often an idle one gives it. */
const OPEN_TTL_MS = 600_000
const BEATS_PER_SIGN = 60
/** Shorter than a lease, and longer than a busy machine takes. */
const CALL_TIMEOUT_MS = 3000
/** A page of a reader: so many batches of at most 16 KiB, unless a frame is larger. */
const PAGE_BATCHES = 16
const RETRY_AFTER_MS = 1000
/** Redis answered, but not with what was asked for, for lack of memory or disk. */
const REFUSAL = /^(?:OOM|MISCONF)\b/

export type StreamStoreOptions = {
  readonly url: string
  readonly onState: (isUp: boolean, cause: unknown) => void
  readonly onCall: (seconds: number, isOk: boolean) => void
  /** Redis refuses to store streams, and why; null: it stores them again. */
  readonly onRefusal: (reason: string | null) => void
  /** A stream of this node that has ended was deleted by another one. */
  readonly onForgotten?: (id: string) => void
  readonly nowMs: () => number
  /** A reader's client gets a keepalive after so long without a frame. */
  readonly keepaliveMs: () => number
  /** Puts a reader whose client can come back under the control of those who may send it away. */
  readonly movable: (reader: FrameReader, options: AttachOptions) => FrameReader
  /** For tests: several stores in one Redis, and leases that are over sooner. */
  readonly prefix?: string
  readonly leaseMs?: number
}

export class StreamStore {
  readonly node: string = randomUUID()
  readonly #options: StreamStoreOptions
  readonly #prefix: string
  readonly #leaseMs: number
  readonly #link: RedisLink<StreamScript>
  readonly #queue: AppendQueue
  readonly #readers: StoredReaders
  readonly #writers = new Map<string, StreamWriter>()
  #refusal: string | null = null
  #upSinceMs = 0
  #beats = 0
  #beat: NodeJS.Timeout | null = null

  constructor(options: StreamStoreOptions) {
    const { url, onCall, nowMs } = options
    this.#options = options
    this.#prefix = options.prefix ?? STREAM_PREFIX
    this.#leaseMs = options.leaseMs ?? LEASE_MS
    this.#link = new RedisLink<StreamScript>({
      ...{ url, scripts: readStreamScripts(), isBinary: true, onCall, callTimeoutMs: CALL_TIMEOUT_MS },
      register: () => this.#sayAlive(),
      onState: (isUp, cause) => this.#onState(isUp, cause),
      isRefusal: (error) => error instanceof Error && REFUSAL.test(error.message),
    })
    const isUp = (): boolean => this.#link.isUp
    this.#queue = new AppendQueue({
      isUp,
      send: (batches) => this.#append(batches),
      onRefusal: (reason) => this.#onRefusal(reason),
    })
    this.#readers = new StoredReaders({
      ...{ isUp, nowMs, leaseMs: this.#leaseMs, keepaliveMs: options.keepaliveMs, read: (wants) => this.#read(wants) },
      attach: (ids) => this.#tell('attach', [this.node, this.#leaseMs, ...ids]),
      detach: (id) => this.#tell('detach', [this.node, id]),
    })
  }

  get isUp(): boolean {
    return this.#link.isUp
  }

  /** Connects; resolves within a second, with or without Redis. */
  async start(): Promise<void> {
    this.#link.listen(
      `${this.#prefix}to:${this.node}`,
      (message) => this.#hear(message),
      // What was published before was missed.
      () => this.#readers.poll(false),
    )
    await this.#link.start()
    this.#beat = setInterval(() => this.#onBeat(), this.#leaseMs / BEATS_PER_LEASE)
    this.#beat.unref()
  }

  /** Begins to store a stream; Redis is told of it in the next turn. */
  write(options: WriterOptions): StreamWriter {
    const writer = new StreamWriter(options, {
      mark: (each) => this.#queue.mark(each),
      hurry: () => this.#queue.hurry(),
      forget: (each) => {
        this.#writers.delete(each.id)
        this.#queue.forget(each)
      },
    })
    this.#writers.set(writer.id, writer)
    writer.mark()
    this.#queue.hurry()
    return writer
  }

  /**
   * The log of a stream, whichever node writes it; null if there is none, or it is another owner's.
   * @throws overloaded while that cannot be known
   */
  async find(id: string, owner: string): Promise<StoredLog | null> {
    const reply = await this.#ask('find', [id, this.#mayClose(), END_OF_LOST_WRITER])
    const log = reply === null ? null : this.#logOf(reply as readonly Buffer[])
    // One that failed before it said anything is forgotten by its node, too.
    const isThere = log !== null && (log.next > 0 || log.streamEnd?.error == null)
    if (isThere && log.facts.owner === owner) return log
    // Its writer may still have to store it again.
    if (this.#mayClose() === 0) throw unavailable(new Error('connected a moment ago'))
    return null
  }

  /** Cancels an open stream through its writer, and deletes one that has ended: without Redis when its time is over. */
  forget(id: string): void {
    this.#tell('cancel', [id, END_OF_CANCELLED])
  }

  /** Resolves when Redis has everything of the streams that have ended, or will not have it, and at the latest after `timeoutMs`. */
  async flush(timeoutMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const patience = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs)
    })
    await Promise.race([this.#queue.empty(), patience])
    clearTimeout(timer)
  }

  /** Ends the connections. What is not stored by now never is. */
  close(): void {
    if (this.#beat !== null) clearInterval(this.#beat)
    this.#queue.close()
    this.#link.close()
  }

  #onState(isUp: boolean, cause: unknown): void {
    if (isUp) {
      this.#upSinceMs = this.#options.nowMs()
      for (const writer of this.#writers.values()) writer.mark()
      this.#queue.resume()
      this.#readers.poll(true)
    }
    this.#options.onState(isUp, cause)
  }

  #onRefusal(reason: string | null): void {
    if (reason === this.#refusal) return
    this.#refusal = reason
    this.#options.onRefusal(reason)
  }

  #onBeat(): void {
    const nowMs = this.#options.nowMs()
    for (const writer of [...this.#writers.values()]) {
      writer.remote.sweep(nowMs)
      writer.beat()
    }
    this.#readers.beat()
    if (!this.#link.isUp) return
    this.#sayAlive().catch(ignore)
    this.#beats += 1
    if (this.#beats % BEATS_PER_SIGN === 0) for (const writer of this.#writers.values()) writer.mark()
  }

  async #sayAlive(): Promise<void> {
    await this.#run('beat', [this.node, this.#leaseMs])
  }

  /** A dead node's logs are closed by those that have seen Redis for a lease: before, it may not have been there for the node either. */
  #mayClose(): 0 | 1 {
    return this.#link.isUp && this.#options.nowMs() - this.#upSinceMs >= this.#leaseMs ? 1 : 0
  }

  #hear(message: string): void {
    const [kind, ...words] = message.split(' ')
    const id = words.at(-1) ?? ''
    if (kind === 'more') this.#readers.ring(id)
    else if (kind === 'forget') this.#options.onForgotten?.(id)
    const writer = this.#writers.get(id)
    if (writer === undefined) return
    if (kind === 'attach') writer.remote.attach(words[0] ?? '', this.#options.nowMs() + this.#leaseMs)
    else if (kind === 'detach') writer.remote.detach(words[0] ?? '')
    else if (kind === 'cancel') writer.cancel()
  }

  #logOf(reply: readonly Buffer[]): StoredLog {
    const [facts = '', first, next, ending = ''] = reply.map(String)
    return new StoredLog({
      ...{ facts: JSON.parse(facts) as KeptFacts, state: { first: Number(first), next: Number(next), ending } },
      open: (log, options) => {
        const reader = this.#readers.open(log, options)
        return options.canReturn === true ? this.#options.movable(reader, options) : reader
      },
      cancel: (each) => this.forget(each),
      countReaders: (each) => this.#readers.countOf(each),
    })
  }

  async #append(batches: readonly Batch[]): Promise<readonly (number | string)[]> {
    return readAppended(await this.#run('append', [this.node, OPEN_TTL_MS, ...batches.flatMap(appendArgs)]))
  }

  async #read(wants: readonly { id: string; from: number }[]): Promise<readonly (Page | null)[]> {
    const pairs = wants.flatMap(({ id, from }) => [id, from])
    return readPages(await this.#run('read', [this.#mayClose(), END_OF_LOST_WRITER, PAGE_BATCHES, ...pairs]))
  }

  #tell(name: StreamScript, args: readonly (string | number)[]): void {
    if (this.#link.isUp) this.#run(name, args).catch(ignore)
  }

  async #ask(name: StreamScript, args: readonly (string | number)[]): Promise<unknown> {
    if (!this.#link.isUp) throw unavailable(new Error('no connection'))
    try {
      return await this.#run(name, args)
    } catch (cause) {
      throw unavailable(cause)
    }
  }

  #run(name: StreamScript, args: readonly (string | number | Buffer)[]): Promise<unknown> {
    return this.#link.run(name, [], [this.#prefix, ...args])
  }
}

function unavailable(cause: unknown): GatewayError {
  return new GatewayError('overloaded', {
    ...{ message: 'The store of streams is unreachable.', retryAfterMs: RETRY_AFTER_MS, cause },
  })
}

/** The link has told. */
function ignore(): void {}
