// The effective configuration of jobs: `jobs` of the file.

/** Asynchronous jobs. */
export type JobsConfig = {
  readonly store: 'sqlite' | 'redis'
  /** Absolute; of the sqlite store. */
  readonly path: string
  /** Run at once by this process. */
  readonly concurrency: number
  readonly attempts: number
  readonly timeoutMs: number
  readonly retentionMs: number
  /** Lease of a running job or webhook, which its runner renews. */
  readonly leaseMs: number
  /** Jobs that may wait, of one gateway key and of all. */
  readonly maxPendingPerKey: number
  readonly maxPending: number
  /** Bytes that the store may keep of one key, and of all. */
  readonly maxStoredBytesPerKey: number
  readonly maxStoredBytes: number
  /** Largest answer that is kept for repetitions. */
  readonly maxAnswerBytes: number
  readonly webhook: {
    /** Null: webhooks are not signed. */
    readonly secret: string | null
    readonly previousSecret: string | null
    readonly allowInsecure: boolean
    readonly allowPrivateNetworks: boolean
    readonly timeoutMs: number
  }
}
