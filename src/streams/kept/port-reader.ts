// The side of a port that has readers: kept streams of another event loop, as logs that can be read here. If that loop dies, its
// streams end as cut, so that no reader waits for ever.
import { type MessagePort } from 'node:worker_threads'
import { errorData } from '../../errors.js'
import { NO_USAGE } from '../../model/usage.js'
import { type FrameReader, type StreamEnd } from '../reader.js'
import { type SeenLog, type ToHolder, type ToReader } from './port-messages.js'
import { type AttachOptions, type KeptFacts, type ReadableLog } from './readable-log.js'

const LOOP_DIED: StreamEnd = Object.freeze({
  ...{ outcome: 'upstream_cut', error: errorData('upstream_cut'), usage: NO_USAGE, usageSource: 'estimated' },
} as const)

/** The streams of one other loop. */
export class PeerStreams {
  readonly #port: MessagePort
  readonly #asked = new Map<number, (log: SeenLog | null) => void>()
  readonly #readers = new Map<number, PortReader>()
  #serial = 0
  #isClosed = false

  constructor(port: MessagePort) {
    this.#port = port
    port.on('message', (message: ToReader) => this.#take(message))
    // The other loop is gone, and nothing more is found there.
    port.on('close', () => this.#close())
    port.unref()
  }

  /** Null if there is no such stream of this owner. */
  async look(id: string, owner: string): Promise<ReadableLog | null> {
    if (this.#isClosed) return null
    const ask = ++this.#serial
    const seen = await new Promise<SeenLog | null>((resolve) => {
      this.#asked.set(ask, resolve)
      this.send({ type: 'look', ask, id, owner })
    })
    return seen === null ? null : new PortLog(this, seen)
  }

  /** Only for PortLog. */
  attach(log: PortLog, options: AttachOptions): FrameReader {
    const reader = ++this.#serial
    const { how, offset, canReturn = false } = options
    const { id, owner } = log.facts
    const send = (message: ToHolder): void => {
      if (message.type === 'detach') this.#readers.delete(reader)
      this.send(message)
    }
    const made = new PortReader(log, { ...options, reader, send })
    if (this.#isClosed) queueMicrotask(() => made.finish(LOOP_DIED, offset))
    else {
      this.#readers.set(reader, made)
      this.send({ type: 'attach', reader, id, owner, how, offset, canReturn })
    }
    return made
  }

  /** Nothing once the other loop is gone. */
  send(message: ToHolder): void {
    if (!this.#isClosed) this.#port.postMessage(message)
  }

  #take(message: ToReader): void {
    if (message.type === 'seen') {
      this.#asked.get(message.ask)?.(message.log)
      this.#asked.delete(message.ask)
      return
    }
    const reader = this.#readers.get(message.reader)
    if (reader === undefined) return
    switch (message.type) {
      case 'frames':
        reader.push(message.bytes, message.ends)
        return
      case 'keepalive':
        reader.keepalive()
        return
      case 'cut':
        reader.cut(message.isMoved)
        return
      case 'end':
        reader.finish(message.end, message.next)
    }
  }

  #close(): void {
    this.#isClosed = true
    for (const resolve of this.#asked.values()) resolve(null)
    this.#asked.clear()
    for (const reader of [...this.#readers.values()]) reader.finish(LOOP_DIED, reader.pushed)
    this.#readers.clear()
  }
}

/** One stream of another loop. What it says of itself is from the moment it was looked at, until a reader has seen its end. */
class PortLog implements ReadableLog {
  readonly #peer: PeerStreams
  readonly facts: KeptFacts
  readonly first: number
  next: number
  streamEnd: StreamEnd | null
  readonly isCrowded: boolean

  constructor(peer: PeerStreams, { facts, first, next, streamEnd, isCrowded }: SeenLog) {
    this.#peer = peer
    this.facts = facts
    this.first = first
    this.next = next
    this.streamEnd = streamEnd
    this.isCrowded = isCrowded
  }

  attach(options: AttachOptions): FrameReader {
    return this.#peer.attach(this, options)
  }

  cancel(): void {
    const { id, owner } = this.facts
    this.#peer.send({ type: 'cancel', id, owner })
  }
}

type Batch = { readonly bytes: Uint8Array; readonly ends: readonly number[] }
type PortReaderOptions = AttachOptions & { readonly reader: number; readonly send: (message: ToHolder) => void }

class PortReader implements FrameReader {
  readonly #log: PortLog
  readonly #options: PortReaderOptions
  #batches: Batch[] = []
  /** Of the first batch. */
  #index = 0
  #end: StreamEnd | null = null
  #isDetached = false
  offset: number
  /** Number of the next frame to arrive. */
  pushed: number
  isCut = false
  isMoved = false

  constructor(log: PortLog, options: PortReaderOptions) {
    this.#log = log
    this.#options = options
    this.offset = options.offset
    this.pushed = options.offset
  }

  read(): Uint8Array | null {
    const batch = this.#batches[0]
    if (batch === undefined || this.isCut || this.#isDetached) return null
    const { bytes, ends } = batch
    const start = this.#index === 0 ? 0 : (ends[this.#index - 1] ?? 0)
    const frame = bytes.subarray(start, ends[this.#index])
    this.#index += 1
    this.offset += 1
    if (this.#index === ends.length) {
      this.#batches.shift()
      this.#index = 0
      this.#options.send({ type: 'took', reader: this.#options.reader, bytes: bytes.length })
    }
    return frame
  }

  end(): StreamEnd | null {
    return this.#batches.length === 0 && !this.isCut ? this.#end : null
  }

  detach(): void {
    if (this.#isDetached) return
    this.#isDetached = true
    this.#batches = []
    this.#options.send({ type: 'detach', reader: this.#options.reader })
  }

  push(bytes: Uint8Array, ends: readonly number[]): void {
    this.#batches.push({ bytes, ends })
    this.pushed += ends.length
    if (this.pushed > this.#log.next) this.#log.next = this.pushed
    this.#notify()
  }

  keepalive(): void {
    if (!this.#isDetached) this.#options.onKeepalive?.()
  }

  cut(isMoved: boolean): void {
    this.isCut = true
    this.isMoved = isMoved
    this.#notify()
  }

  /** `next`: the number that the stream had reached, and the error frame has. */
  finish(end: StreamEnd, next: number): void {
    if (this.#end !== null) return
    this.#end = end
    this.#log.next = next
    this.#log.streamEnd = end
    this.#notify()
  }

  #notify(): void {
    if (!this.#isDetached) this.#options.onReadable()
  }
}
