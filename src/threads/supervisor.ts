// Runs the event loops of one process: loop 0 here, on the main thread, and threads - 1 more in workers. All listen on the
// same port and share nothing but cells. It starts and drains them together and does not know what a loop does.
import { createServer } from 'node:net'
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import { type SlotTable } from '../config/live/slot-table.js'
import { type Config } from '../config/types.js'
import { GatewayError } from '../errors.js'
import { tuneCollector } from './collector.js'
import {
  type FromFrontend,
  type FrontendStart,
  type PeerPurpose,
  type SharedCells,
  type StoreThread,
  type ToFrontend,
} from './messages.js'

/** One event loop's gateway, as far as the supervisor is concerned. */
export type EventLoop = {
  /** @throws misconfigured when the port is not available */
  listen(port: number): Promise<number>
  /**
   * New requests get this configuration; those under way keep theirs.
   * @throws misconfigured, with nothing changed
   */
  reload(config: Config, ledger: SlotTable): void
  /** Serves new work for `graceMs` more, lets open streams end until the deadline, then ends them. */
  drain(graceMs: number): Promise<void>
  /** Reopens the log file at its path. Never rejects. */
  reopenLog(): Promise<void>
  /** Another event loop reaches what this one holds through the port. */
  acceptPeer(port: MessagePort, purpose: PeerPurpose): void
  /** Ends everything open, closes, and writes the log. */
  endNow(): Promise<void>
}

export type SupervisorOptions = {
  readonly config: Config
  readonly cells: SharedCells
  readonly createLoop: (config: Config, cells: SharedCells) => EventLoop
  /** A port of a store's thread for a further event loop. @throws misconfigured */
  readonly connectStore: (store: StoreThread) => Promise<MessagePort>
  /** Entry of a further event loop. */
  readonly frontendUrl: URL
  /** A further event loop died; the process should end, since its limits and streams are gone with it. */
  readonly onLoopDied: (reason: string) => void
}

/** All event loops of this process. */
export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #loop: EventLoop
  /** By the index of their loop. */
  readonly #workers = new Map<number, Worker>()
  #isDraining = false

  constructor(options: SupervisorOptions) {
    this.#options = options
    tuneCollector()
    this.#loop = options.createLoop(options.config, options.cells)
  }

  /**
   * Resolves with the port when every loop listens.
   * @throws misconfigured when the port is not available to a loop
   * @throws internal when a loop dies before it listens
   */
  async start(): Promise<number> {
    const { config } = this.#options
    const isShared = config.server.threads > 1
    // Only a specific port can be shared: for port 0 the kernel would assign a different one to each loop.
    const wanted = config.server.port === 0 && isShared ? await findFreePort(config.server.host) : config.server.port
    const port = await this.#loop.listen(wanted)
    const starting: Promise<void>[] = []
    for (let loopIndex = 1; loopIndex < config.server.threads; loopIndex++) {
      starting.push(this.#startWorker({ config, cells: this.#options.cells, loopIndex, port }))
    }
    await Promise.all(starting)
    return port
  }

  /**
   * Replaces the configuration of all loops; resolves when all have replaced it. Loop 0 goes first: a configuration that is invalid is
   * invalid on every loop, so one that loop 0 rejects reaches no other.
   * @throws misconfigured, with nothing changed
   */
  async reload(config: Config, ledger: SlotTable): Promise<void> {
    this.#loop.reload(config, ledger)
    const message = { type: 'reload', config, ledger } as const
    await Promise.all([...this.#workers.values()].map((worker) => ask(worker, message, 'reloaded')))
  }

  /** Reopens the log file on all loops; resolves when no loop uses the previous file. */
  async reopenLogs(): Promise<void> {
    const asked = [...this.#workers.values()].map((worker) => ask(worker, { type: 'reopen-log' }, 'reopened'))
    await Promise.all([this.#loop.reopenLog(), ...asked])
  }

  /** Drains all loops together. A loop that dies meanwhile has nothing left to drain. */
  async drain(graceMs: number): Promise<void> {
    this.#isDraining = true
    const asked = [...this.#workers.values()].map((worker) => ask(worker, { type: 'drain', graceMs }, 'drained'))
    await Promise.all([this.#loop.drain(graceMs), ...asked])
    // A program that goes on without its gateway may end; threads of event loops never end by themselves.
    for (const worker of this.#workers.values()) worker.unref()
  }

  /** Ends all loops together, whatever their state. */
  async endNow(): Promise<void> {
    this.#isDraining = true
    const asked = [...this.#workers.values()].map((worker) => ask(worker, { type: 'end' }, 'ended'))
    await Promise.all([this.#loop.endNow(), ...asked])
  }

  /** A new port to what an event loop holds; null if there is no such loop. */
  connectLoop(loopIndex: number, purpose: PeerPurpose): MessagePort | null {
    const worker = this.#workers.get(loopIndex)
    if (loopIndex !== 0 && worker === undefined) return null
    const { port1, port2 } = new MessageChannel()
    if (worker === undefined) this.#loop.acceptPeer(port2, purpose)
    else worker.postMessage({ type: 'peer', purpose, port: port2 } satisfies ToFrontend, [port2])
    return port1
  }

  async #connectStore(worker: Worker, store: StoreThread): Promise<void> {
    try {
      const port = await this.#options.connectStore(store)
      worker.postMessage({ type: 'store-port', store, port, reason: '' } satisfies ToFrontend, [port])
    } catch (thrown) {
      const reason = thrown instanceof Error ? thrown.message : String(thrown)
      worker.postMessage({ type: 'store-port', store, port: null, reason } satisfies ToFrontend)
    }
  }

  #startWorker(start: FrontendStart): Promise<void> {
    const worker = new Worker(this.#options.frontendUrl, { workerData: start })
    this.#workers.set(start.loopIndex, worker)
    return new Promise((resolve, reject) => {
      let isListening = false
      let reason = 'it ended by itself'
      worker.on('message', (message: FromFrontend) => {
        if (message.type === 'failed') reject(new GatewayError('misconfigured', { message: message.message }))
        if (message.type === 'connect-store') void this.#connectStore(worker, message.store)
        if (message.type === 'connect-loop') {
          const { loopIndex, purpose } = message
          const port = this.connectLoop(loopIndex, purpose)
          const answer: ToFrontend = { type: 'loop-port', loopIndex, purpose, port }
          worker.postMessage(answer, port === null ? [] : [port])
        }
        if (message.type !== 'listening') return
        isListening = true
        resolve()
      })
      worker.once('error', (error) => {
        reason = error.message
      })
      // The last event of every worker, whether it threw, ran out of memory or exited: nothing may wait for it any longer.
      worker.once('exit', () => {
        this.#workers.delete(start.loopIndex)
        const died = `event loop ${start.loopIndex}: ${reason}`
        if (!isListening) reject(new GatewayError('internal', { message: died }))
        else if (!this.#isDraining) this.#options.onLoopDied(died)
      })
    })
  }
}

/** Resolves when the loop has answered, or has died and cannot answer any more. */
function ask(worker: Worker, message: ToFrontend, answer: FromFrontend['type']): Promise<void> {
  return new Promise((resolve) => {
    const onMessage = (told: FromFrontend): void => {
      if (told.type === answer) done()
    }
    const done = (): void => {
      worker.off('message', onMessage)
      worker.off('exit', done)
      resolve()
    }
    worker.on('message', onMessage)
    worker.on('exit', done)
    worker.postMessage(message)
  })
}

function findFreePort(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, host, () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}
