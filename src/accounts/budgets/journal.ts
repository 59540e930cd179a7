// A journal of one event loop: a file to which each reservation is appended before its request is sent, and each settlement. What is
// written survives the end of the process; a second's writes may be lost with the machine.
//
//   ["r",1,[["budget_x",1764547200000,5000,0]]]     reservation 1: budget, beginning of its window, nano-dollars, tokens
//   ["e",1,[["budget_x",1764547200000,1000,0]]]     it holds more
//   ["s",1,[["budget_x",1764547200000,4100,0]],7]   it is settled, as settlement 7 of this journal
//
// A reservation without a settlement is charged as it was held: the provider may have served it.
import { closeSync, fdatasync, ftruncateSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { type Charge } from '../types.js'
import { ChargeSums } from './charge.js'

export const JOURNAL_SUFFIX = '.journal'
/** It tells what users spend: for the owner alone. */
const FILE_MODE = 0o600
const DIRECTORY_MODE = 0o700

type PackedCharge = readonly [budgetId: string, windowStartMs: number, nano: number, tokens: number]

/** One file, made by its first record. */
export class Journal {
  readonly id: string
  readonly #folder: string
  readonly #path: string
  #fd: number | null = null
  /** Bytes of whole records. */
  #length = 0
  #waiting = ''
  #isDirty = false
  /** A part of a record is at its end. */
  #isTorn = false

  /** `id`: no other journal has it. */
  constructor(folder: string, id: string) {
    this.id = id
    this.#folder = folder
    this.#path = join(folder, id + JOURNAL_SUFFIX)
  }

  get length(): number {
    return this.#length
  }

  /** Writes a reservation, and what waits before it. False: it could not be written, and is not going to be. */
  reserve(n: number, charges: readonly Charge[]): boolean {
    const before = this.#waiting
    this.#waiting += line(['r', n, charges.map(packed)])
    if (this.flush()) return true
    this.#waiting = before
    return false
  }

  /** Waits until the next `flush`. */
  extend(n: number, charges: readonly Charge[]): void {
    this.#waiting += line(['e', n, charges.map(packed)])
  }

  /** Waits until the next `flush`. */
  settle(n: number, sequence: number, charges: readonly Charge[]): void {
    this.#waiting += line(['s', n, charges.map(packed), sequence])
  }

  /** Writes what waits, without waiting for the disk. False: nothing of it could be written; it waits further. */
  flush(): boolean {
    if (this.#waiting === '') return true
    try {
      this.#fd ??= this.#open()
      // A reader skips what is no record; the next one begins in a line of its own.
      const bytes = Buffer.from(this.#isTorn ? `\n${this.#waiting}` : this.#waiting)
      for (let from = 0; from < bytes.length; ) from += writeSync(this.#fd, bytes, from)
      this.#length += bytes.length
      this.#waiting = ''
      this.#isTorn = false
      this.#isDirty = true
      return true
    } catch {
      this.#cutBack()
      return false
    }
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
  }

  #open(): number {
    mkdirSync(this.#folder, { recursive: true, mode: DIRECTORY_MODE })
    return openSync(this.#path, 'ax', FILE_MODE)
  }

  /** Takes away the part of a record that was written. */
  #cutBack(): void {
    if (this.#fd === null) return
    try {
      ftruncateSync(this.#fd, this.#length)
    } catch {
      this.#isTorn = true
    }
  }
}

/** What a journal that its process has left says: settlements after one of a number, and what is still held, as sums. */
export function readJournal(text: string, afterSequence: number): { charges: Charge[]; sequence: number } {
  const open = new Map<number, PackedCharge[]>()
  const sums = new ChargeSums()
  let last = afterSequence
  for (const each of text.split('\n')) {
    const record = recordIn(each)
    if (record === null) continue
    const { kind, n, charges, sequence } = record
    if (kind === 'r') open.set(n, [...charges])
    else if (kind === 'e') open.get(n)?.push(...charges)
    else {
      open.delete(n)
      if (sequence <= afterSequence) continue
      last = Math.max(last, sequence)
      for (const charge of charges) sums.add(unpacked(charge))
    }
  }
  for (const charges of open.values()) for (const charge of charges) sums.add(unpacked(charge))
  return { charges: sums.all, sequence: last }
}

type Line =
  | readonly [kind: 'r' | 'e', n: number, charges: readonly PackedCharge[]]
  | readonly [kind: 's', n: number, charges: readonly PackedCharge[], sequence: number]

/** Null for what a power cut has left of one. */
function recordIn(text: string) {
  if (!text.startsWith('["')) return null
  try {
    const [kind, n, charges, sequence = 0] = JSON.parse(text) as Line
    return { kind, n, charges, sequence }
  } catch {
    return null
  }
}

function line(record: Line): string {
  return `${JSON.stringify(record)}\n`
}

function packed({ budgetId, windowStartMs, nano, tokens }: Charge): PackedCharge {
  return [budgetId, windowStartMs, nano, tokens]
}

function unpacked([budgetId, windowStartMs, nano, tokens]: PackedCharge): Charge {
  return { budgetId, windowStartMs, nano, tokens }
}
