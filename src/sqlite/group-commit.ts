// Group commit, for any store: all calls that arrive during a commit go into the next one, so that a disk with 200 commits per second accepts
// thousands of calls. A call is answered only after its commit. If the shared transaction fails, each call is repeated in its own,
// so that a full disk rejects calls that write and still answers those that only read.
import { errorData, GatewayError } from '../errors.js'
import { type ErrorData } from '../model/error.js'
import { type Connection, codeOf } from './database-file.js'
import { type CallMessage, type CallReply } from './messages.js'

/** The first calls of a burst must not wait for all of it: about 50 ms of work. */
const MAX_CALLS = 500
const RETRY_AFTER_MS = 1000

/** Where a call came from and its answer goes. */
export type Caller = {
  reply(replies: readonly CallReply[]): void
}

/** What runs the calls of a store, each inside a transaction. */
export type CallSource<Event> = {
  run(name: string, args: readonly unknown[]): unknown
  /** What has happened since it was last asked. */
  takeEvents(): readonly Event[]
}

export type GroupCommitOptions<Event> = {
  readonly connection: Connection
  /** The store, for messages. */
  readonly noun: string
  readonly source: CallSource<Event>
  readonly onEvents: (events: readonly Event[]) => void
  readonly onTrouble: (message: string) => void
}

type Waiting = { readonly caller: Caller; readonly call: CallMessage }

/** The calls of all event loops, in order, and their commits. */
export class GroupCommit<Event> {
  readonly #options: GroupCommitOptions<Event>
  #waiting: Waiting[] = []
  /** Of commits that were made. */
  #events: Event[] = []
  #isDue = false

  constructor(options: GroupCommitOptions<Event>) {
    this.#options = options
  }

  push(caller: Caller, call: CallMessage): void {
    this.#waiting.push({ caller, call })
    this.#schedule()
  }

  /** Commits and answers all that waits. */
  flush(): void {
    while (this.#waiting.length > 0) this.#commitSome()
  }

  /** After all messages of this turn, so that they go into one commit. */
  #schedule(): void {
    if (this.#isDue) return
    this.#isDue = true
    setImmediate(() => {
      this.#isDue = false
      this.#commitSome()
      if (this.#waiting.length > 0) this.#schedule()
    })
  }

  #commitSome(): void {
    const batch = this.#waiting.splice(0, MAX_CALLS)
    const replies = this.#commit(batch) ?? batch.map((waiting) => this.#commitAlone(waiting))
    const byCaller = new Map<Caller, CallReply[]>()
    for (const [i, { caller }] of batch.entries()) {
      const own = byCaller.get(caller) ?? []
      byCaller.set(caller, own)
      const reply = replies[i]
      if (reply !== undefined) own.push(reply)
    }
    for (const [caller, own] of byCaller) caller.reply(own)
    const events = this.#events
    this.#events = []
    if (events.length > 0) this.#options.onEvents(events)
  }

  /** Null: nothing of it has happened. */
  #commit(batch: readonly Waiting[]): CallReply[] | null {
    try {
      return this.#transact(() => batch.map(({ call }) => this.#run(call)))
    } catch (thrown) {
      if (batch.length > 1) return null
      return batch.map(({ call }) => this.#refuse(call, thrown))
    }
  }

  #commitAlone({ call }: Waiting): CallReply {
    try {
      return this.#transact(() => this.#run(call))
    } catch (thrown) {
      return this.#refuse(call, thrown)
    }
  }

  #run({ n, name, args }: CallMessage): CallReply {
    return { n, value: this.#options.source.run(name, args) }
  }

  #transact<T>(act: () => T): T {
    const { connection, source } = this.#options
    connection.exec('BEGIN IMMEDIATE')
    try {
      const result = act()
      connection.exec('COMMIT')
      this.#events.push(...source.takeEvents())
      return result
    } catch (thrown) {
      source.takeEvents()
      // After some errors SQLite has rolled back by itself (https://sqlite.org/lang_transaction.html, 3).
      if (connection.inTransaction) connection.exec('ROLLBACK')
      throw thrown
    }
  }

  #refuse({ n, name }: CallMessage, thrown: unknown): CallReply {
    const { noun, onTrouble } = this.#options
    // What a store itself refuses is no trouble of its file.
    if (!(thrown instanceof GatewayError)) {
      const text = thrown instanceof Error ? thrown.message : String(thrown)
      onTrouble(`${name}: ${codeOf(thrown)} ${text}`)
    }
    return { n, error: errorOf(thrown, noun) }
  }
}

/** Errors that last until someone repairs the file (https://sqlite.org/rescode.html); with extended codes. */
const LASTING = /^SQLITE_(?:READONLY|CORRUPT|NOTADB|CANTOPEN|PERM|AUTH|FORMAT)/

function errorOf(thrown: unknown, noun: string): ErrorData {
  if (thrown instanceof GatewayError) return thrown.data
  const code = codeOf(thrown)
  if (code === 'SQLITE_FULL') return errorData('storage_full')
  if (LASTING.test(code)) {
    const message = `The ${noun} file is damaged or not writable. See the gateway's log.`
    return errorData('storage_unavailable', { message })
  }
  if (!code.startsWith('SQLITE_')) return errorData('internal')
  const message = `The ${noun} is temporarily unavailable.`
  return errorData('overloaded', { message, retryAfterMs: RETRY_AFTER_MS })
}
