// The journals that a process has left when it was killed: what of them is not in the database is added at the next start, before anything
// listens. A journal is read in one transaction and deleted after it; one that is still there, but was added, is only deleted.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { GatewayError } from '../../../errors.js'
import { type FolderLock, lockFolder } from '../../../sqlite/folder-lock.js'
import { JOURNAL_SUFFIX } from '../../budgets/journal/journal.js'
import { readJournal } from '../../budgets/journal/records.js'
import { nodeOf } from '../../budgets/shared/node-names.js'
import { type Database } from '../rows.js'
import { addBatches, storedSequence } from './spend.js'

const NODE_SUFFIX = '.node'
const DIRECTORY_MODE = 0o700
/** Of a journal of which everything was added, what was held as well: nothing more of it ever is. */
const ALL = Number.MAX_SAFE_INTEGER

/**
 * Holds the folder for this process: another one would take the journals of requests that run here for those of a process that has
 * ended. Null where that cannot be had: no journal can be written there either, of which requests are told.
 * @throws misconfigured where another gateway uses it
 */
export function lockJournals(folder: string, report: (message: string) => void): FolderLock | null {
  try {
    const lock = lockFolder(folder)
    if (lock !== null) return lock
  } catch (thrown) {
    report(
      `accounts.journal: ${folder} cannot be locked (${thrown instanceof Error ? thrown.message : String(thrown)})`,
    )
    return null
  }
  const message = `accounts.journal: ${folder} is in use by another gateway. Each needs a folder of its own.`
  throw new GatewayError('misconfigured', { message })
}

/**
 * Within a transaction.
 * @returns the journals that may be deleted once it is committed
 * @throws misconfigured where the folder cannot be read, or a journal of it
 */
export async function replayJournals(db: Database, folder: string): Promise<string[]> {
  const ids = journalsIn(folder)
  for (const id of ids) {
    const sequence = await storedSequence(db, id)
    const { charges } = read(folder, id, sequence)
    await addBatches(db, [{ journal: id, sequence: ALL, charges }], [])
  }
  return ids
}

/** After the commit. */
export function deleteJournals(folder: string, ids: readonly string[]): void {
  for (const id of ids) rmSync(join(folder, id + JOURNAL_SUFFIX), { force: true })
}

/** The nodes that have used the folder, and have ended without having told what they spent. `journals`: those that are in it. */
export function nodesIn(folder: string, journals: readonly string[]): string[] {
  const owners = journals.flatMap((id) => nodeOf(id) ?? [])
  return [...new Set([...owners, ...namesIn(folder, NODE_SUFFIX)])]
}

/** Until it has told what it spent: it may have claimed something without a journal. */
export function markNode(folder: string, node: string): void {
  mkdirSync(folder, { recursive: true, mode: DIRECTORY_MODE })
  writeFileSync(join(folder, node + NODE_SUFFIX), '')
}

/** They have told it, or somebody does for them. */
export function unmarkNodes(folder: string, nodes: readonly string[]): void {
  for (const node of nodes) rmSync(join(folder, node + NODE_SUFFIX), { force: true })
}

function journalsIn(folder: string): string[] {
  return namesIn(folder, JOURNAL_SUFFIX)
}

function namesIn(folder: string, suffix: string): string[] {
  try {
    const files = readdirSync(folder).filter((name) => name.endsWith(suffix))
    return files.map((name) => name.slice(0, -suffix.length))
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return []
    throw unreadable(folder, thrown)
  }
}

function read(folder: string, id: string, afterSequence: number): ReturnType<typeof readJournal> {
  try {
    return readJournal(readFileSync(join(folder, id + JOURNAL_SUFFIX)), afterSequence)
  } catch (thrown) {
    throw unreadable(folder, thrown)
  }
}

/** What was spent would be forgotten. */
function unreadable(folder: string, thrown: unknown): GatewayError {
  const reason = thrown instanceof Error ? thrown.message : String(thrown)
  const message = `accounts.journal: the journals of budgets in ${folder} cannot be read (${reason}).`
  return new GatewayError('misconfigured', { message, cause: thrown })
}
