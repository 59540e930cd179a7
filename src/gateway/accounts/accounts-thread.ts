// The account database in the process: its thread, started before anything listens, and each event loop's way to it. Without a database
// none of it is loaded.
import { type MessagePort } from 'node:worker_threads'
import { type AccountsStart } from '../../accounts/messages.js'
import { type Config } from '../../config/types.js'
import { GatewayError } from '../../errors.js'
import { type Cells, type Loop, type LoopPlace } from '../loop.js'
import { accountPlaces } from './loop-accounts.js'
import { RollupWriter } from './rollup-writer.js'
import { noteClaims, sharesBudgets } from './shared-claims.js'

/** The thread as the process has it. */
export type ProcessAccounts = {
  /** A port for one more event loop. */
  connect(): MessagePort
  /** @throws misconfigured where a key of this configuration has the name of one in the database */
  reserve(config: Config): Promise<void>
  /** Answers pending calls, then closes the database. */
  close(): Promise<void>
}

const NONE: ProcessAccounts = {
  connect() {
    throw new GatewayError('internal', { message: 'There is no account database.' })
  },
  reserve: async () => undefined,
  close: async () => undefined,
}

/**
 * Starts the thread and fills the directory, where there is a database. A gateway that is to have one does not start without it, or
 * what is known of its keys.
 * @throws misconfigured, naming the file, or the key that both have
 */
export async function startAccountsThread(
  config: Config,
  cells: Cells,
  onTrouble: (message: string) => void,
): Promise<ProcessAccounts> {
  const { directory, ledger } = cells
  const { keyRoom, accounts } = accountPlaces(ledger.room.keys, directory)
  if (directory === null || accounts === null) return NONE
  const { startAccounts } = await import('../../accounts/client.js')
  const { store, path, url, singleNode: isSingleNode, journal, snapshot, maxStaleMs } = config.accounts
  const database = store === 'postgres' && url !== null ? { store, url } : ({ store: 'sqlite', path } as const)
  const memory = [cells.receiving, cells.fetched, cells.kept]
  const limits = { limiter: cells.limiter, memory, places: { room: { ...ledger.room, keys: keyRoom }, accounts } }
  const start = {
    database,
    directory,
    limits,
    isSingleNode,
    journal,
    snapshot: { path: snapshot, maxStaleMs },
    ...redisOf(config),
    fileKeys: namesOf(config),
    rollups: config.accounts.spend,
    clockOffset: null,
  }
  const thread = await startAccounts({ ...start, onTrouble })
  return {
    connect: () => thread.connect(),
    reserve: (next) => thread.reserve(namesOf(next)),
    close: () => thread.close(),
  }
}

/** Before the event loop listens. */
export async function joinAccounts(loop: Loop, { connectStore, loopIndex }: LoopPlace): Promise<void> {
  if (loop.cells.directory === null) return
  const { connectAccounts } = await import('../../accounts/client.js')
  loop.accounts = connectAccounts(await connectStore('accounts'))
  if (loopIndex === 0 && loop.cells.directory.budgets.shared !== null) noteClaims(loop, loop.accounts)
  if (loop.ground.rollups !== null) loop.rollupWriter = new RollupWriter(loop.ground.rollups, loop.accounts)
}

function redisOf(config: Config): Pick<AccountsStart, 'redis'> {
  const { url } = config.redis
  return url === null || !sharesBudgets(config) ? {} : { redis: { url, onDown: config.budgets.onRedisDown } }
}

function namesOf({ keys }: Config): string[] {
  return keys.map(({ name }) => name)
}
