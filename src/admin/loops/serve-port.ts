// The side of a port that is asked by the admin API: answers its calls, and reads watched exchanges for it. What it has not taken is
// bounded by a window; beyond it the watcher lags here, like any other reader.
import { type MessagePort } from 'node:worker_threads'
import { toGatewayError } from '../../errors.js'
import { type LoopCalls, type WatchedStream } from './loop-calls.js'
import { type FromLoop, type ToLoop } from './messages.js'
import { type OwnLoop } from './own-loop.js'

const MAX_BATCH_BYTES = 64 * 1024
/** What may be on its way to one watcher. */
const WINDOW_BYTES = 256 * 1024

/** Serves the loop at the other end until that closes. */
export function serveAdmin(port: MessagePort, loop: OwnLoop): void {
  const watches = new Map<number, RemoteWatch>()
  const send: Send = (message, transfer = []) => port.postMessage(message, transfer)
  port.on('message', (message: ToLoop) => {
    switch (message.type) {
      case 'call': {
        const { n, name, args } = message
        loop.call(name, args as Parameters<LoopCalls[typeof name]>).then(
          (value) => send({ type: 'value', n, value }),
          (thrown: unknown) => send({ type: 'failed', n, error: toGatewayError(thrown).data }),
        )
        return
      }
      case 'watch': {
        const { n, id } = message
        const watch = new RemoteWatch({ n, send, onOver: () => watches.delete(n) })
        const stream = loop.watchNow(id, () => watch.pump())
        send({ type: 'watching', n, entry: stream?.entry ?? null })
        if (stream === null) return
        watches.set(n, watch)
        watch.begin(stream)
        return
      }
      case 'took':
        watches.get(message.n)?.allow(message.bytes)
        return
      case 'unwatch':
        watches.get(message.n)?.leave()
    }
  })
  port.on('close', () => {
    for (const watch of [...watches.values()]) watch.leave()
  })
  port.unref()
}

type Send = (message: FromLoop, transfer?: readonly ArrayBuffer[]) => void
type RemoteWatchOptions = { readonly n: number; readonly send: Send; readonly onOver: () => void }

/** One watcher of loop 0, as it reads here. */
class RemoteWatch {
  readonly #options: RemoteWatchOptions
  #stream: WatchedStream | null = null
  #windowBytes = WINDOW_BYTES

  constructor(options: RemoteWatchOptions) {
    this.#options = options
  }

  begin(stream: WatchedStream): void {
    this.#stream = stream
    this.pump()
  }

  allow(bytes: number): void {
    this.#windowBytes += bytes
    this.pump()
  }

  leave(): void {
    const stream = this.#stream
    this.#stream = null
    if (stream === null) return
    stream.detach()
    this.#options.onOver()
  }

  pump(): void {
    const stream = this.#stream
    const { n, send } = this.#options
    if (stream === null) return
    let isAllRead = false
    while (!isAllRead && !stream.isCut && this.#windowBytes > 0) {
      const bytes = gather(stream)
      isAllRead = bytes === null
      if (bytes === null) break
      this.#windowBytes -= bytes.length
      send({ type: 'frames', n, bytes }, [bytes.buffer])
    }
    const { end } = stream
    if (stream.isCut) send({ type: 'cut', n })
    else if (isAllRead && end !== null) send({ type: 'end', n, end })
    else return
    this.leave()
  }
}

/** What it has, joined in memory of its own; null if it has caught up. */
function gather(stream: WatchedStream): Uint8Array<ArrayBuffer> | null {
  const frames: Uint8Array[] = []
  let length = 0
  while (length < MAX_BATCH_BYTES) {
    const frame = stream.read()
    if (frame === null) break
    frames.push(frame)
    length += frame.length
  }
  if (length === 0) return null
  const bytes = new Uint8Array(length)
  let at = 0
  for (const frame of frames) {
    bytes.set(frame, at)
    at += frame.length
  }
  return bytes
}
