// Kept streams over nodes: the registry's other place. What is opened here is mirrored to Redis, what is not here is looked for there,
// and when this node drains, its readers are sent to the next one. Loaded only where streams are stored in Redis.
import { HandOver } from '../kept/hand-over.js'
import { type KeptStream } from '../kept/kept-stream.js'
import { type AttachOptions, type ReadableLog } from '../kept/readable-log.js'
import { type Elsewhere } from '../kept/registry.js'
import { type FrameReader } from '../reader.js'
import { mirror } from './kept-mirror.js'
import { StreamStore, type StreamStoreOptions } from './stream-store.js'
import { type StoreResult, type StreamWriter } from './stream-writer.js'

/** However short streams are kept, readers elsewhere need time for the last frames and the end; here they hold them themselves. */
const LEAST_KEEP_MS = 30_000

export type SharedStreamsOptions = Omit<StreamStoreOptions, 'movable'> & {
  /** Nothing more of a stream goes to Redis. */
  readonly onOver: (result: StoreResult) => void
}

/** Connects to Redis when it is started; streams do not wait for it. */
export class SharedStreams implements Elsewhere {
  readonly #options: SharedStreamsOptions
  readonly #store: StreamStore
  readonly #handOver = new HandOver()
  readonly #writers = new WeakMap<KeptStream, StreamWriter>()

  constructor(options: SharedStreamsOptions) {
    this.#options = options
    // What another node's stream has told its client is in Redis already.
    const movable = (reader: FrameReader, { onReadable }: AttachOptions): FrameReader =>
      this.#handOver.hold({ reader, onReadable, stored: () => Promise.resolve(this.#store.isUp) })
    this.#store = new StreamStore({ ...options, movable })
  }

  /** Resolves within a second, with or without Redis. */
  start(): Promise<void> {
    return this.#store.start()
  }

  opened(stream: KeptStream, keepMs: number): void {
    const options = { keepMs: Math.max(keepMs, LEAST_KEEP_MS), onOver: this.#options.onOver }
    this.#writers.set(stream, mirror(stream, this.#store, options))
  }

  copies(stream: KeptStream, originId: string): void {
    this.#writers.get(stream)?.follow(originId)
  }

  storeOrigin(stream: KeptStream, keepMs: number): void {
    if (this.#writers.has(stream)) return
    // Those that have its frames are counted.
    const options = { keepMs: Math.max(keepMs, LEAST_KEEP_MS), onOver: ignore }
    this.#writers.set(stream, mirror(stream, this.#store, options))
  }

  find(id: string, owner: string): Promise<ReadableLog | null> {
    return this.#store.find(id, owner)
  }

  cancelled(stream: KeptStream): void {
    this.#store.forget(stream.facts.id)
  }

  movable(stream: KeptStream, reader: FrameReader, { onReadable }: AttachOptions): FrameReader {
    const writer = this.#writers.get(stream)
    // A Redis that has just died may have taken the frames with it.
    const stored = async (number: number): Promise<boolean> =>
      (await writer?.stored(number)) === true && this.#store.isUp
    return this.#handOver.hold({ reader, onReadable, stored })
  }

  /** Other nodes can serve the stream to its end, if this one goes on with it. */
  isShared(stream: KeptStream): boolean {
    return this.#writers.get(stream)?.isOpen === true
  }

  /** Sends readers whose clients can come back to other nodes, now and as they come. */
  handOver(): void {
    this.#handOver.begin()
  }

  /** Closes the connections once all is stored, and at the latest after `timeoutMs`. */
  async close(timeoutMs: number): Promise<void> {
    await this.#store.flush(timeoutMs)
    this.#store.close()
  }
}

function ignore(): void {}
