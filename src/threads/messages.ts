// The messages between the supervisor and its further event loops. Plain data; everything else they share is cells.
import { type MessagePort } from 'node:worker_threads'
import { type DirectoryMemory } from '../accounts/directory/memory.js'
import { type SlotTable } from '../config/live/slot-table.js'
import { type Config } from '../config/types.js'

/** Memory shared by all event loops of the process, and the table of the slots of names in it. */
export type SharedCells = {
  readonly limiter: SharedArrayBuffer
  readonly receiving: SharedArrayBuffer
  readonly fetched: SharedArrayBuffer
  readonly kept: SharedArrayBuffer
  readonly linkSecret: SharedArrayBuffer
  readonly metrics: SharedArrayBuffer
  readonly ledger: SlotTable
  /** Keys of the account database; null without one. */
  readonly directory: DirectoryMemory | null
}

/** A thread of the process that event loops reach by ports: the job store, or the account database. */
export type StoreThread = 'jobs' | 'accounts'

/** What one event loop reaches on another: kept streams, the store of answers, or what the admin API shows of it. */
export type PeerPurpose = 'streams' | 'responses' | 'admin'

/** workerData of workers/frontend. */
export type FrontendStart = {
  readonly config: Config
  readonly cells: SharedCells
  /** 1, 2, ...; event loop 0 is the main thread's. */
  readonly loopIndex: number
  readonly port: number
}

export type ToFrontend =
  | { readonly type: 'drain'; readonly graceMs: number }
  /** Ends at once, also during a drain. */
  | { readonly type: 'end' }
  /** The answer to `connect-store`: a transferred port, or the reason why there is none. */
  | {
      readonly type: 'store-port'
      readonly store: StoreThread
      readonly port: MessagePort | null
      readonly reason: string
    }
  /** The answer to `connect-loop`: a transferred port, or null if there is no such loop. */
  | {
      readonly type: 'loop-port'
      readonly loopIndex: number
      readonly purpose: PeerPurpose
      readonly port: MessagePort | null
    }
  /** Another event loop reaches what this one holds through the transferred port. */
  | { readonly type: 'peer'; readonly purpose: PeerPurpose; readonly port: MessagePort }
  | { readonly type: 'reopen-log' }
  | { readonly type: 'reload'; readonly config: Config; readonly ledger: SlotTable }

export type FromFrontend =
  | { readonly type: 'listening' }
  | { readonly type: 'drained' }
  | { readonly type: 'ended' }
  /** Requests a port to the thread of a store; one request for each at a time. */
  | { readonly type: 'connect-store'; readonly store: StoreThread }
  /** Requests a port to what another event loop holds; one request for a loop and a purpose at a time. */
  | { readonly type: 'connect-loop'; readonly loopIndex: number; readonly purpose: PeerPurpose }
  | { readonly type: 'reloaded' }
  | { readonly type: 'reopened' }
  | { readonly type: 'failed'; readonly message: string }
