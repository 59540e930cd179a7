// What does a snapshot of 100,000 keys with a budget each cost: to write it after a change, and to start from it while the database is away?
// Run with --expose-gc, or garbage is counted as well.
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { BudgetWriter, UNKNOWN_TERMS } from '../../src/accounts/budgets/writer.js'
import { Feed } from '../../src/accounts/database/feed.js'
import { createDirectoryMemory } from '../../src/accounts/directory/memory.js'
import { DirectoryWriter } from '../../src/accounts/directory/writer.js'
import { Fallback } from '../../src/accounts/snapshot/fallback.js'
import { type Account } from '../../src/accounts/types.js'

const KEYS = 100_000
const TEAMS = 500
const ROUNDS = 5
const MB = 1_048_576
const NS_PER_MS = 1e6
const LIMITS = { requestsPerMinute: 600, tokensPerMinute: 1_000_000, concurrency: 20 }
const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'))
const path = join(folder, 'accounts.snapshot')

function accountOf(k: number): Account {
  const [id, teamId] = [k, k % TEAMS].map((n) => String(n).padStart(20, '0'))
  const team = { id: `team_${teamId}`, name: `team-${k % TEAMS}`, models: ['*'], limits: LIMITS }
  return {
    ...{ id: `key_${id}`, name: `application-${k}`, team: k % 2 === 0 ? team : null, models: ['gpt-5*', 'claude-*'] },
    ...{ limits: LIMITS, tags: ['production'], trustUser: false, disabled: false, expiresAtMs: null },
  }
}

/** A thread's state without its database. */
function createNode() {
  const directory = createDirectoryMemory(KEYS)
  const keys = new DirectoryWriter(directory)
  const budgets = new BudgetWriter(directory.budgets, Date.now)
  const fallback = new Fallback({
    start: { directory, snapshot: { path, maxStaleMs: 3_600_000 } },
    ...{ place: 'bench:5432/sluice', keys, budgets, nowMs: Date.now },
    report: (message) => {
      throw new Error(message)
    },
  })
  return { keys, budgets, fallback, feed: new Feed({ writer: keys, budgets, nowMs: Date.now }) }
}

function fill({ keys, budgets }: ReturnType<typeof createNode>): void {
  for (let k = 0; k < KEYS; k++) {
    const account = accountOf(k)
    const digest = createHash('sha256').update(`sk-sluice-${k}`).digest('hex')
    keys.put(account, [{ digest, validUntilMs: null }])
    budgets.put({
      ...{ id: `budget_${String(k).padStart(20, '0')}`, name: `key:${account.name}:month`, kind: 'key' },
      ...{ subject: account.id, per: 'month', unit: 'usd', limit: 50_000_000_000, spent: 0, ...UNKNOWN_TERMS },
    })
  }
}

async function residentBytes(): Promise<number> {
  for (let i = 0; i < 5; i++) {
    globalThis.gc?.()
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return process.memoryUsage().rss
}

/** Wall clock and processor time, in ms. */
async function timed(act: () => void | Promise<void>): Promise<readonly [wall: number, cpu: number]> {
  const beganMs = performance.now()
  const before = process.cpuUsage()
  await act()
  const { user, system } = process.cpuUsage(before)
  return [performance.now() - beganMs, (user + system) / 1000]
}

function spreadOf(values: readonly number[]): string {
  const sorted = [...values].sort((a, b) => a - b)
  const [least = 0, median = 0, most = 0] = [sorted[0], sorted[sorted.length >> 1], sorted.at(-1)]
  return `${median.toFixed(0)} (${least.toFixed(0)} .. ${most.toFixed(0)}) ms`
}

function say(what: string, times: readonly (readonly [number, number])[]): void {
  const [wall, cpu] = [times.map(([ms]) => ms), times.map(([, ms]) => ms)]
  process.stdout.write(`${what}: ${spreadOf(wall)}, processor ${spreadOf(cpu)}\n`)
}

const node = createNode()
fill(node)
const delay = monitorEventLoopDelay({ resolution: 1 })
const writes: (readonly [number, number])[] = []
delay.enable()
for (let i = 0; i < ROUNDS; i++) {
  node.fallback.note()
  // Waits for the write that has begun.
  writes.push(await timed(() => node.fallback.close()))
}
delay.disable()
process.stdout.write(`${cpus()[0]?.model ?? 'unknown CPU'}, ${cpus().length} cores, Node ${process.version}\n`)
process.stdout.write(`${KEYS} keys with a budget each: a snapshot of ${(statSync(path).size / MB).toFixed(0)} MB\n`)
say('write', writes)
process.stdout.write(`the thread was never held for longer than ${(delay.max / NS_PER_MS).toFixed(0)} ms by it\n`)
const [reads, restores]: [(readonly [number, number])[], (readonly [number, number])[]] = [[], []]
let memory = 0
for (let i = 0; i < ROUNDS; i++) {
  const before = await residentBytes()
  const fresh = createNode()
  let found = null as ReturnType<Fallback['read']>
  reads.push(
    await timed(() => {
      found = fresh.fallback.read()
    }),
  )
  restores.push(await timed(() => void (found !== null && fresh.feed.restore(found))))
  found = null
  memory = Math.max(memory, (await residentBytes()) - before)
}
say('read and check', reads)
say('restore', restores)
process.stdout.write(`memory of a start: at most ${(memory / MB).toFixed(0)} MB more\n`)
rmSync(folder, { recursive: true })
