// The embedded store for its users: each event loop holds a port to the one thread that owns the file. If that thread dies, every
// call fails immediately with 503 until the gateway is restarted; accepted jobs are safe in the file.
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import { GatewayError } from '../../errors.js'
import { workerEntry } from '../../package-files.js'
import { type Heir, type JobStore, type StoreCalls, type StoreEvent } from '../store.js'
import {
  type CallMessage,
  type CallReply,
  type FromStore,
  type PortMessage,
  type StoreStart,
  type ToStore,
} from './messages.js'

const WORKER_URL = workerEntry('jobs')
/** More calls than the disk handles in a few seconds: further ones are rejected instead of kept waiting. */
const MAX_WAITING_CALLS = 10_000
const RETRY_AFTER_MS = 1000

export const CALL_NAMES = [
  ...(['accept', 'get', 'list', 'cancel', 'remove', 'begin', 'storeAnswer', 'forget', 'counts'] as const),
  ...(['claim', 'renew', 'complete', 'fail', 'discard', 'retry', 'release', 'cleanUp'] as const),
  ...(['claimDeliveries', 'settleDelivery'] as const),
] as const satisfies readonly (keyof StoreCalls)[]

export type SqliteOptions = {
  readonly path: string
  /** @see openJobsFile */
  readonly heirs?: readonly Heir[]
  /** The thread is no longer usable, or its disk fails: one line for the log. */
  readonly onTrouble: (message: string) => void
  readonly workerUrl?: URL
  /** @see StoreStart */
  readonly clockOffset?: SharedArrayBuffer
}

/** The thread; one per process. */
export type SqliteThread = {
  /** A port for one more event loop, to be moved there (`transferList`) and used with `connectSqlite`. */
  connect(): MessagePort
  /** Answers pending calls, then closes the file. */
  close(): Promise<void>
}

/**
 * Starts the thread and opens the file.
 * @throws misconfigured, naming the file, when it is damaged, foreign, newer, in use or cannot be had
 */
export async function startSqlite(options: SqliteOptions): Promise<SqliteThread> {
  const { path, heirs = [], clockOffset = null } = options
  const workerData: StoreStart = { path, heirs, clockOffset }
  const worker = new Worker(options.workerUrl ?? WORKER_URL, { workerData })
  const gone = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
  const life = { isClosing: false }
  await opened(worker, options, life)
  const tell = (message: ToStore, moved: MessagePort[] = []): void => worker.postMessage(message, moved)
  return {
    connect() {
      const { port1, port2 } = new MessageChannel()
      tell({ type: 'connect', port: port1 }, [port1])
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
function opened(worker: Worker, { path, onTrouble }: SqliteOptions, life: { isClosing: boolean }): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    let reason = 'it ended by itself'
    let isOpen = false
    worker.on('message', (message: FromStore) => {
      if (message.type === 'refused') return reject(GatewayError.of(message.error))
      if (message.type === 'trouble') return onTrouble(`job store ${path}: ${message.message}`)
      isOpen = true
      resolve()
    })
    worker.once('error', (error) => {
      reason = error.message
    })
    worker.once('exit', () => {
      const message = `the thread of job store ${path} is gone: ${reason}`
      if (!isOpen) reject(new GatewayError('internal', { message }))
      else if (!life.isClosing) onTrouble(message)
    })
  })
}

type Waiting = { readonly resolve: (value: unknown) => void; readonly reject: (error: GatewayError) => void }

/** The store over a port of the thread's. */
export function connectSqlite(port: MessagePort): JobStore {
  const line = new Line(port)
  const calls = CALL_NAMES.map((name) => [name, (...args: readonly unknown[]) => line.call(name, args)])
  return {
    ...(Object.fromEntries(calls) as StoreCalls),
    subscribe: (listener) => line.subscribe(listener),
    close: async () => line.close(),
  }
}

/** One event loop's calls that wait for their answer. */
class Line {
  readonly #port: MessagePort
  readonly #waiting = new Map<number, Waiting>()
  readonly #listeners = new Set<(event: StoreEvent) => void>()
  #count = 0
  #isGone = false

  constructor(port: MessagePort) {
    this.#port = port
    port.on('message', (message: PortMessage) => {
      if (message.type === 'replies') return this.#settle(message.replies)
      for (const event of message.events) for (const listener of this.#listeners) listener(event)
    })
    port.once('close', () => {
      this.#isGone = true
      for (const { reject } of this.#waiting.values()) reject(stopped())
      this.#waiting.clear()
    })
  }

  call(name: keyof StoreCalls, args: readonly unknown[]): Promise<unknown> {
    if (this.#isGone) return Promise.reject(stopped())
    if (this.#waiting.size >= MAX_WAITING_CALLS) return Promise.reject(behind())
    this.#count += 1
    const n = this.#count
    return new Promise((resolve, reject) => {
      this.#waiting.set(n, { resolve, reject })
      this.#port.postMessage({ n, name, args } satisfies CallMessage)
    })
  }

  subscribe(listener: (event: StoreEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  close(): void {
    this.#isGone = true
    this.#port.close()
  }

  #settle(replies: readonly CallReply[]): void {
    for (const reply of replies) {
      const caller = this.#waiting.get(reply.n)
      this.#waiting.delete(reply.n)
      if ('error' in reply) caller?.reject(GatewayError.of(reply.error))
      else caller?.resolve(reply.value)
    }
  }
}

function stopped(): GatewayError {
  return new GatewayError('storage_unavailable', {
    message: 'The job store has stopped. Restart the gateway.',
  })
}

function behind(): GatewayError {
  return new GatewayError('overloaded', { message: 'The job store is overloaded.', retryAfterMs: RETRY_AFTER_MS })
}
