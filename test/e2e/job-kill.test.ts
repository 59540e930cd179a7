// The gateway itself is killed with SIGKILL at random moments with jobs on their way, on one file: every job that was answered
// 202 comes to an end, and each webhook arrives at least once, under one id.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tap, { test } from 'tap'
import { simulatedProviders, startGateway, startSimulator } from '../helpers/gateway.js'
import { JobClient } from '../helpers/job-client.js'
import { JobLedger, pause } from '../helpers/job-ledger.js'
import { startReceiver } from '../helpers/webhook-receiver.js'

const ROUNDS = Number(process.env.SOAK_ROUNDS ?? 20)
/** After its first 202, so that the round counts, however slow the machine. */
const LONGEST_LIFE_MS = 250
/** One of so many is killed sooner: while it takes up what the one before left. */
const SOON_EVERY = 4
const TOLD_EVERY = 10
const DAY_MS = 86_400_000
/** For the file as well: a busy machine takes seconds for a start. */
const PATIENCE_MS = 180_000 + ROUNDS * 10_000

tap.setTimeout(PATIENCE_MS)

test(`killed ${ROUNDS} times at random, every 202 ends and its webhook comes`, { timeout: PATIENCE_MS }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-job-kill-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  // Slow enough that each kill finds some at work.
  const simulator = await startSimulator(t, ['--tokens-per-second', '200'])
  const receiver = await startReceiver(t)
  const config = {
    providers: simulatedProviders(simulator.origin),
    jobs: {
      ...{ path: join(folder, 'jobs.db'), concurrency: 16, attempts: 100, retentionMs: DAY_MS },
      webhook: { allowInsecure: true, allowPrivateNetworks: true },
    },
  }
  const ledger = new JobLedger({ model: 'openai/lorem-20', receiver })
  const startedMs = performance.now()
  for (let round = 1; round <= ROUNDS; round++) {
    const gateway = await startGateway(t, { config })
    const { begun, done } = ledger.submit(gateway)
    if (round % SOON_EVERY !== 0) await begun
    await pause(Math.random() * LONGEST_LIFE_MS)
    await gateway.stop('SIGKILL')
    await done
    if (round % TOLD_EVERY !== 0) continue
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(0)
    t.comment(`round ${round}: ${ledger.count} accepted, ${receiver.received.length} webhooks, ${seconds} s`)
  }
  const last = await startGateway(t, { config })
  const attempts = await ledger.check(t, new JobClient(last))
  t.ok(
    attempts.some((each) => each > 1),
    'what was broken off ran again, and its attempts tell',
  )
  t.equal(await last.stop('SIGINT'), 0)
})
