// What does it cost to know the keys of a database: a look-up by the digest of a key, and the memory of the process (the writer is in
// it) and of each further event loop? 100,000 keys, half of them in 500 teams. The bounds: 1 us a look-up after hashing, 100 MB for the
// first loop, 20 MB for each further one.
import { createHash, hash } from 'node:crypto'
import { createDirectoryMemory } from '../../src/accounts/directory/memory.js'
import { DirectoryReader } from '../../src/accounts/directory/reader.js'
import { DirectoryWriter } from '../../src/accounts/directory/writer.js'
import { type Account } from '../../src/accounts/types.js'
import { measure, printTable } from './measure.js'

const KEYS = 100_000
const TEAMS = 500
/** So many of them send requests: more than the cache of a loop holds. */
const MANY = 20_000
const MB = 1_048_576
const LIMITS = { requestsPerMinute: 600, tokensPerMinute: 1_000_000, concurrency: 20 }

function accountOf(k: number): Account {
  const id = String(k).padStart(20, '0')
  const teamId = String(k % TEAMS).padStart(20, '0')
  const team = { id: `team_${teamId}`, name: `team-${k % TEAMS}`, models: ['*'], limits: LIMITS }
  return {
    ...{ id: `key_${id}`, name: `application-${k}`, team: k % 2 === 0 ? team : null, models: ['gpt-5*', 'claude-*'] },
    ...{ limits: LIMITS, tags: ['production'], trustUser: false, disabled: false, expiresAtMs: null },
  }
}

function secretOf(k: number): string {
  return `sk-sluice-${String(k).padStart(43, '0')}`
}

/** Run with --expose-gc, or garbage is counted as well. */
async function usedBytes(): Promise<number> {
  for (let i = 0; i < 5; i++) {
    globalThis.gc?.()
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return process.memoryUsage().rss
}

const before = await usedBytes()
const memory = createDirectoryMemory(KEYS)
const writer = new DirectoryWriter(memory)
const startMs = performance.now()
for (let k = 0; k < KEYS; k++) {
  const digest = createHash('sha256').update(secretOf(k)).digest('hex')
  writer.put(accountOf(k), [{ digest, validUntilMs: null }])
}
const filledMs = performance.now() - startMs
const digests = Array.from({ length: MANY }, (_, k) => hash('sha256', secretOf(k * 5), 'hex'))
const filled = await usedBytes()
const reader = new DirectoryReader(memory)
for (const digest of digests) reader.find(digest, 0)
const read = await usedBytes()
process.stdout.write(
  `${KEYS} keys put in ${filledMs.toFixed(0)} ms; memory and writer ${((filled - before) / MB).toFixed(0)} MB, a reader that has seen ${MANY} keys ${((read - filled) / MB).toFixed(1)} MB\n`,
)

const unknown = hash('sha256', 'unknown', 'hex')
let n = 0
const next = (of: number): string => {
  n = (n + 7) % of
  return digests[n] ?? unknown
}
printTable('look-up of a key', [
  measure('SHA-256 of the key', () => hash('sha256', secretOf(1), 'hex')),
  measure('find, one key', () => reader.find(digests[0] ?? unknown, 0)),
  measure('find, 1000 keys in turn', () => reader.find(next(1000), 0)),
  measure('find, 20000 keys in turn: not cached', () => reader.find(next(MANY), 0)),
  measure('find, unknown', () => reader.find(unknown, 0)),
  measure('bySlot', () => reader.bySlot(5)),
])
