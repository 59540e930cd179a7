// The thread that owns the database of keys and teams, so that no event loop ever waits for a disk. It alone writes the directory, which
// all loops read without asking it.
//
//   event loop 0 --port--.                                      .--> directory (shared memory)
//   event loop 1 --port--+--> [ calls waiting ] --> commit -----+--> reply to the caller
//   event loop n --port--'                                      '--> `changed` to all ports
import { randomBytes } from 'node:crypto'
import { type MessagePort } from 'node:worker_threads'
import { GatewayError, toGatewayError } from '../errors.js'
import { createAccountCells } from '../limit/local/place-cells.js'
import { type FolderLock } from '../sqlite/folder-lock.js'
import { type Adjusted, BudgetWriter } from './budgets/writer.js'
import { checkBudgets, NEEDS_REDIS, unheldBudgets } from './database/budgets/budgets.js'
import { recoverJournals } from './database/budgets/recover.js'
import { lockJournals } from './database/budgets/replay.js'
import { forgetWindows } from './database/budgets/spend.js'
import { callsOver, READING } from './database/calls.js'
import { Commits } from './database/commits.js'
import { type AccountsWriter, Feed } from './database/feed.js'
import { Keys, nameTaken, takenName } from './database/keys.js'
import { forgetRollups } from './database/rollups/add-rollups.js'
import { UserNames } from './database/rollups/user-names.js'
import { type AccountsDatabase, createClock, type Database, type Ground } from './database/rows.js'
import { sharedSecretOf } from './database/settings.js'
import { writeSharedSecret } from './directory/shared-secret.js'
import { DirectoryWriter } from './directory/writer.js'
import { KeyUses } from './key-uses.js'
import {
  type AccountsStart,
  type CallMessage,
  type FromAccounts,
  type FromStore,
  type ToAccounts,
  type ToStore,
} from './messages.js'
import { DAY_MS } from './rollups/types.js'
import { type SharedBudgets } from './shared-budgets.js'
import { Fallback } from './snapshot/fallback.js'
import { Troubles } from './troubles.js'

/** A change of one node is on every other after this at the latest, and usually by its hint at once. */
const LOOK_EVERY_MS = 1000
/** How often rollups that are old are deleted: those of an hour at a time. */
const FORGET_EVERY_MS = 3_600_000
const FROM_SNAPSHOT =
  'Only keys known before are accepted, and requests that fall under a budget get 503 until the database is back.'
/** Of a database that may be back soon: it cannot be opened, or is away since it was. */
const PASSING: ReadonlySet<string> = new Set(['misconfigured', 'overloaded'])
const NOT_YET = GatewayError.shared('overloaded', {
  message: 'The account database cannot be reached.',
  retryAfterMs: LOOK_EVERY_MS,
})

/** Opens the database and serves it until the close message, or reports why it cannot. */
export async function serveAccounts(
  start: AccountsStart,
  parent: MessagePort,
  writer: AccountsWriter = new DirectoryWriter(start.directory, start.limits && createAccountCells(start.limits)),
): Promise<void> {
  const tell = (message: FromAccounts): void => parent.postMessage(message)
  try {
    const Shared = start.directory.budgets.shared !== null ? (await import('./shared-budgets.js')).SharedBudgets : null
    const thread = await startThread({ start, writer, database: await openDatabase(start), Shared, tell })
    thread.follow()
    parent.on('message', (message: ToAccounts) => {
      if (message.type === 'connect') thread.connect(message.port)
      if (message.type === 'reserve') void thread.reserve(message.fileKeys)
      if (message.type === 'close') void thread.close().finally(() => parent.close())
    })
    tell({ type: 'opened' })
  } catch (thrown) {
    tell({ type: 'refused', error: toGatewayError(thrown).data })
    parent.close()
  }
}

/** Loads what the database needs, and nothing of the other. */
async function openDatabase({ database, directory }: AccountsStart): Promise<AccountsDatabase> {
  if (database.store === 'sqlite') return (await import('./database/sqlite.js')).openAccountsFile(database.path)
  return (await import('./database/postgres.js')).openPostgres(database.url, directory.budgets.shared?.node)
}

/** @throws misconfigured, with the database closed */
async function startThread(options: ThreadOptions): Promise<AccountsThread> {
  try {
    const thread = new AccountsThread(options)
    await thread.start()
    return thread
  } catch (thrown) {
    await options.database.close()
    throw thrown
  }
}

type ThreadOptions = {
  readonly start: AccountsStart
  readonly writer: AccountsWriter
  readonly database: AccountsDatabase
  /** Null: no other node spends from the budgets. */
  readonly Shared: typeof SharedBudgets | null
  readonly tell: (message: FromAccounts) => void
}

class AccountsThread {
  readonly #options: ThreadOptions
  readonly #ground: Ground
  readonly #budgets: BudgetWriter
  readonly #feed: Feed
  readonly #commits: Commits
  readonly #fallback: Fallback
  readonly #uses: KeyUses
  readonly #troubles: Troubles
  readonly #ports = new Set<MessagePort>()
  /** Null: no other node spends from the budgets. */
  readonly #shared: SharedBudgets | null
  #reserved: ReadonlySet<string>
  /** Of the folder of journals, until the thread ends. */
  #journals: FolderLock | null = null
  #looking: NodeJS.Timeout | null = null
  #forgetting: NodeJS.Timeout | null = null
  /** What is in the directory is from the database. */
  #isLoaded = false
  #isLooking = false
  #isStarted = false

  constructor(options: ThreadOptions) {
    const { start, writer, database, Shared, tell } = options
    this.#options = options
    this.#troubles = new Troubles((message) => tell({ type: 'trouble', message }))
    this.#reserved = new Set(start.fileKeys)
    const nowMs = createClock(start.clockOffset)
    this.#budgets = new BudgetWriter(start.directory.budgets, nowMs)
    this.#ground = {
      nowMs,
      random: randomBytes,
      maxKeys: start.directory.maxKeys,
      users: new UserNames(),
      isReserved: (name) => this.#reserved.has(name),
      noBudgets: database.shared === null || start.isSingleNode === true || Shared !== null ? null : NEEDS_REDIS,
      usageOf: (id) => this.#budgets.usage(id),
      chargedId: (id) => this.#budgets.chargedId(id),
    }
    if (this.#ground.noBudgets !== null) this.#budgets.holdNone()
    const isSpendKnown = () => this.#isLoaded
    this.#shared =
      Shared === null ? null : new Shared({ start, writer: this.#budgets, nowMs, run: this.#run, isSpendKnown })
    this.#feed = new Feed({
      ...{ writer, budgets: this.#shared?.writer ?? this.#budgets, nowMs },
      onLeftOut: (leftOut) => this.#troubles.leftOut(leftOut),
      onApplied: () => {
        this.#fallback.note()
        if (this.#isStarted) this.#reportUnheld()
      },
    })
    this.#commits = new Commits({
      ...{ database, feed: this.#feed },
      onFailure: (thrown) => this.#troubles.failed(thrown, database),
      onChanged: (ids) => {
        for (const port of this.#ports) port.postMessage({ type: 'event', event: { type: 'changed', ids } })
      },
    })
    this.#fallback = new Fallback({
      ...{ start, place: database.shared?.place ?? null, keys: writer, budgets: this.#budgets, nowMs },
      report: (message) => this.#troubles.report(message),
    })
    this.#uses = new KeyUses((uses) => this.#run((db) => new Keys(db, this.#ground).noteUses(uses)))
  }

  /**
   * Fills the directory, from the snapshot where the database is away.
   * @throws misconfigured where neither is possible, or the configuration file has a name of the database
   */
  async start(): Promise<void> {
    try {
      await this.#load()
    } catch (thrown) {
      const { data } = toGatewayError(thrown)
      if (!PASSING.has(data.code) || !data.retryable || !this.#restore()) throw thrown
      this.#troubles.startedAway(`${data.message} ${FROM_SNAPSHOT}`)
    }
    this.#isStarted = true
    this.#reportUnheld()
    await this.#shared?.start()
  }

  /** Fills the directory from the database. */
  async #load(): Promise<void> {
    await this.#options.database.prepare()
    await this.#replay()
    const taken = await this.#commits.run((db) => takenName(db, [...this.#reserved]))
    if (taken !== null) throw nameTaken(taken)
    const { random } = this.#ground
    const secret = await this.#commits.run((db) => sharedSecretOf(db, 'browser-tokens', random))
    writeSharedSecret(this.#options.start.directory.tokenSecret, secret)
    await this.#shared?.learnSecret((db) => sharedSecretOf(db, 'budgets', random), this.#commits)
    // A gateway that runs already goes on: it refuses the requests that fall under them.
    if (!this.#isStarted) checkBudgets(this.#ground, this.#budgets)
    this.#isLoaded = true
    this.#fallback.seen()
  }

  /** Goes on with what was read before the database was away, or else was known last. False: nothing is known, or it is too old. */
  #restore(): boolean {
    if (!this.#feed.isEmpty && this.#fallback.isAllowed) {
      checkBudgets(this.#ground, this.#budgets)
      this.#fallback.restored({ seenAtMs: this.#ground.nowMs() })
      return true
    }
    const found = this.#fallback.read()
    if (found === null) return false
    const taken = found.listings.find(({ account }) => this.#reserved.has(account.name))
    if (taken !== undefined) throw nameTaken(taken.account.name)
    this.#feed.restore(found)
    checkBudgets(this.#ground, this.#budgets)
    this.#fallback.restored(found)
    return true
  }

  /** Adds what a process that was killed has left, before the directory is filled with what is spent. */
  async #replay(): Promise<void> {
    const { journal } = this.#options.start
    if (journal === undefined || this.#ground.noBudgets !== null) return
    this.#journals ??= lockJournals(journal, (message) => this.#troubles.report(message))
    const node = this.#shared?.node ?? null
    await recoverJournals((act, kind) => this.#commits.run(act, kind), { journal, node, nowMs: this.#ground.nowMs })
  }

  /** Looks each second, and at each hint, for what other nodes have changed; forgets what is old. */
  follow(): void {
    void this.#forget()
    this.#forgetting = setInterval(() => void this.#forget(), FORGET_EVERY_MS)
    const { shared } = this.#options.database
    if (shared === null) return
    shared.listen(() => void this.#look())
    this.#looking = setInterval(() => {
      this.#fallback.check()
      void this.#look()
    }, LOOK_EVERY_MS)
  }

  connect(port: MessagePort): void {
    this.#ports.add(port)
    port.on('message', (message: ToStore) => {
      if (message.type === 'call') void this.#answer(port, message)
      else if (message.type === 'uses') this.#uses.note(message.uses)
      else void this.#shared?.take(port, message)
    })
    port.once('close', () => this.#ports.delete(port))
  }

  async reserve(fileKeys: readonly string[]): Promise<void> {
    const before = this.#reserved
    // Before the look, so that no key takes a name in the meantime.
    this.#reserved = new Set([...before, ...fileKeys])
    // A configuration without further names needs no database: it may be away.
    const further = fileKeys.filter((name) => !before.has(name))
    const error = await (further.length === 0 ? Promise.resolve(null) : this.#run((db) => takenName(db, further))).then(
      (taken) => (taken === null ? null : nameTaken(taken)),
      toGatewayError,
    )
    this.#reserved = error === null ? new Set(fileKeys) : before
    this.#options.tell({ type: 'reserved', error: error?.data ?? null })
  }

  async close(): Promise<void> {
    for (const timer of [this.#looking, this.#forgetting]) if (timer !== null) clearInterval(timer)
    await this.#uses.flush()
    await this.#shared?.close()
    await this.#commits.idle()
    await this.#fallback.close()
    await this.#options.database.close()
    this.#journals?.release()
    for (const port of this.#ports) port.close()
  }

  /** @throws overloaded before the database has been there */
  #run: Commits['run'] = (act, kind) => (this.#isLoaded ? this.#commits.run(act, kind) : Promise.reject(NOT_YET))

  async #answer(port: MessagePort, { n, name, args }: CallMessage): Promise<void> {
    const act = (db: Database): Promise<unknown> => {
      const call = callsOver(db, this.#ground)[name] as (...args: readonly unknown[]) => Promise<unknown>
      return call(...args)
    }
    const reply = await this.#run(act, READING.has(name) ? 'read' : 'change')
      .then((value) => {
        // What is spent is in the cells of event loops, where every change of it is an addition.
        if (this.#shared !== null) return this.#shared.show({ name, args }, value)
        if (name === 'adjustBudget') this.#budgets.adjust(value as Adjusted)
        return value
      })
      .then(
        (value): FromStore => ({ type: 'value', n, value }),
        (thrown: unknown): FromStore => ({ type: 'error', n, error: toGatewayError(thrown).data }),
      )
    port.postMessage(reply)
  }

  /** Every commit reads what has changed; this one does nothing else. */
  async #look(): Promise<void> {
    if (this.#isLooking) return
    this.#isLooking = true
    const isThere = await (this.#isLoaded ? this.#commits.run(async () => true, 'read') : this.#tryToLoad()).catch(
      () => false,
    )
    this.#isLooking = false
    if (!isThere) return this.#fallback.missed()
    this.#fallback.seen()
    this.#troubles.answered()
  }

  /** Another node may have created budgets that this one cannot hold. */
  #reportUnheld(): void {
    this.#troubles.unheld(unheldBudgets(this.#ground, this.#budgets))
  }

  /** After a start without the database. What keeps it from being used is told once. */
  async #tryToLoad(): Promise<boolean> {
    try {
      await this.#load()
      return true
    } catch (thrown) {
      this.#troubles.refused(toGatewayError(thrown).data)
      return false
    }
  }

  /** What cannot be done now is done the next time. */
  async #forget(): Promise<void> {
    const { rollups } = this.#options.start
    if (rollups === undefined) return
    const nowMs = this.#ground.nowMs()
    await this.#run(async (db) => {
      await forgetRollups(db, rollups, Math.floor(nowMs / DAY_MS), nowMs)
      await forgetWindows(db, rollups.dailyDays, nowMs)
    }).catch(() => undefined)
  }
}
