// The messages between an event loop and the one that holds the answers. Plain data.
import { type ErrorData } from '../../model/error.js'
import { type ResponseStore } from '../store.js'

export type CallName = 'put' | 'advance' | 'get' | 'delete' | 'findItems'

/** To the store. `n` is the caller's number of the call. */
export type StoreCall = {
  readonly [Name in CallName]: {
    readonly n: number
    readonly name: Name
    readonly args: Parameters<ResponseStore[Name]>
  }
}[CallName]

/** From the store. */
export type StoreReply =
  | { readonly n: number; readonly value: unknown }
  | { readonly n: number; readonly error: ErrorData }
