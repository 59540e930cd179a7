// A process that accepts and runs jobs until it is killed. Writes down beside the store, a line each: `accepted ID` once a job
// is on the disk, `ended ID STATE ATTEMPTS WEBHOOK` at the end; a dot on standard output for the first job. Run with: PATH OF
// THE STORE, ROUND, and `finish` for the last round, which accepts nothing, ends what there is and leaves.
import { openSync, writeSync } from 'node:fs'
import { GatewayError } from '../../src/errors.js'
import { JobRunner } from '../../src/jobs/runner.js'
import { connectSqlite, startSqlite } from '../../src/jobs/sqlite.js'
import { type JobHead } from '../../src/jobs/store.js'
import { newJob } from './store-suite.js'

const [path = '', round = '', mode = ''] = process.argv.slice(2)
const SUBMITTERS = 4
const LONGEST_RUN_MS = 8
const FAILING_SHARE = 0.2

// Synchronously, and to a file: what was said before the kill must be there, and a full pipe refuses.
const record = openSync(`${path}.said`, 'a')
const say = (line: string): void => {
  writeSync(record, `${line}\n`)
}

const thread = await startSqlite({ path, onTrouble: (message) => say(`trouble ${message}`) })
const store = connectSqlite(thread.connect())
const runner = new JobRunner({
  store,
  async execute(job) {
    await new Promise((resolve) => setTimeout(resolve, Math.random() * LONGEST_RUN_MS))
    if (Math.random() < FAILING_SHARE) throw new GatewayError('upstream_cut')
    return JSON.stringify({ answerTo: job.id })
  },
  ...{ concurrency: 8, attempts: 100, timeoutMs: 60_000, retentionMs: 3_600_000, random: () => 0 },
})
runner.start()

async function submit(submitter: number): Promise<void> {
  for (let i = 0; ; i++) {
    const id = `job-${round}-${submitter}-${i}`
    await store.accept(newJob(id, { webhookUrl: 'https://h.example/' }))
    say(`accepted ${id}`)
    if (i === 0) process.stdout.write('.')
    await new Promise((resolve) => setTimeout(resolve, Math.random() * LONGEST_RUN_MS))
  }
}

async function finish(): Promise<void> {
  const isOpen = async (): Promise<boolean> => {
    const { jobs } = await store.counts()
    return jobs.pending + jobs.processing > 0
  }
  while (await isOpen()) await new Promise((resolve) => setTimeout(resolve, 5))
  let after: string | null = null
  do {
    const page: readonly JobHead[] = await store.list({ keyName: 'team-a', state: null, limit: 1000, after })
    for (const job of page) say(`ended ${job.id} ${job.state} ${job.attempts} ${job.webhook?.state}`)
    after = page.at(-1)?.id ?? null
  } while (after !== null)
  await runner.stop(0)
  await thread.close()
}

if (mode === 'finish') await finish()
else await Promise.all(Array.from({ length: SUBMITTERS }, (_, i) => submit(i)))
