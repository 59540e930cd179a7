// The one thread of this process that owns the file of the embedded job store, started when an event loop first needs it.
import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { type MessagePort } from 'node:worker_threads'
import { startSqlite } from '../jobs/sqlite/store.js'
import { type Heir } from '../jobs/store.js'
import { type StoreThread } from '../sqlite/store-thread.js'

export type JobThreadOptions = {
  readonly path: string
  readonly heirs?: readonly Heir[]
  /** The disk or the thread has failed: one line for the log. */
  readonly onTrouble: (message: string) => void
}

/** Started at most once at a time; a start that fails may be tried again. */
export class JobThread {
  readonly #options: JobThreadOptions
  #starting: Promise<StoreThread> | null = null

  constructor(options: JobThreadOptions) {
    this.#options = options
  }

  /** True if there are jobs of an earlier process, so that a problem with their file must be reported at start. */
  get hasFile(): boolean {
    return existsSync(this.#options.path)
  }

  /** The reason why the file could not be created now, checked without creating it; null if it could be, or exists. */
  get fault(): string | null {
    const { path } = this.#options
    if (existsSync(path)) return null
    let folder = dirname(path)
    while (!existsSync(folder) && folder !== dirname(folder)) folder = dirname(folder)
    try {
      if (!statSync(folder).isDirectory())
        return `The job store ${path} cannot be created: ${folder} is not a directory.`
      accessSync(folder, constants.W_OK | constants.X_OK)
      return null
    } catch (thrown) {
      return `The job store ${path} cannot be created: ${thrown instanceof Error ? thrown.message : String(thrown)}.`
    }
  }

  /** @throws misconfigured, naming the file, when it is damaged, foreign, newer, in use or cannot be opened */
  async connect(): Promise<MessagePort> {
    this.#starting ??= startSqlite(this.#options).catch((thrown: unknown) => {
      this.#starting = null
      throw thrown
    })
    return (await this.#starting).connect()
  }

  /** Answers pending calls, then closes the file. */
  async close(): Promise<void> {
    const thread = await this.#starting?.catch(() => null)
    await thread?.close()
  }
}
