// How long does a report of a month of a million requests take, in SQLite and in PostgreSQL (Debian's package)? 100 keys, 3 models, every
// hour; and 100 end users a key.
import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { openPostgres } from '../../src/accounts/database/postgres.js'
import { addRollups } from '../../src/accounts/database/rollups/add-rollups.js'
import { reportKeyUsage, reportSpend } from '../../src/accounts/database/rollups/spend-reports.js'
import { UserNames } from '../../src/accounts/database/rollups/user-names.js'
import { type Database } from '../../src/accounts/database/rows.js'
import { openAccountsFile } from '../../src/accounts/database/sqlite.js'
import { type SpendDimension } from '../../src/accounts/rollups/reports.js'
import { DAY_MS, HOUR_MS, HOURS_PER_DAY, noCounts } from '../../src/accounts/rollups/types.js'
import { startPostgres } from '../../test/helpers/postgres-server.js'

const FIRST_DAY = Math.floor(Date.UTC(2026, 9, 1) / DAY_MS)
const DAYS = 31
const KEYS = 100
const MODELS = 3
const USERS = 100
const ROUNDS = 5
const LIMIT = 1000

const say = (...parts: readonly string[]): void =>
  void process.stdout.write(`${parts.map((part) => part.padEnd(20)).join(' ')}\n`)
const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n)

const endings: (() => unknown)[] = []
const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'))
endings.push(() => rmSync(folder, { recursive: true, force: true }))
const server = await startPostgres({ teardown: (end: () => unknown) => void endings.push(end) })
const stores = [openAccountsFile(join(folder, 'accounts.db')), openPostgres(await server.createDatabase())] as const
const requests = await fill(stores[0].db)
await fill(stores[1].db)
say(`${requests} requests, Node ${process.version}, ${cpus()[0]?.model}`)
say('', 'SQLite', 'PostgreSQL')

const reports: [what: string, by: SpendDimension[], fromMs: number][] = [
  ['day', ['day'], 0],
  ['team', ['team'], 0],
  ['tag, day', ['tag', 'day'], 0],
  ['all but user', ['team', 'key', 'model', 'provider', 'day'], 0],
  ['team, of hours', ['team'], HOUR_MS],
  ['user', ['user'], 0],
  ['user, key', ['user', 'key'], 0],
  ['key, user', ['key', 'user'], 0],
  ['user, day', ['user', 'day'], 0],
  ['day, user', ['day', 'user'], 0],
  ['key, user, day', ['key', 'user', 'day'], 0],
]
for (const [what, by, fromMs] of reports) {
  const range = { fromMs: FIRST_DAY * DAY_MS + fromMs, toMs: (FIRST_DAY + DAYS) * DAY_MS }
  await compare(what, (db) => reportSpend(db, { ...range, by, after: null, limit: LIMIT }))
}
const nowMs = (FIRST_DAY + DAYS) * DAY_MS - 1
await compare("a key's own month", (db) => reportKeyUsage(db, 'key_1', nowMs))
for (const { close } of stores) await close()
for (const end of endings.reverse()) await end()

async function compare(what: string, act: (db: Database) => Promise<unknown>): Promise<void> {
  const times: string[] = []
  for (const { db } of stores) times.push(await medianMs(() => act(db)))
  say(what, ...times)
}

/** How many requests there are. */
async function fill(db: Database): Promise<number> {
  let count = 0
  for (const day of numbers(DAYS)) {
    const rows = numbers(HOURS_PER_DAY * KEYS * MODELS).map((n) => {
      const [k, m] = [Math.floor(n / MODELS) % KEYS, n % MODELS]
      const counts = { ...noCounts(), requests: 4 + (n % 2), inputTokens: 4000, outputTokens: 400, costNano: 1_234_567 }
      count += counts.requests
      return {
        hour: (FIRST_DAY + day) * HOURS_PER_DAY + Math.floor(n / (KEYS * MODELS)),
        source: {
          ...{ owner: `key_${k}`, keyName: `k${k}`, team: `t${k % 10}`, model: `m${m}`, provider: `p${m}` },
          tags: [`x${k % 7}`, 'all'],
        },
        counts,
      }
    })
    const users = numbers(KEYS * USERS).map((n) => {
      const [k, u] = [Math.floor(n / USERS), n % USERS]
      const counts = { ...noCounts(), requests: 3 }
      return { day: FIRST_DAY + day, owner: `key_${k}`, keyName: `k${k}`, user: `u${u}`, counts }
    })
    const batch = { writer: 'bench', sequence: day + 1, rows, users }
    await db.transaction().execute((tx) => addRollups(tx, batch, new UserNames(), 0))
  }
  return count
}

async function medianMs(act: () => Promise<unknown>): Promise<string> {
  const times: number[] = []
  for (const _ of numbers(ROUNDS)) {
    const beganMs = performance.now()
    await act()
    times.push(performance.now() - beganMs)
  }
  return `${(times.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? 0).toFixed(1)} ms`
}
