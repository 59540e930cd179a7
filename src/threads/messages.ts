// What the supervisor and its further event loops say to each other. Plain data; everything else they share is cells.
import { type Ledger } from '../config/ledger.js'
import { type Config } from '../config/types.js'

/** Memory shared by all event loops of the process, and which name has which place in it. */
export type SharedCells = {
  readonly limiter: SharedArrayBuffer
  readonly metrics: SharedArrayBuffer
  readonly ledger: Ledger
}

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
  | { readonly type: 'reload'; readonly config: Config; readonly ledger: Ledger }

export type FromFrontend =
  | { readonly type: 'listening' }
  | { readonly type: 'drained' }
  | { readonly type: 'reloaded' }
  | { readonly type: 'failed'; readonly message: string }
