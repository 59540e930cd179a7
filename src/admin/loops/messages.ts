// The messages between event loop 0, which has the admin listener, and another one. Plain data; the bytes of frames are moved.
import { type ErrorData } from '../../model/error.js'
import { type SeenEnd } from '../../pipeline/outside-view.js'
import { type LoopCalls, type StreamEntry } from './loop-calls.js'

/** To the loop that is asked. Calls and watches have numbers of the asker's choice. */
export type ToLoop =
  | { readonly type: 'call'; readonly n: number; readonly name: keyof LoopCalls; readonly args: readonly unknown[] }
  | { readonly type: 'watch'; readonly n: number; readonly id: string }
  /** So many bytes were read, so as many more may be sent. */
  | { readonly type: 'took'; readonly n: number; readonly bytes: number }
  | { readonly type: 'unwatch'; readonly n: number }

/** To loop 0. */
export type FromLoop =
  | { readonly type: 'value'; readonly n: number; readonly value: unknown }
  | { readonly type: 'failed'; readonly n: number; readonly error: ErrorData }
  /** The answer to `watch`; null: there is no such exchange. */
  | { readonly type: 'watching'; readonly n: number; readonly entry: StreamEntry | null }
  | { readonly type: 'frames'; readonly n: number; readonly bytes: Uint8Array }
  | { readonly type: 'cut'; readonly n: number }
  | { readonly type: 'end'; readonly n: number; readonly end: SeenEnd }
