// The embedded store for its users: each event loop holds a port to the one thread that owns the file. If that thread dies, every
// call fails immediately with 503 until the gateway is restarted; accepted jobs are safe in the file.
import { type MessagePort } from 'node:worker_threads'
import { GatewayError } from '../../errors.js'
import { workerEntry } from '../../package-files.js'
import { type CallReply } from '../../sqlite/messages.js'
import { type StoreThread, startStoreThread } from '../../sqlite/store-thread.js'
import { type Heir, type JobStore, type StoreCalls, type StoreEvent } from '../store.js'
import { type JobCall, type PortMessage, type StoreStart } from './messages.js'

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

/**
 * Starts the thread and opens the file. Its ports are used with `connectSqlite`.
 * @throws misconfigured, naming the file, when it is damaged, foreign, newer, in use or cannot be had
 */
export function startSqlite(options: SqliteOptions): Promise<StoreThread> {
  const { path, onTrouble, heirs = [], workerUrl = WORKER_URL, clockOffset = null } = options
  const workerData: StoreStart = { path, heirs, clockOffset }
  return startStoreThread({ workerUrl, workerData, noun: 'job store', path, onTrouble })
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
      this.#port.postMessage({ n, name, args } satisfies JobCall)
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
