// What the directory has, as a file: for a gateway that starts while its database is away. It has the digests of secrets and never a secret.
//
//   sluice-accounts-snapshot 1 <unix ms, 13 digits> <SHA-256 of what follows the line> <SHA-256 of this line up to here>
//   {"database":"db.example.com:5432/sluice"}
//   ["k",<account>,[["<digest>",<valid until>], ...]]
//   ["b",<budget>,<limit>]
//
// The first line has a fixed length: it is written again in its place whenever the database has confirmed the rest.
import { createHash, hash } from 'node:crypto'
import { closeSync, existsSync, openSync, readFileSync, readSync } from 'node:fs'
import { GatewayError } from '../../errors.js'
import { encodeFacts, unpackFacts } from '../budgets/memory.js'
import { type StoredBudget, UNKNOWN_TERMS } from '../budgets/writer.js'
import { unpackAccount } from '../directory/memory.js'
import { type Listing, type SecretDigest } from '../types.js'

const MAGIC = 'sluice-accounts-snapshot '
const FORMAT = '1'
const TIME_DIGITS = 13
const SHA256_DIGITS = 64
const HEAD_PARTS = 5
/** Bytes of the first line. */
export const HEAD_BYTES = MAGIC.length + FORMAT.length + TIME_DIGITS + 2 * SHA256_DIGITS + HEAD_PARTS - 1

/** A key as the directory has it: the text of its record, and its digests. */
export type KeyEntry = { readonly account: string; readonly secrets: readonly SecretDigest[] }

export type Snapshot = {
  /** Unix ms at which the database confirmed it last. */
  readonly seenAtMs: number
  readonly listings: readonly Listing[]
  /** What is spent of them is not known. */
  readonly budgets: readonly StoredBudget[]
}

/** `bodyHash`: of all that follows. */
export function headOf(seenAtMs: number, bodyHash: string): string {
  const time = `${Math.max(0, Math.floor(seenAtMs))}`.padStart(TIME_DIGITS, '0')
  const text = `${MAGIC}${FORMAT} ${time} ${bodyHash} `
  return `${text}${hash('sha256', text, 'hex')}\n`
}

/** `database`: where it is, without user and password. */
export function firstLineOf(database: string): string {
  return `${JSON.stringify({ database })}\n`
}

/** The line of a key. */
export function keyLineOf({ account, secrets }: KeyEntry): string {
  return `["k",${account},${JSON.stringify(secrets.map(({ digest, validUntilMs }) => [digest, validUntilMs]))}]\n`
}

/** The line of a budget. */
export function budgetLineOf({ limit, spent, ...facts }: StoredBudget): string {
  return `["b",${encodeFacts({ ...facts, epoch: 0 }).toString('utf8')},${limit}]\n`
}

/** So that nothing is ever replaced that is no snapshot. @throws misconfigured for a file of another kind */
export function checkPlace(path: string): void {
  if (!existsSync(path)) return
  const file = openSync(path, 'r')
  const bytes = Buffer.alloc(MAGIC.length)
  const length = readSync(file, bytes)
  closeSync(file)
  if (bytes.toString('latin1', 0, length) !== MAGIC) throw refusal(path, 'is not a snapshot of accounts')
}

/**
 * Null: there is none.
 * @throws misconfigured for one that is damaged, of another version, or of another database
 */
export function readSnapshot(path: string, database: string): Snapshot | null {
  if (!existsSync(path)) return null
  const bytes = readFileSync(path)
  const [head, body] = [bytes.toString('latin1', 0, HEAD_BYTES), bytes.subarray(HEAD_BYTES)]
  if (!head.startsWith(MAGIC)) throw refusal(path, 'is not a snapshot of accounts')
  const [, format, time, bodyHash = ''] = head.split(' ')
  if (format !== FORMAT) throw refusal(path, `is of version ${format}, and this version of Sluice reads ${FORMAT}`)
  const isWhole =
    head === headOf(Number(time), bodyHash) && createHash('sha256').update(body).digest('hex') === bodyHash
  if (!isWhole) throw refusal(path, 'is damaged')
  const [first = '', ...lines] = body.toString('utf8').split('\n')
  const of = (JSON.parse(first) as { readonly database: string }).database
  if (of !== database) throw refusal(path, `is of another database (${of})`)
  const listings: Listing[] = []
  const budgets: StoredBudget[] = []
  for (const line of lines) {
    if (line === '') continue
    const entry = JSON.parse(line) as Entry
    if (entry[0] === 'k') listings.push(listingOf(entry))
    else budgets.push(budgetOf(entry))
  }
  return { seenAtMs: Number(time), listings, budgets }
}

type KeyLine = readonly ['k', account: unknown, secrets: readonly (readonly [digest: string, until: number | null])[]]
type BudgetLine = readonly ['b', facts: unknown, limit: number]
type Entry = KeyLine | BudgetLine

function listingOf([, account, secrets]: KeyLine): Listing {
  return {
    account: unpackAccount(account),
    secrets: secrets.map(([digest, validUntilMs]) => ({ digest, validUntilMs })),
  }
}

function budgetOf([, facts, limit]: BudgetLine): StoredBudget {
  const { epoch, ...rest } = unpackFacts(facts)
  return { ...rest, limit, spent: 0, ...UNKNOWN_TERMS }
}

function refusal(path: string, what: string): GatewayError {
  const message = `accounts.snapshot: ${path} ${what}. It was left unchanged; move it away to start without it.`
  return new GatewayError('misconfigured', { message })
}
