// The shared memory of budgets. One thread says which budgets there are (writer.ts); every event loop reads that (index.ts) and
// reserves in the cells (cells.ts), without a lock.
//
//   header   Int32      budgets that exist | changes so far | slots that were ever used | pages of journals
//   changed  Int32      a ring of the slots that changed last: change n is at n modulo its length
//   slots    Int32      of each slot: version, 0 while it is free | bytes of its record
//   records  Uint8      of each slot: what the budget is, as JSON without the names of its members
//   cells               of each slot, one line of a processor's cache: limit | used | reserved as BigInt64, window | epoch | holders as Int32
//   claims   BigInt64   of each slot, where nodes share budgets: claimed | elsewhere spent | reserved | refunded, each with its window
import { BUDGET_PERIODS, type BudgetPeriod, type BudgetUnit } from '../types.js'

/** The buffers, to be passed to every thread. */
export type BudgetMemory = {
  readonly maxBudgets: number
  readonly header: SharedArrayBuffer
  readonly changed: SharedArrayBuffer
  readonly slots: SharedArrayBuffer
  readonly records: SharedArrayBuffer
  readonly cells: SharedArrayBuffer
  /** Null: no other node spends from these budgets. */
  readonly shared: SharedClaims | null
}

/** One of several nodes that spend from the same budgets: it uses what it claims, and no more. */
export type SharedClaims = {
  /** Of this process; never used before. */
  readonly node: string
  readonly claims: SharedArrayBuffer
}

export const HEADER = Object.freeze({ count: 0, changes: 1, used: 2, journalPages: 3, words: 4 })
export const BUDGET_SLOT = Object.freeze({ version: 0, bytes: 1, words: 2 })
/** Places of BigInt64. */
export const CELL = Object.freeze({ limit: 0, used: 1, reserved: 2, words: 8 })
/** Places of Int32 in the same line, behind them: a call for one of these takes half the time and allocates nothing. */
export const CELL_INT = Object.freeze({ window: 6, epoch: 7, holders: 8, words: 16 })
export const CLAIM = Object.freeze({ claimed: 0, spent: 1, reserved: 2, refunded: 3, words: 4 })
/** A loop that is further behind reads all slots again. */
export const RING = 1024
/** A name and a subject of MAX_SUBJECT characters, each of which JSON may write as six bytes. */
export const RECORD_BYTES = 1024
export const MAX_SUBJECT = 128

/** For each key; further budgets belong to teams, tags and models. Pages that are never written take no memory. */
const BUDGETS_PER_KEY = 2
const FURTHER_BUDGETS = 1024

/** To what a budget applies. */
export const SUBJECT_KINDS = ['gateway', 'team', 'key', 'model', 'tag'] as const
export type SubjectKind = (typeof SUBJECT_KINDS)[number]

/** A budget as event loops know it. */
export type BudgetFacts = {
  readonly id: string
  readonly name: string
  readonly kind: SubjectKind
  /** The id of a team or key, the glob of models, a tag; empty for the gateway. */
  readonly subject: string
  readonly per: BudgetPeriod
  readonly unit: BudgetUnit
  /** Of its slot: another one after each new owner. */
  readonly epoch: number
}

/** Memory for the budgets of so many keys, all of it free. `node`: the id of this one of several; null for the only one. */
export function createBudgetMemory(maxKeys: number, node: string | null = null): BudgetMemory {
  const maxBudgets = maxKeys * BUDGETS_PER_KEY + FURTHER_BUDGETS
  const words = (count: number) => new SharedArrayBuffer(count * Int32Array.BYTES_PER_ELEMENT)
  const longWords = (count: number) => new SharedArrayBuffer(count * BigInt64Array.BYTES_PER_ELEMENT)
  return {
    maxBudgets,
    header: words(HEADER.words),
    changed: words(RING),
    slots: words(maxBudgets * BUDGET_SLOT.words),
    records: new SharedArrayBuffer(maxBudgets * RECORD_BYTES),
    cells: longWords(maxBudgets * CELL.words),
    shared: node === null ? null : { node, claims: longWords(maxBudgets * CLAIM.words) },
  }
}

type PackedFacts = readonly [
  id: string,
  name: string,
  kind: number,
  subject: string,
  per: number,
  unit: 0 | 1,
  epoch: number,
]

/** The record of a budget. */
export function encodeFacts({ id, name, kind, subject, per, unit, epoch }: BudgetFacts): Buffer {
  const kindIndex = SUBJECT_KINDS.indexOf(kind)
  const packed: PackedFacts = [id, name, kindIndex, subject, BUDGET_PERIODS.indexOf(per), unit === 'usd' ? 0 : 1, epoch]
  return Buffer.from(JSON.stringify(packed))
}

/** @see encodeFacts */
export function decodeFacts(bytes: Uint8Array): BudgetFacts {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8')
  const [id, name, kind, subject, per, unit, epoch] = JSON.parse(text) as PackedFacts
  return {
    id,
    name,
    kind: SUBJECT_KINDS[kind] ?? 'gateway',
    subject,
    per: BUDGET_PERIODS[per] ?? 'total',
    unit: unit === 0 ? 'usd' : 'tokens',
    epoch,
  }
}
