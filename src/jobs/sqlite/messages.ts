// The messages between event loops and the thread of the store. Plain data; each loop has its own port to the thread.
import { type MessagePort } from 'node:worker_threads'
import { type ErrorData } from '../../model/error.js'
import { type Heir, type StoreCalls, type StoreEvent } from '../store.js'

/** workerData of workers/jobs. */
export type StoreStart = {
  readonly path: string
  readonly heirs: readonly Heir[]
  /** One Float64, added to the thread's clock: for tests that move time. */
  readonly clockOffset: SharedArrayBuffer | null
}

/** From the thread that started it. */
export type ToStore =
  | { readonly type: 'connect'; readonly port: MessagePort }
  /** Answers pending calls, closes the file and ends. */
  | { readonly type: 'close' }

export type FromStore =
  | { readonly type: 'opened' }
  | { readonly type: 'refused'; readonly error: ErrorData }
  /** The disk or the file is ill; for the log. The calls concerned have failed. */
  | { readonly type: 'trouble'; readonly message: string }

/** From an event loop, on its port. */
export type CallMessage = { readonly n: number; readonly name: keyof StoreCalls; readonly args: readonly unknown[] }

export type CallReply =
  | { readonly n: number; readonly value: unknown }
  | { readonly n: number; readonly error: ErrorData }

/** To an event loop: the answers of one commit, or its events. */
export type PortMessage =
  | { readonly type: 'replies'; readonly replies: readonly CallReply[] }
  | { readonly type: 'events'; readonly events: readonly StoreEvent[] }
