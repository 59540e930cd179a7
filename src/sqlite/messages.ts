// The messages between a store's thread, the one that started it, and event loops. Plain data.
import { type MessagePort } from 'node:worker_threads'
import { type ErrorData } from '../model/error.js'

/** From the thread that started it. */
export type ToStore =
  /** An event loop makes its calls by this port. */
  | { readonly type: 'connect'; readonly port: MessagePort }
  /** Answers pending calls, closes the file and ends. */
  | { readonly type: 'close' }

export type FromStore =
  | { readonly type: 'opened' }
  | { readonly type: 'refused'; readonly error: ErrorData }
  /** The disk or the file is ill; for the log. The calls concerned have failed. */
  | { readonly type: 'trouble'; readonly message: string }

/** A call; `n` is the caller's number of it. */
export type CallMessage = { readonly n: number; readonly name: string; readonly args: readonly unknown[] }

export type CallReply =
  | { readonly n: number; readonly value: unknown }
  | { readonly n: number; readonly error: ErrorData }
