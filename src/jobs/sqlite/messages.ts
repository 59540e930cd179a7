// The messages between event loops and the thread of the job store. Plain data; each loop has its own port to the thread.
import { type CallReply } from '../../sqlite/messages.js'
import { type Heir, type StoreCalls, type StoreEvent } from '../store.js'

/** workerData of workers/jobs. */
export type StoreStart = {
  readonly path: string
  readonly heirs: readonly Heir[]
  /** One Float64, added to the thread's clock: for tests that move time. */
  readonly clockOffset: SharedArrayBuffer | null
}

/** From an event loop, on its port. */
export type JobCall = { readonly n: number; readonly name: keyof StoreCalls; readonly args: readonly unknown[] }

/** To an event loop: the answers of one commit, or its events. */
export type PortMessage =
  | { readonly type: 'replies'; readonly replies: readonly CallReply[] }
  | { readonly type: 'events'; readonly events: readonly StoreEvent[] }
