// The messages between event loops and the thread of keys and teams. Plain data; each loop has its own port to the thread.
import { type MessagePort } from 'node:worker_threads'
import { type SharedLimits } from '../limit/local/place-cells.js'
import { type ErrorData } from '../model/error.js'
import { type ClaimsNews } from './budgets/shared/node-claims.js'
import { type Want } from './budgets/shared/shared-set.js'
import { type RollupDays } from './database/rollups/add-rollups.js'
import { type DirectoryMemory } from './directory/memory.js'
import { type AccountCalls, type AccountsEvent, type KeyUse } from './store.js'

/** workerData of workers/accounts. */
export type AccountsStart = {
  /** The URL of PostgreSQL may contain a password. */
  readonly database:
    | { readonly store: 'sqlite'; readonly path: string }
    | { readonly store: 'postgres'; readonly url: string }
  /** Filled by the thread, read by all event loops. */
  readonly directory: DirectoryMemory
  /** Where keys have their limits: a place goes to another key only when nothing of the former one runs. Absent: keys have none. */
  readonly limits?: SharedLimits
  /** The names of the keys of the configuration file. */
  readonly fileKeys: readonly string[]
  /** No other node spends from the budgets of a PostgreSQL database; absent: others may. */
  readonly isSingleNode?: boolean
  /** Where nodes share their budgets, if `directory` says that they do. The URL may contain a password. */
  readonly redis?: { readonly url: string; readonly onDown: 'closed' | 'local' }
  /** The folder of the journals of budgets; absent: there are none. */
  readonly journal?: string
  /** Keys are used for so long while a PostgreSQL database is away, from this file after a start; absent: at no start without it. */
  readonly snapshot?: { readonly path: string; readonly maxStaleMs: number }
  /** How long rollups of spend are kept; absent: for ever. */
  readonly rollups?: RollupDays
  /** One Float64, added to the thread's clock: for tests that move time. */
  readonly clockOffset: SharedArrayBuffer | null
}

/** From the thread that started it. */
export type ToAccounts =
  | { readonly type: 'connect'; readonly port: MessagePort }
  /** The keys that the configuration file has now: refused where the database has one of these names. */
  | { readonly type: 'reserve'; readonly fileKeys: readonly string[] }
  /** Answers pending calls, closes the database and ends. */
  | { readonly type: 'close' }

export type FromAccounts =
  | { readonly type: 'opened' }
  | { readonly type: 'refused'; readonly error: ErrorData }
  /** The answer to `reserve`; null where the names are free. */
  | { readonly type: 'reserved'; readonly error: ErrorData | null }
  /** The database is ill; for the log. The calls concerned have failed. */
  | { readonly type: 'trouble'; readonly message: string }

/** From an event loop, on its port. */
export type ToStore =
  | CallMessage
  | { readonly type: 'uses'; readonly uses: readonly KeyUse[] }
  | { readonly type: 'claim'; readonly n: number; readonly wants: readonly Want[] }
  /** News of claims go to this port, and to no other. */
  | { readonly type: 'listen' }

export type CallMessage = {
  readonly type: 'call'
  readonly n: number
  readonly name: keyof AccountCalls
  readonly args: readonly unknown[]
}

/** To an event loop. */
export type FromStore =
  | Reply
  | { readonly type: 'event'; readonly event: AccountsEvent }
  | { readonly type: 'news'; readonly news: ClaimsNews }

export type Reply =
  | { readonly type: 'value'; readonly n: number; readonly value: unknown }
  | { readonly type: 'error'; readonly n: number; readonly error: ErrorData }
