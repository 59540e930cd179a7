// What a call needs of the connections to one origin, whichever version of HTTP they speak.
import { type Dispatcher } from 'undici'

/** undici's handler, and what a pool needs to know about the request. */
export type PooledHandler = Dispatcher.DispatchHandler & {
  /** The call has ended or was aborted. */
  readonly isOver: boolean
  /** A connection that has served one owner serves no other. Compared by identity; null is shared by all requests without an owner. */
  readonly owner: unknown
  /** `controller` is null if the request never reached a connection. */
  onResponseError(controller: unknown, error: Error): void
}

/** Open connections, and those with a request on them. */
export type PoolCounts = { readonly open: number; readonly busy: number }

export type UpstreamPool = {
  /** Connections with a request, or on their way to one. */
  readonly busy: number
  /** Walks all of them: for a scrape. */
  stats(): PoolCounts
  /** Sends the request when there is a connection for it. Never throws: errors reach the handler. */
  dispatch(options: Dispatcher.DispatchOptions, handler: PooledHandler): void
  /** Sends a request again that a stale connection has lost, a turn of the loop later. A closing pool still serves it. */
  dispatchAgain(options: Dispatcher.DispatchOptions, handler: PooledHandler): void
  /** The request was aborted: removes it if it waits. */
  forget(handler: PooledHandler): void
  /** Takes no new request; resolves when the last one, waiting ones included, is done. */
  close(): Promise<void>
  /** Ends all requests, and those that wait, with an error. */
  destroy(): Promise<void>
}
