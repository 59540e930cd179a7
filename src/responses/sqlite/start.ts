// Starts the thread that owns the file of stored answers; one per process. Loaded only where answers are stored in SQLite.
import { workerEntry } from '../../package-files.js'
import { type StoreThread, startStoreThread } from '../../sqlite/store-thread.js'

/** workerData of workers/answers. */
export type ResponsesStart = {
  readonly path: string
  /** One Float64, added to the thread's clock: for tests that move time. */
  readonly clockOffset: SharedArrayBuffer | null
}

export type ResponsesFileOptions = {
  readonly path: string
  /** The thread is no longer usable, or its disk fails: one line for the log. */
  readonly onTrouble: (message: string) => void
  readonly clockOffset?: SharedArrayBuffer
}

/**
 * Opens the file on a thread of its own. Its ports are for `PortStore`.
 * @throws misconfigured, naming the file, when it is damaged, foreign, newer, in use or cannot be had
 */
export function startResponsesFile({ path, onTrouble, clockOffset }: ResponsesFileOptions): Promise<StoreThread> {
  const workerData: ResponsesStart = { path, clockOffset: clockOffset ?? null }
  return startStoreThread({ workerUrl: workerEntry('answers'), workerData, noun: 'response store', path, onTrouble })
}
