// The shared memory of budgets. One thread says which budgets there are (writer.ts); every event loop reads that (index.ts) and
// reserves in the cells (cells.ts), without a lock.
//
//   header   Int32      budgets that exist | changes so far | slots that were ever used | pages of journals | 1 where none can be held
//   changed  Int32      a ring of the slots that changed last: change n is at n modulo its length
//   slots    Int32      of each slot: version, 0 while it is free | bytes of its record
//   records  Uint8      of each slot: what the budget is, as JSON without the names of its members
//   users    Int32      who has the cells behind those of the slots (user-slots.ts)
//   cells               of each slot, and then of each end user that budgets tell apart, one line of a processor's cache: limit | used | reserved as BigInt64, window | epoch | holders as Int32
//   claims   BigInt64   of each cell, where nodes share budgets: claimed | elsewhere spent | reserved | refunded, each with its window
import { randomBytes } from 'node:crypto'
import { BUDGET_PERIODS, type BudgetPeriod, type BudgetUnit } from '../types.js'

/** The buffers, to be passed to every thread. */
export type BudgetMemory = {
  readonly maxBudgets: number
  readonly header: SharedArrayBuffer
  readonly changed: SharedArrayBuffer
  readonly slots: SharedArrayBuffer
  readonly records: SharedArrayBuffer
  readonly cells: SharedArrayBuffer
  readonly users: {
    readonly state: SharedArrayBuffer
    readonly heads: SharedArrayBuffer
    readonly entries: SharedArrayBuffer
  }
  /** Null: no other node spends from these budgets. */
  readonly shared: SharedClaims | null
}

/** One of several nodes that spend from the same budgets: it uses what it claims, and no more. */
export type SharedClaims = {
  /** Of this process; never used before. */
  readonly node: string
  readonly claims: SharedArrayBuffer
}

export const HEADER = Object.freeze({ count: 0, changes: 1, used: 2, journalPages: 3, unheld: 4, words: 5 })
export const BUDGET_SLOT = Object.freeze({ version: 0, bytes: 1, words: 2 })
/** Places of BigInt64. */
export const CELL = Object.freeze({ limit: 0, used: 1, reserved: 2, words: 8 })
/** Places of Int32 in the same line, behind them: a call for one of these takes half the time and allocates nothing. */
export const CELL_INT = Object.freeze({ window: 6, epoch: 7, holders: 8, users: 9, usersWindow: 10, words: 16 })
export const CLAIM = Object.freeze({ claimed: 0, spent: 1, reserved: 2, refunded: 3, words: 4 })
/** `seed`: the first of SEED_WORDS. */
export const USER_STATE = Object.freeze({ lock: 0, used: 1, hand: 2, epoch: 3, seed: 4, words: 8 })
/** One for each word of a digest. */
const SEED_WORDS = 4
export const USER_ENTRY = Object.freeze({ next: 0, slot: 1, epoch: 2, period: 3, digest: 4, words: 8 })
/** A loop that is further behind reads all slots again. */
export const RING = 1024
/** A name and a subject of MAX_SUBJECT characters, each of which JSON may write as six bytes. */
export const RECORD_BYTES = 1024
export const MAX_SUBJECT = 128

/** For each key; further budgets belong to teams, tags and models. Pages that are never written take no memory. */
const BUDGETS_PER_KEY = 2
const FURTHER_BUDGETS = 1024
/** End users with requests in present windows, over all budgets that tell them apart. Pages that are never written take no memory. */
const MAX_USERS = 262_144

/** To what a budget applies. */
export const SUBJECT_KINDS = ['gateway', 'team', 'key', 'model', 'tag', 'user'] as const
export type SubjectKind = (typeof SUBJECT_KINDS)[number]

/** A budget as event loops know it. */
export type BudgetFacts = {
  readonly id: string
  readonly name: string
  readonly kind: SubjectKind
  /** The id of a team or key, the glob of models, a tag; empty for the gateway. Of `user`: of whose requests, in the same way. */
  readonly subject: string
  readonly per: BudgetPeriod
  readonly unit: BudgetUnit
  /** Of its slot: another one after each new owner. */
  readonly epoch: number
}

/**
 * Memory for the budgets of so many keys, all of it free. `node`: the id of this one of several; null for the only one. `maxUsers`: of
 * all budgets that tell end users apart.
 */
export function createBudgetMemory(maxKeys: number, node: string | null = null, maxUsers = MAX_USERS): BudgetMemory {
  const maxBudgets = maxKeys * BUDGETS_PER_KEY + FURTHER_BUDGETS
  const words = (count: number) => new SharedArrayBuffer(count * Int32Array.BYTES_PER_ELEMENT)
  const longWords = (count: number) => new SharedArrayBuffer(count * BigInt64Array.BYTES_PER_ELEMENT)
  return {
    maxBudgets,
    header: words(HEADER.words),
    changed: words(RING),
    slots: words(maxBudgets * BUDGET_SLOT.words),
    records: new SharedArrayBuffer(maxBudgets * RECORD_BYTES),
    cells: longWords((maxBudgets + maxUsers) * CELL.words),
    shared: node === null ? null : { node, claims: longWords((maxBudgets + maxUsers) * CLAIM.words) },
    users: {
      state: seeded(words(USER_STATE.words)),
      heads: words(2 ** Math.ceil(Math.log2(maxUsers))),
      entries: words(maxUsers * USER_ENTRY.words),
    },
  }
}

/**
 * Callers choose the names of end users, so where a name is looked for must not be known outside: otherwise they could choose many that are
 * looked for in the same place. The seed is in the shared memory, because it must be the same on all event loops.
 */
function seeded(state: SharedArrayBuffer): SharedArrayBuffer {
  const random = randomBytes(SEED_WORDS * Int32Array.BYTES_PER_ELEMENT)
  // Odd: an even factor would lose a bit of its word.
  const seed = new Int32Array(random.buffer, random.byteOffset, SEED_WORDS).map((word) => word | 1)
  new Int32Array(state).set(seed, USER_STATE.seed)
  return state
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
  return unpackFacts(JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8')))
}

/** The budget of a record whose JSON is parsed already. @see encodeFacts */
export function unpackFacts(record: unknown): BudgetFacts {
  const [id, name, kind, subject, per, unit, epoch] = record as PackedFacts
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
