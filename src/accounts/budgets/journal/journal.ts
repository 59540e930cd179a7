// A journal of one event loop: a file to which each reservation is appended before its request is sent, and each settlement, in one write for
// all of a turn. What is written survives the end of the process; a second's writes may be lost with the machine.
//
// A reservation without a settlement is charged as it was held: the provider may have served it.
import { closeSync, fdatasync, ftruncateSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { type Charge } from '../../types.js'
import { JournalRecords, MAGIC } from './records.js'
import { type JournalSpace } from './space.js'

export const JOURNAL_SUFFIX = '.journal'
/** It tells what users spend: for the owner alone. */
const FILE_MODE = 0o600
const DIRECTORY_MODE = 0o700

/** One file, made by its first record. */
export class Journal {
  readonly id: string
  readonly #folder: string
  readonly #path: string
  readonly #space: JournalSpace | null
  readonly #waiting = new JournalRecords()
  #fd: number | null = null
  /** Bytes up to the end of the last whole record. */
  #length = 0
  #isDirty = false

  /** `id`: no other journal has it; `space`: what all of them take. */
  constructor(folder: string, id: string, space: JournalSpace | null = null) {
    this.id = id
    this.#space = space
    this.#folder = folder
    this.#path = join(folder, id + JOURNAL_SUFFIX)
  }

  get length(): number {
    return this.#length
  }

  /** Waits until the next `flush`, and no longer: it is written by that one, or never. */
  reserve(n: number, charges: readonly Charge[]): void {
    this.#waiting.reserve(n, charges)
  }

  /** Waits until the next `flush`. */
  extend(n: number, charges: readonly Charge[]): void {
    this.#waiting.extend(n, charges)
  }

  /** Waits until the next `flush`. */
  settle(n: number, sequence: number, charges: readonly Charge[]): void {
    this.#waiting.settle(n, sequence, charges)
  }

  /** Writes what waits, without waiting for the disk. False: nothing of it could be written; all but reservations waits further. */
  flush(): boolean {
    if (this.#waiting.isEmpty) return true
    if (!this.#writeAll()) {
      this.#waiting.dropReservations()
      return false
    }
    this.#waiting.clear()
    return true
  }

  /** Resolves when everything written so far is on the disk; false where it could not be brought there. */
  sync(): Promise<boolean> {
    const fd = this.#fd
    if (fd === null || !this.#isDirty) return Promise.resolve(true)
    this.#isDirty = false
    return new Promise((resolve) => {
      fdatasync(fd, (error) => {
        if (error !== null) this.#isDirty = true
        resolve(error === null)
      })
    })
  }

  /** Deletes the file: for a journal of which the database has everything. */
  remove(): void {
    if (this.#fd === null) return
    closeSync(this.#fd)
    this.#fd = null
    rmSync(this.#path, { force: true })
    this.#space?.change(this.#length, 0)
  }

  #open(): number {
    mkdirSync(this.#folder, { recursive: true, mode: DIRECTORY_MODE })
    return openSync(this.#path, 'ax', FILE_MODE)
  }

  #writeAll(): boolean {
    try {
      this.#fd ??= this.#open()
    } catch {
      return false
    }
    if (this.#length === 0 && !this.#write(this.#fd, MAGIC)) return false
    return this.#write(this.#fd, this.#waiting.bytes)
  }

  /** All of it, or nothing. */
  #write(fd: number, bytes: Uint8Array): boolean {
    let written = 0
    try {
      while (written < bytes.length) written += writeSync(fd, bytes, written, bytes.length - written)
    } catch {
      this.#cutBack(fd, written)
      return false
    }
    this.#grow(written)
    this.#isDirty = true
    return true
  }

  /** Takes away the part of a record that was written. */
  #cutBack(fd: number, written: number): void {
    if (written === 0) return
    try {
      ftruncateSync(fd, this.#length)
    } catch {
      // A reader passes it over; what is appended now stands behind it.
      this.#grow(written)
    }
  }

  #grow(bytes: number): void {
    this.#space?.change(this.#length, this.#length + bytes)
    this.#length += bytes
  }
}
