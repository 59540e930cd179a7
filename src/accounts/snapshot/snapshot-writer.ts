// Writes the snapshot of the directory: at once after a change, then at most for a twentieth of the time, so that a hundred thousand keys
// are not written at each of many changes. A file is written whole under another name, brought to the disk, and takes the place of the
// former one in one step.
import { createHash } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { HEAD_BYTES, headOf } from './snapshot-file.js'

/** It tells who has keys: for the owner alone. */
const FILE_MODE = 0o600
const DIRECTORY_MODE = 0o700
/** How often a file that has not changed is marked as confirmed, and one that cannot be written is tried again. */
const MARK_EVERY_MS = 10_000
/** Between the end of one and the beginning of the next, in multiples of how long it took. */
const PAUSES = 20
const MIN_PAUSE_MS = 200
/** Other work of the thread goes on in between. */
const LINES_A_TURN = 500

export type SnapshotOptions = {
  readonly path: string
  /** The lines of the file after its first, as they are now. */
  readonly lines: () => Iterable<string>
  /** Unix time. */
  readonly nowMs: () => number
  /** It cannot be written: for the log. Called once until it can be again. */
  readonly onFailure: (reason: string) => void
}

export class SnapshotWriter {
  readonly #options: SnapshotOptions
  #file: FileHandle | null = null
  #bodyHash = ''
  #isDirty = true
  #isFailing = false
  /** Unix ms at which the database has confirmed what is written next, and what the file says of that. */
  #seenMs = 0
  #markedMs = 0
  #writing: Promise<void> | null = null
  #timer: NodeJS.Timeout | null = null

  constructor(options: SnapshotOptions) {
    this.#options = options
  }

  /** The directory has changed, and the database says so. */
  note(): void {
    this.#isDirty = true
    this.#seenMs = this.#options.nowMs()
    if (this.#timer === null) this.#write()
  }

  /** The database has confirmed the directory. */
  seen(): void {
    this.#seenMs = this.#options.nowMs()
    if (this.#isDirty || this.#writing !== null || Math.abs(this.#seenMs - this.#markedMs) < MARK_EVERY_MS) return
    this.#writing = this.#mark().finally(() => {
      this.#writing = null
    })
  }

  /** Writes what is not written yet. */
  async close(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer)
    await this.#writing
    if (this.#seenMs > 0) await (this.#isDirty ? this.#writeOnce() : this.#mark())
    await this.#file?.close().catch(() => undefined)
    this.#file = null
  }

  #write(): void {
    if (this.#writing !== null) return
    const beganMs = performance.now()
    this.#writing = this.#writeOnce().finally(() => {
      this.#writing = null
      const pauseMs = this.#isFailing ? MARK_EVERY_MS : Math.max(MIN_PAUSE_MS, PAUSES * (performance.now() - beganMs))
      this.#timer = setTimeout(() => this.#resume(), pauseMs).unref()
    })
  }

  #resume(): void {
    this.#timer = null
    if (this.#isDirty) this.#write()
  }

  async #writeOnce(): Promise<void> {
    this.#isDirty = false
    const { path } = this.#options
    const draft = `${path}.${process.pid}.new`
    try {
      mkdirSync(dirname(path), { recursive: true, mode: DIRECTORY_MODE })
      const seenAtMs = this.#seenMs
      await rm(draft, { force: true })
      const file = await open(draft, 'wx', FILE_MODE)
      try {
        this.#bodyHash = await this.#writeBody(file)
        await writeAt(file, headOf(seenAtMs, this.#bodyHash), 0)
        await file.sync()
        await rename(draft, path)
      } catch (thrown) {
        await file.close()
        throw thrown
      }
      await this.#file?.close()
      this.#file = file
      this.#markedMs = seenAtMs
      this.#isFailing = false
    } catch (thrown) {
      await rm(draft, { force: true }).catch(() => undefined)
      this.#isDirty = true
      this.#fail(thrown)
    }
  }

  /** @returns the hash of what was written */
  async #writeBody(file: FileHandle): Promise<string> {
    const sum = createHash('sha256')
    let at = HEAD_BYTES
    let some: string[] = []
    const flush = async (): Promise<void> => {
      const text = some.join('')
      some = []
      sum.update(text)
      at += await writeAt(file, text, at)
    }
    for (const line of this.#options.lines()) {
      some.push(line)
      if (some.length >= LINES_A_TURN) await flush()
    }
    await flush()
    return sum.digest('hex')
  }

  async #mark(): Promise<void> {
    if (this.#file === null) return
    const seenAtMs = this.#seenMs
    try {
      await writeAt(this.#file, headOf(seenAtMs, this.#bodyHash), 0)
      this.#markedMs = seenAtMs
    } catch (thrown) {
      this.#fail(thrown)
    }
  }

  #fail(thrown: unknown): void {
    if (!this.#isFailing) this.#options.onFailure(thrown instanceof Error ? thrown.message : String(thrown))
    this.#isFailing = true
  }
}

/** @returns the number of bytes */
async function writeAt(file: FileHandle, text: string, position: number): Promise<number> {
  const bytes = Buffer.from(text)
  for (let from = 0; from < bytes.length; ) {
    from += (await file.write(bytes, from, bytes.length - from, position + from)).bytesWritten
  }
  return bytes.length
}
