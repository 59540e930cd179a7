// The thread that owns the file of an embedded store, for the thread that starts it. Event loops hold a port to it, and never wait for a
// disk. If it dies, every call fails at once until the gateway is restarted; what was acknowledged is safe in the file.
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import { GatewayError } from '../errors.js'
import { type FromStore, type ToStore } from './messages.js'

export type StoreThreadOptions = {
  readonly workerUrl: URL
  /** Of that entry. */
  readonly workerData: object
  /** What the file is, for messages: `job store`. */
  readonly noun: string
  readonly path: string
  /** The thread is no longer usable, or its disk fails: one line for the log. */
  readonly onTrouble: (message: string) => void
}

/** One per process. */
export type StoreThread = {
  /** A port for one more event loop, to be moved there (`transferList`). */
  connect(): MessagePort
  /** Takes a port whose other end an event loop has. */
  attach(port: MessagePort): void
  /** Answers pending calls, then closes the file. */
  close(): Promise<void>
}

/**
 * Starts the thread and opens the file.
 * @throws misconfigured, naming the file, when it is damaged, foreign, newer, in use or cannot be had
 */
export async function startStoreThread(options: StoreThreadOptions): Promise<StoreThread> {
  const worker = new Worker(options.workerUrl, { workerData: options.workerData })
  const gone = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
  const life = { isClosing: false }
  await opened(worker, options, life)
  const tell = (message: ToStore, moved: MessagePort[] = []): void => worker.postMessage(message, moved)
  const attach = (port: MessagePort): void => tell({ type: 'connect', port }, [port])
  return {
    attach,
    connect() {
      const { port1, port2 } = new MessageChannel()
      attach(port1)
      return port2
    },
    async close() {
      life.isClosing = true
      tell({ type: 'close' })
      await gone
    },
  }
}

/** Resolves when the file is open, and reports later problems. */
function opened(worker: Worker, options: StoreThreadOptions, life: { isClosing: boolean }): Promise<void> {
  const { noun, path, onTrouble } = options
  return new Promise<void>((resolve, reject) => {
    let reason = 'it ended by itself'
    let isOpen = false
    worker.on('message', (message: FromStore) => {
      if (message.type === 'refused') return reject(GatewayError.of(message.error))
      if (message.type === 'trouble') return onTrouble(`${noun} ${path}: ${message.message}`)
      isOpen = true
      resolve()
    })
    worker.once('error', (error) => {
      reason = error.message
    })
    worker.once('exit', () => {
      const message = `the thread of ${noun} ${path} is gone: ${reason}`
      if (!isOpen) reject(new GatewayError('internal', { message }))
      else if (!life.isClosing) onTrouble(message)
    })
  })
}
