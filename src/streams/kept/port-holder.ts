// The side of a port that holds streams: it reads them for the readers of another event loop and sends what it read in batches, once
// per tick. What that loop has not taken is bounded by a window; beyond it the reader lags here, like any other.
//
//   kept stream --read--> batch --port--> other loop          took: the window opens again
import { type MessagePort } from 'node:worker_threads'
import { type FrameReader } from '../reader.js'
import { type KeptStream } from './kept-stream.js'
import { type ToHolder, type ToReader } from './port-messages.js'

/** A batch is one message, which costs some 20 us; larger ones gain nothing. */
const MAX_BATCH_BYTES = 64 * 1024
/** What may be on its way to one reader: enough for a loop that is late by many ticks. */
const WINDOW_BYTES = 256 * 1024

/** The streams of this loop. */
export type HeldStreams = {
  find(id: string, owner: string): KeptStream | null
  /** A stream of the other loop copies this one, and others find it. */
  storeOrigin(id: string, owner: string): void
}

/** Serves the readers of the loop at the other end, until that closes. */
export function holdStreams(port: MessagePort, streams: HeldStreams): void {
  const readers = new Map<number, RemoteReader>()
  const send = (message: ToReader, transfer: readonly ArrayBuffer[] = []): void => port.postMessage(message, transfer)
  port.on('message', (message: ToHolder) => {
    switch (message.type) {
      case 'look': {
        const stream = streams.find(message.id, message.owner)
        const seen = stream === null ? null : seenOf(stream)
        send({ type: 'seen', ask: message.ask, log: seen })
        return
      }
      case 'attach': {
        const stream = streams.find(message.id, message.owner)
        const { reader } = message
        if (stream === null) send({ type: 'cut', reader, isMoved: false })
        else readers.set(reader, new RemoteReader(stream, { ...message, send, onOver: () => readers.delete(reader) }))
        return
      }
      case 'took':
        readers.get(message.reader)?.allow(message.bytes)
        return
      case 'detach':
        readers.get(message.reader)?.detach()
        return
      case 'cancel':
        streams.find(message.id, message.owner)?.cancel()
        return
      case 'store':
        streams.storeOrigin(message.id, message.owner)
    }
  })
  port.on('close', () => {
    for (const reader of [...readers.values()]) reader.detach()
  })
  port.unref()
}

function seenOf({ facts, first, next, streamEnd, isCrowded }: KeptStream) {
  return { facts, first, next, streamEnd, isCrowded }
}

type RemoteOptions = Pick<Extract<ToHolder, { type: 'attach' }>, 'reader' | 'how' | 'offset' | 'canReturn'> & {
  readonly send: (message: ToReader, transfer?: readonly ArrayBuffer[]) => void
  readonly onOver: () => void
}

/** One reader of the other loop, as it reads here. */
class RemoteReader {
  readonly #stream: KeptStream
  readonly #options: RemoteOptions
  readonly #reader: FrameReader
  #windowBytes = WINDOW_BYTES
  #isOver = false

  constructor(stream: KeptStream, options: RemoteOptions) {
    const { reader, how, offset, canReturn, send } = options
    this.#stream = stream
    this.#options = options
    const onKeepalive = (): void => send({ type: 'keepalive', reader })
    this.#reader = stream.attach({ how, offset, canReturn, onReadable: () => this.#pump(), onKeepalive })
  }

  allow(bytes: number): void {
    this.#windowBytes += bytes
    this.#pump()
  }

  detach(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#reader.detach()
    this.#options.onOver()
  }

  #pump(): void {
    const { reader, send } = this.#options
    while (!this.#isOver && !this.#reader.isCut && this.#windowBytes > 0) {
      const frames = this.#gather()
      if (frames.length === 0) break
      const bytes = Buffer.allocUnsafeSlow(frames.reduce((sum, frame) => sum + frame.length, 0))
      let end = 0
      const ends = frames.map((frame) => {
        bytes.set(frame, end)
        end += frame.length
        return end
      })
      this.#windowBytes -= end
      send({ type: 'frames', reader, ends, bytes }, [bytes.buffer])
    }
    if (this.#isOver) return
    const end = this.#reader.end()
    if (this.#reader.isCut) send({ type: 'cut', reader, isMoved: this.#reader.isMoved === true })
    else if (end !== null) send({ type: 'end', reader, next: this.#stream.next, end })
    else return
    this.detach()
  }

  #gather(): Uint8Array[] {
    const frames: Uint8Array[] = []
    for (let bytes = 0; bytes < MAX_BATCH_BYTES; ) {
      const frame = this.#reader.read()
      if (frame === null) break
      frames.push(frame)
      bytes += frame.length
    }
    return frames
  }
}
