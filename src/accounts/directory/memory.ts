// The shared memory of the directory: one thread writes it (writer.ts), every event loop reads it without a lock (reader.ts).
//
//   table    Int32   open addressing by the first word of a digest: 0 free, or 1 + its entry; behind it a count of moves
//   digests  Int32   entries: 8 words of the digest | slot | epoch | valid until (2 words) | generation
//   slots    Int32   of each account: version, 0 while the slot is free | word at which its record begins
//   records  Int32   blocks: bytes | epoch | place of its team, -1 without | the account as JSON, without the names of its members
//   standing Int32   how well all of this is known (standing.ts)
//
// A reader never waits: what it reads is whole before it is published by one store, and it reads again where a version or a
// generation shows that the writer has meanwhile used that memory for something else. All words are read and written by Atomics: plain
// reads may be moved behind the check on some processors.
import { hash } from 'node:crypto'
import { type BudgetMemory, createBudgetMemory } from '../budgets/memory.js'
import { type Account, type KeyLimits, MAX_SECRETS } from '../types.js'
import { createSharedSecret } from './shared-secret.js'

/** The buffers, to be passed to every thread; `maxKeys` is their size. */
export type DirectoryMemory = {
  readonly maxKeys: number
  readonly maxTeams: number
  readonly table: SharedArrayBuffer
  readonly digests: SharedArrayBuffer
  readonly slots: SharedArrayBuffer
  readonly records: SharedArrayBuffer
  readonly standing: SharedArrayBuffer
  /** The budgets of keys, teams and all else, with what is used of them. */
  readonly budgets: BudgetMemory
  /** Signs browser tokens where the configuration has no secret; see shared-secret.ts. */
  readonly tokenSecret: SharedArrayBuffer
}

export const FREE = 0

export const DIGEST_WORDS = 8
/** Words of an entry, after those of its digest; a power of two, so that an entry is one line of a processor's cache. */
export const ENTRY = Object.freeze({ slot: 8, epoch: 9, untilHigh: 10, untilLow: 11, generation: 12, words: 16 })
export const SLOT = Object.freeze({ version: 0, record: 1, words: 2 })
export const RECORD = Object.freeze({ bytes: 0, epoch: 1, team: 2, words: 3 })
/** `untilHigh` of a digest that is valid until it is removed. */
export const FOR_EVER = -1
export const NO_TEAM = -1

/** Its id, its name, and all the secrets that it can have at a time: keys that fit can always be rotated. Entries that are never used take no memory. */
const DIGESTS_PER_KEY = 2 + MAX_SECRETS
/** A digest whose time changes has two entries for a moment. */
const SPARE_DIGESTS = 1
/** At most half full, so that a look-up takes two or three steps. */
const PLACES_PER_DIGEST = 2
/** On the average: a usual account takes 128 to 256. Pages that are never written take no memory. */
const RECORD_BYTES = 1024
/** One record may be longer than the average of a small directory. */
const SPARE_RECORD_BYTES = 1_048_576
/** Of teams that have keys. */
const MAX_TEAMS = 16_384
const TWO_32 = 2 ** 32

/** Memory for so many keys, all of it free. */
export function createDirectoryMemory(maxKeys: number, node: string | null = null): DirectoryMemory {
  const digests = maxKeys * DIGESTS_PER_KEY + SPARE_DIGESTS
  const places = 2 ** Math.ceil(Math.log2(Math.max(2, digests * PLACES_PER_DIGEST)))
  return {
    maxKeys,
    maxTeams: Math.min(maxKeys, MAX_TEAMS),
    table: sharedWords(places + 1),
    digests: sharedWords(digests * ENTRY.words),
    slots: sharedWords(maxKeys * SLOT.words),
    records: new SharedArrayBuffer(maxKeys * RECORD_BYTES + SPARE_RECORD_BYTES),
    standing: sharedWords(1),
    budgets: createBudgetMemory(maxKeys, node),
    tokenSecret: createSharedSecret(),
  }
}

function sharedWords(words: number): SharedArrayBuffer {
  return new SharedArrayBuffer(words * Int32Array.BYTES_PER_ELEMENT)
}

/** Milliseconds as two words; null: for ever. */
export function wordsOfTime(untilMs: number | null): readonly [high: number, low: number] {
  if (untilMs === null) return [FOR_EVER, 0]
  const whole = Math.max(0, Math.ceil(untilMs))
  return [Math.floor(whole / TWO_32), whole | 0]
}

/** Infinite for ever. */
export function timeOfWords(high: number, low: number): number {
  return high === FOR_EVER ? Number.POSITIVE_INFINITY : high * TWO_32 + (low >>> 0)
}

/**
 * What an account is found by where only its id is known, in hex. The complement, so that the id is no secret: no text is known whose
 * SHA-256 is this.
 */
export function digestOfId(id: string): string {
  const digest = hash('sha256', id, 'buffer')
  for (let i = 0; i < digest.length; i++) digest[i] = ~(digest[i] ?? 0)
  return digest.toString('hex')
}

/** The same for an account of which only the name is known: no id begins like this. */
export function digestOfName(name: string): string {
  return digestOfId(`name ${name}`)
}

type PackedLimits = readonly [requests: number | null, tokens: number | null, concurrency: number | null]
type PackedTeam = readonly [id: string, name: string, models: readonly string[], limits: PackedLimits]
/** Without the names of its members, an account takes less than half the memory. */
type PackedAccount = readonly [
  id: string,
  name: string,
  team: PackedTeam | null,
  models: readonly string[],
  limits: PackedLimits,
  tags: readonly string[],
  trustUser: boolean,
  disabled: boolean,
  expiresAtMs: number | null,
]

/** The text of an account in its record. */
export function encodeAccount({ id, name, team, models, limits, tags, ...rest }: Account): Buffer {
  const { trustUser, disabled, expiresAtMs } = rest
  const ofTeam: PackedTeam | null = team && [team.id, team.name, team.models, packLimits(team.limits)]
  const packed: PackedAccount = [
    ...([id, name, ofTeam, models, packLimits(limits), tags] as const),
    ...([trustUser, disabled, expiresAtMs] as const),
  ]
  return Buffer.from(JSON.stringify(packed))
}

/** @see encodeAccount */
export function decodeAccount(bytes: Buffer): Account {
  return unpackAccount(JSON.parse(bytes.toString('utf8')))
}

/** The account of a record whose JSON is parsed already. @see encodeAccount */
export function unpackAccount(record: unknown): Account {
  const packed = record as PackedAccount
  const [id, name, ofTeam, models, limits, tags, trustUser, disabled, expiresAtMs] = packed
  const team = ofTeam && { id: ofTeam[0], name: ofTeam[1], models: ofTeam[2], limits: unpackLimits(ofTeam[3]) }
  return { id, name, team, models, limits: unpackLimits(limits), tags, trustUser, disabled, expiresAtMs }
}

function packLimits({ requestsPerMinute, tokensPerMinute, concurrency }: KeyLimits): PackedLimits {
  return [requestsPerMinute, tokensPerMinute, concurrency]
}

function unpackLimits([requestsPerMinute, tokensPerMinute, concurrency]: PackedLimits): KeyLimits {
  return { requestsPerMinute, tokensPerMinute, concurrency }
}
