// A process that accepts and runs jobs until it is killed. Writes into a file, a line each: `accepted ID` once the store has
// said so, `started ID ATTEMPT`, `run RESULT`, `ended ID STATE ATTEMPTS WEBHOOK` at the end; a dot on standard output for its
// first job. Run with: STORE (a path or redis://), FILE, ROUND, MODE: `submit`; `run`, which accepts nothing; `finish`, which
// accepts nothing, ends what there is and leaves.
import { openSync, writeSync } from 'node:fs'
import { GatewayError } from '../../src/errors.js'
import { JobRunner } from '../../src/jobs/run/runner.js'
import { connectSqlite, startSqlite } from '../../src/jobs/sqlite/store.js'
import { type JobHead, type JobStore } from '../../src/jobs/store.js'
import { newJob } from './new-job.js'

const [place = '', file = '', round = '', mode = ''] = process.argv.slice(2)
const SUBMITTERS = 4
const LONGEST_RUN_MS = 8
const FAILING_SHARE = 0.2
/** For nodes that are stopped for longer than this. */
const LEASE_MS = 500
/** A job of this name runs for long enough to be stopped in the middle. */
const LONG_JOB = 'long'
const LONG_RUN_MS = 200

// Synchronously, and to a file: what was said before the kill must be there, and a full pipe refuses.
const record = openSync(file, 'a')
const say = (line: string): void => {
  writeSync(record, `${line}\n`)
}

async function openStore(): Promise<JobStore> {
  // Loaded where it is needed: it takes longer than all else here.
  if (place.startsWith('redis:')) return (await import('../../src/jobs/redis/store.js')).openRedisStore({ url: place })
  const thread = await startSqlite({ path: place, onTrouble: (message) => say(`trouble ${message}`) })
  const store = connectSqlite(thread.connect())
  return { ...store, close: () => thread.close() }
}

const store = await openStore()
const runner = new JobRunner({
  kind: 'chat',
  store,
  async execute(job) {
    say(`started ${job.id} ${job.attempts}`)
    if (job.id === LONG_JOB) process.stdout.write('.')
    const runMs = job.id === LONG_JOB ? LONG_RUN_MS : Math.random() * LONGEST_RUN_MS
    await new Promise((resolve) => setTimeout(resolve, runMs))
    if (job.id === LONG_JOB) return JSON.stringify({ by: round })
    if (Math.random() < FAILING_SHARE) throw new GatewayError('upstream_cut')
    return JSON.stringify({ answerTo: job.id })
  },
  settings: () => ({ concurrency: 8, attempts: 100, timeoutMs: 60_000, retentionMs: 3_600_000, leaseMs: LEASE_MS }),
  random: () => 0,
  onRunEnd: (result) => say(`run ${result} ${round}`),
})
runner.start()

async function submit(submitter: number): Promise<void> {
  let hasAccepted = false
  for (let i = 0; ; i++) {
    const id = `job-${round}-${submitter}-${i}`
    if (!(await isAccepted(id))) continue
    say(`accepted ${id}`)
    if (!hasAccepted) process.stdout.write('.')
    hasAccepted = true
    await new Promise((resolve) => setTimeout(resolve, Math.random() * LONGEST_RUN_MS))
  }
}

/** A node that was stopped may have lost its connection, or its call to the time limit. */
async function isAccepted(id: string): Promise<boolean> {
  try {
    await store.accept(newJob(id, { webhookUrl: 'https://h.example/' }))
    return true
  } catch {
    await new Promise((resolve) => setTimeout(resolve, 20))
    return false
  }
}

async function finish(): Promise<void> {
  const isOpen = async (): Promise<boolean> => {
    const counts = await store.counts().catch(() => null)
    return counts === null || counts.jobs.pending + counts.jobs.processing > 0
  }
  while (await isOpen()) await new Promise((resolve) => setTimeout(resolve, 5))
  let after: string | null = null
  do {
    const page: readonly JobHead[] = await store.list({ owner: 'team-a', state: null, limit: 1000, after })
    for (const job of page) say(`ended ${job.id} ${job.state} ${job.attempts} ${job.webhook?.state}`)
    after = page.at(-1)?.id ?? null
  } while (after !== null)
  await runner.stop(0)
  await store.close()
}

if (mode === 'finish') await finish()
if (mode === 'submit') await Promise.all(Array.from({ length: SUBMITTERS }, (_, i) => submit(i)))
