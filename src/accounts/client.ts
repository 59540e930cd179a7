// The store of keys and teams for its users: each event loop holds a port to the one thread that owns the database. If that thread dies,
// every call fails with 503 until the gateway is restarted; keys known so far go on, since loops read them from shared memory.
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import { GatewayError } from '../errors.js'
import { type ErrorData } from '../model/error.js'
import { workerEntry } from '../package-files.js'
import { type ClaimsNews } from './budgets/shared/node-claims.js'
import { type Granted, type Want } from './budgets/shared/shared-set.js'
import { type AccountsStart, type FromAccounts, type FromStore, type ToAccounts, type ToStore } from './messages.js'
import { type AccountCalls, type AccountsEvent, type AccountsStore, type KeyUse } from './store.js'

const WORKER_URL = workerEntry('accounts')
/** More calls than a database handles in a few seconds: further ones are rejected instead of kept waiting. */
const MAX_WAITING_CALLS = 1000
const RETRY_AFTER_MS = 1000

const CALL_NAMES = [
  ...(['createKey', 'getKey', 'listKeys', 'updateKey', 'rotateKey', 'deleteKey'] as const),
  ...(['createTeam', 'getTeam', 'listTeams', 'updateTeam', 'deleteTeam', 'appendAudit', 'listAudit'] as const),
  ...([
    'createBudget',
    'getBudget',
    'listBudgets',
    'updateBudget',
    'deleteBudget',
    'adjustBudget',
    'addSpend',
  ] as const),
  ...(['addRollups', 'reportSpend', 'reportKeyUsage', 'listPaused', 'setPaused'] as const),
] as const satisfies readonly (keyof AccountCalls)[]

export type AccountsOptions = AccountsStart & {
  /** The thread is no longer usable, or its database fails: one line for the log. */
  readonly onTrouble: (message: string) => void
  readonly workerUrl?: URL
}

/** The thread; one per process. */
export type AccountsThread = {
  /** A port for one more event loop, to be moved there (`transferList`) and used with `connectAccounts`. */
  connect(): MessagePort
  /** The names of the keys that the configuration file has now. @throws misconfigured where the database has one of them */
  reserve(fileKeys: readonly string[]): Promise<void>
  /** Answers pending calls, then closes the database. */
  close(): Promise<void>
}

/**
 * Starts the thread, opens the database and fills the directory.
 * @throws misconfigured, naming the file, when it is damaged, foreign, newer, in use or cannot be had
 */
export async function startAccounts({ onTrouble, workerUrl, ...start }: AccountsOptions): Promise<AccountsThread> {
  const worker = new Worker(workerUrl ?? WORKER_URL, { workerData: start })
  const life = { isClosing: false }
  const gone = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
  await opened(worker, onTrouble, life)
  const tell = (message: ToAccounts, moved: MessagePort[] = []): void => worker.postMessage(message, moved)
  return {
    connect() {
      const { port1, port2 } = new MessageChannel()
      tell({ type: 'connect', port: port1 }, [port1])
      return port2
    },
    async reserve(fileKeys) {
      const error = await Promise.race([answerOf(worker, () => tell({ type: 'reserve', fileKeys })), gone])
      if (error === undefined) throw stopped()
      if (error !== null) throw GatewayError.of(error)
    },
    async close() {
      life.isClosing = true
      tell({ type: 'close' })
      await gone
    },
  }
}

/** Resolves when the directory is filled, and reports later problems. */
function opened(worker: Worker, onTrouble: (message: string) => void, life: { isClosing: boolean }): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    let reason = 'it ended by itself'
    let isOpen = false
    worker.on('message', (message: FromAccounts) => {
      if (message.type === 'refused') return reject(GatewayError.of(message.error))
      if (message.type === 'trouble') return onTrouble(`account database: ${message.message}`)
      if (message.type !== 'opened') return
      isOpen = true
      resolve()
    })
    worker.once('error', (error) => {
      reason = error.message
    })
    worker.once('exit', () => {
      const message = `the thread of the account database is gone: ${reason}`
      if (!isOpen) reject(new GatewayError('internal', { message }))
      else if (!life.isClosing) onTrouble(message)
    })
  })
}

function answerOf(worker: Worker, ask: () => void): Promise<ErrorData | null> {
  return new Promise((resolve) => {
    const onMessage = (message: FromAccounts): void => {
      if (message.type !== 'reserved') return
      worker.off('message', onMessage)
      resolve(message.error)
    }
    worker.on('message', onMessage)
    ask()
  })
}

type Waiting = { readonly resolve: (value: unknown) => void; readonly reject: (error: GatewayError) => void }

/** The store over a port of the thread's. */
export function connectAccounts(port: MessagePort): AccountsStore {
  const line = new Line(port)
  const calls = CALL_NAMES.map((name) => [name, (...args: readonly unknown[]) => line.call(name, args)])
  return {
    ...(Object.fromEntries(calls) as AccountCalls),
    noteUsed: (uses) => line.note(uses),
    subscribe: (listener) => line.subscribe(listener),
    claim: (wants) => line.claim(wants),
    onClaims: (listener) => line.listen(listener),
    close: () => line.close(),
  }
}

/** One event loop's calls that wait for their answer. */
class Line {
  readonly #port: MessagePort
  readonly #waiting = new Map<number, Waiting>()
  readonly #listeners = new Set<(event: AccountsEvent) => void>()
  #onNews: (news: ClaimsNews) => void = () => undefined
  #count = 0
  #isGone = false

  constructor(port: MessagePort) {
    this.#port = port
    port.on('message', (message: FromStore) => this.#take(message))
    port.once('close', () => {
      this.#isGone = true
      for (const { reject } of this.#waiting.values()) reject(stopped())
      this.#waiting.clear()
    })
  }

  call(name: keyof AccountCalls, args: readonly unknown[]): Promise<unknown> {
    if (this.#isGone) return Promise.reject(stopped())
    if (this.#waiting.size >= MAX_WAITING_CALLS) return Promise.reject(behind())
    return this.#ask((n) => ({ type: 'call', n, name, args }))
  }

  /** However many wait: each is a request that was let in. */
  claim(wants: readonly Want[]): Promise<Granted> {
    if (this.#isGone) return Promise.resolve('away')
    return this.#ask<Granted>((n) => ({ type: 'claim', n, wants })).catch(() => 'away' as const)
  }

  listen(listener: (news: ClaimsNews) => void): void {
    this.#onNews = listener
    this.#tell({ type: 'listen' })
  }

  note(uses: readonly KeyUse[]): void {
    if (!this.#isGone) this.#tell({ type: 'uses', uses })
  }

  subscribe(listener: (event: AccountsEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  close(): void {
    this.#isGone = true
    this.#port.close()
  }

  #ask<T>(messageOf: (n: number) => ToStore): Promise<T> {
    this.#count += 1
    const n = this.#count
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(n, { resolve: (value) => resolve(value as T), reject })
      this.#tell(messageOf(n))
    })
  }

  #tell(message: ToStore): void {
    this.#port.postMessage(message)
  }

  #take(message: FromStore): void {
    if (message.type === 'event') {
      for (const listener of this.#listeners) listener(message.event)
      return
    }
    if (message.type === 'news') {
      this.#onNews(message.news)
      return
    }
    const caller = this.#waiting.get(message.n)
    this.#waiting.delete(message.n)
    if (message.type === 'error') caller?.reject(GatewayError.of(message.error))
    else caller?.resolve(message.value)
  }
}

function stopped(): GatewayError {
  return new GatewayError('storage_unavailable', {
    message: 'The account database has stopped. Restart the gateway.',
  })
}

function behind(): GatewayError {
  return new GatewayError('overloaded', {
    message: 'The account database is overloaded.',
    retryAfterMs: RETRY_AFTER_MS,
  })
}
