// Answers that clients may continue and retrieve by their ids.

/** Which store has them, and the rules of it. */
export type ResponsesConfig = {
  readonly store: 'memory' | 'sqlite' | 'redis' | 'off'
  /** Database file of the sqlite store, absolute. */
  readonly path: string
  /** How long one is stored. */
  readonly retentionMs: number
  /** Size of all, and of those of one key. */
  readonly maxBytes: number
  readonly maxBytesPerKey: number
  /** Those that run without their client, on each event loop. */
  readonly background: {
    readonly concurrency: number
    readonly maxPending: number
    readonly maxPendingPerKey: number
  }
  /** What becomes of a complete answer that cannot be stored. */
  readonly onStoreDown: 'fail' | 'forward'
  /** Clients may open WebSockets on the path of the API. */
  readonly webSocket: boolean
  /** Largest message there. */
  readonly maxMessageBytes: number
}
