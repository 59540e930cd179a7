// The pool of codec workers, by piscina, which only this file and the worker's entry file import. A worker that dies or hangs fails
// its own tasks with overloaded and is replaced; nothing else in the gateway is affected.
//
//   run --envelope--> [ piscina queue ] --> worker 1 .. n, each with up to TASKS_PER_WORKER tasks in hand
//    '--timer: task overdue -> overloaded; its worker silent for as long -> terminated, piscina starts another
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { type Worker } from 'node:worker_threads'
import { type Piscina } from 'piscina'
import { GatewayError } from '../errors.js'
import { workerEntry } from '../package-files.js'
import {
  buffersOf,
  type CodecResults,
  type CodecTask,
  type Envelope,
  emptyEnvelope,
  packTask,
  unpackReply,
} from '../protocols/contract/envelope.js'
import { type OffloadMetrics, recordTask } from './record.js'

export type PoolOptions = {
  readonly workers: number
  readonly maxQueue: number
  readonly maxDecodingBytes?: number
  readonly taskTimeoutMs: number
  readonly metrics: OffloadMetrics
  readonly workerUrl?: URL
  readonly maxWorkerHeapMb?: number
}

/** With one task at a time the same load ran half as fast as with 16 or more: the next task is at hand when one is done. */
const TASKS_PER_WORKER = 16
/** The queue empties within a second or something is badly wrong. */
const RETRY_AFTER_MS = 1000
/**
 * Of requests that wait for a worker or are in its hands: they have arrived, so no budget of arriving requests holds them any more,
 * and a compressed body of 20 KB may be 20 MB here. Seconds of a worker's time; more would run into the task timeout.
 */
const MAX_DECODING_BYTES = 256 * 1024 * 1024
const NO_THREAD = -1
/** What a worker's entry file exports. */
const WORKER_FUNCTION = 'answer'

/** A task on its way. `threadId` is filled in when a worker is chosen. */
type Ticket = { threadId: number }
/** What is known of one worker: tasks in its hands, and when it last took up work or gave an answer (performance.now). */
type ThreadLog = { tasks: number; lastSignMs: number }
type PiscinaOptions = NonNullable<ConstructorParameters<typeof Piscina>[0]>
type Balancer = NonNullable<PiscinaOptions['loadBalancer']>

type Library = typeof import('piscina')

const require = createRequire(import.meta.url)
let library: Library | null = null

/** Loaded by the first large body: a gateway that sees none starts sooner, and smaller. */
function loadLibrary(): Library {
  library ??= require('piscina') as Library
  return library
}

/** The workers of one event loop. */
export class CodecPool {
  readonly #options: PoolOptions
  readonly #capacity: number
  readonly #threads = new Map<number, ThreadLog>()
  /** Being ended: they get no more tasks in the moments until they are gone. */
  readonly #doomed = new Set<number>()
  /** Started by the first task. */
  #piscina: Piscina<object, Envelope> | null = null
  #pending = 0
  #decodingBytes = 0
  #isClosed = false

  constructor(options: PoolOptions) {
    this.#options = options
    this.#capacity = options.workers * TASKS_PER_WORKER
  }

  /** Tasks accepted and not yet answered, beyond those in the workers' hands. */
  get queueLength(): number {
    return Math.max(0, this.#pending - this.#capacity)
  }

  /**
   * Sends the task to a worker; its body is moved there.
   * @throws overloaded when the queue is full, or the worker dies or hangs; else what the codec throws
   */
  async run<K extends CodecTask['kind']>(task: Extract<CodecTask, { kind: K }>): Promise<CodecResults[K]> {
    if (this.#isClosed) throw overloaded('is shutting down')
    // What has been begun goes on: it is new requests whose bodies are too many.
    if (isFirst(task) ? this.isFull : this.#isQueueFull) throw overloaded('has a full queue')
    const startedMs = performance.now()
    this.#changePending(1)
    try {
      const reply = await this.#sendTask(task)
      const result = unpackReply<K>(task.kind, reply)
      emptyEnvelope(reply)
      return result
    } finally {
      this.#changePending(-1)
      recordTask(this.#options.metrics, task.kind, 'worker', startedMs)
    }
  }

  /** It takes no further request now. */
  get isFull(): boolean {
    const { maxDecodingBytes = MAX_DECODING_BYTES } = this.#options
    return this.#isQueueFull || this.#decodingBytes >= maxDecodingBytes
  }

  get #isQueueFull(): boolean {
    return this.#pending >= this.#capacity + this.#options.maxQueue
  }

  /** Ends all workers; tasks that still run fail with overloaded. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#piscina?.destroy()
  }

  #sendTask(task: CodecTask): Promise<Envelope> {
    const decodingBytes = isFirst(task) ? task.body.byteLength : 0
    return this.#send(packTask(task), decodingBytes)
  }

  #changePending(by: number): void {
    this.#pending += by
    this.#options.metrics.offloadQueue(this.queueLength)
  }

  /** The worker's answer, or overloaded after the task timeout, whichever is first. */
  #send(envelope: Envelope, decodingBytes: number): Promise<Envelope> {
    const { queueOptionsSymbol } = loadLibrary()
    this.#piscina ??= this.#start()
    const ticket: Ticket = { threadId: NO_THREAD }
    // No AbortSignal: piscina gives a worker to one abortable task alone, which undoes TASKS_PER_WORKER.
    const answer = this.#piscina.run(
      { ...envelope, [queueOptionsSymbol]: ticket },
      { transferList: buffersOf(envelope) },
    )
    this.#decodingBytes += decodingBytes
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(overloaded('took too long'))
        this.#endIfStuck(ticket.threadId)
      }, this.#options.taskTimeoutMs)
      // An overdue task keeps its place in the queue, and its body.
      answer.then(
        (reply) => {
          this.#decodingBytes -= decodingBytes
          clearTimeout(timer)
          this.#noteAnswer(ticket.threadId)
          resolve(reply)
        },
        (cause: unknown) => {
          this.#decodingBytes -= decodingBytes
          clearTimeout(timer)
          this.#noteFailure(ticket.threadId)
          reject(overloaded('lost a worker', cause))
        },
      )
    })
  }

  #start(): Piscina<object, Envelope> {
    const { workers, workerUrl, maxWorkerHeapMb } = this.#options
    const { Piscina: Pool } = loadLibrary()
    const piscina = new Pool<object, Envelope>({
      filename: fileURLToPath(workerUrl ?? workerEntry('codec')),
      name: WORKER_FUNCTION,
      minThreads: workers,
      maxThreads: workers,
      concurrentTasksPerWorker: TASKS_PER_WORKER,
      // Not used: `run` counts for itself, since piscina lets tasks in while its workers start.
      maxQueue: Number.MAX_SAFE_INTEGER,
      recordTiming: false,
      loadBalancer: this.#chooseWorker,
      ...(maxWorkerHeapMb === undefined ? {} : { resourceLimits: { maxOldGenerationSizeMb: maxWorkerHeapMb } }),
    })
    // A worker that dies without a task: piscina has removed it, and without a listener the process would go too.
    piscina.on('error', () => undefined)
    return piscina
  }

  /** The worker with the fewest tasks; the ticket learns which, so that a hanging one can be found. */
  readonly #chooseWorker: Balancer = (task, workers) => {
    let chosen = null
    let fewest = TASKS_PER_WORKER
    for (const worker of workers) {
      if (worker.currentUsage >= fewest || this.#doomed.has(worker.id)) continue
      chosen = worker
      fewest = worker.currentUsage
    }
    const ticket = task[loadLibrary().queueOptionsSymbol] as Ticket | null
    if (chosen === null || ticket === null) return chosen
    ticket.threadId = chosen.id
    const log = this.#threads.get(chosen.id) ?? { tasks: 0, lastSignMs: 0 }
    if (log.tasks === 0) log.lastSignMs = performance.now()
    log.tasks += 1
    this.#threads.set(chosen.id, log)
    return chosen
  }

  #noteAnswer(threadId: number): void {
    const log = this.#threads.get(threadId)
    if (log === undefined) return
    log.tasks -= 1
    log.lastSignMs = performance.now()
  }

  #noteFailure(threadId: number): void {
    if (this.#workerOf(threadId) === undefined) this.#forget(threadId)
    else this.#noteAnswer(threadId)
  }

  /** An overdue task may have waited behind others: only a worker that gave no sign for as long is ended, else asked again later. */
  #endIfStuck(threadId: number): void {
    const log = this.#threads.get(threadId)
    if (log === undefined || log.tasks === 0 || this.#doomed.has(threadId)) return
    const silentMs = performance.now() - log.lastSignMs
    const { taskTimeoutMs } = this.#options
    if (silentMs + TIMER_SLACK_MS < taskTimeoutMs) {
      setTimeout(() => this.#endIfStuck(threadId), taskTimeoutMs - silentMs).unref()
      return
    }
    this.#doomed.add(threadId)
    void this.#workerOf(threadId)
      ?.terminate()
      .finally(() => this.#forget(threadId))
  }

  #workerOf(threadId: number): Worker | undefined {
    return this.#piscina?.threads.find((worker) => worker.threadId === threadId)
  }

  #forget(threadId: number): void {
    this.#threads.delete(threadId)
    this.#doomed.delete(threadId)
  }
}

/** The first task of its request: what was only skimmed has not been in a worker yet. */
function isFirst(task: CodecTask): boolean {
  return task.kind === 'decode' || (task.kind === 'encode' && task.head !== null)
}

/** Node's timers may fire a millisecond early. */
const TIMER_SLACK_MS = 2

function overloaded(what: string, cause?: unknown): GatewayError {
  const message = `The gateway is at capacity: its worker pool ${what}.`
  return new GatewayError('overloaded', { message, retryAfterMs: RETRY_AFTER_MS, cause })
}
