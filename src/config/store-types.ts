// What is kept: answers that clients may continue and retrieve by their ids, and the database of keys and teams.

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

/** Keys and teams in a database. `off`: the keys of the configuration file are all there are. Otherwise every request needs a key, also while there is none. */
export type AccountsConfig = {
  readonly store: 'off' | 'sqlite' | 'postgres'
  /** Absolute; of the sqlite store. */
  readonly path: string
  /** Of the postgres store; may contain a password. */
  readonly url: string | null
  /** Memory of the directory that all event loops read is set aside for so many. */
  readonly maxKeys: number
  /** Absolute; the folder of what is reserved and spent of budgets. */
  readonly journal: string
  /** What is written there by all event loops may take so much. */
  readonly maxJournalBytes: number
  /** Keys may be used for so long while the database of the postgres store is away. */
  readonly maxStaleMs: number
  /** Absolute; the file of keys for a start without that database. */
  readonly snapshot: string
  /** No other gateway uses the database of the postgres store. */
  readonly singleNode: boolean
  /** Signs browser tokens; null for the database's own. */
  readonly tokenSecret: string | null
  readonly previousTokenSecret: string | null
  /** How long sums of what keys have spent are kept. */
  readonly spend: { readonly hourlyDays: number; readonly dailyDays: number }
}
