// The limits over real threads: exact counts under contention, and a waiter that another thread wakes.
import { Worker } from 'node:worker_threads'
import { test } from 'tap'
import { createLimiter, createLimiterCells } from '../../src/limit/local/cells.js'
import { type LimiterJob, type LimiterReport, limiterConfig, type Setup } from '../helpers/limiter-setup.js'

const THREADS = 4
const FROZEN_NS = 5_000_000_000n

function start(job: LimiterJob): Worker {
  return new Worker(new URL('../helpers/limiter-thread.js', import.meta.url), { workerData: job })
}

function nextMessage(worker: Worker): Promise<unknown> {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
  })
}

/** Runs the task on THREADS threads at once; returns the cells and what each thread reported. */
async function hammer(setup: Setup, task: LimiterJob['task'], attempts: number) {
  const config = limiterConfig(setup)
  const cells = createLimiterCells(config)
  const job = { config, cells, frozenNs: FROZEN_NS, task, keyIndex: 0, attempts }
  const reports = await Promise.all(
    Array.from({ length: THREADS }, async () => (await nextMessage(start(job))) as LimiterReport),
  )
  const limiter = createLimiter(config, cells, { nowNs: () => FROZEN_NS })
  return { limiter, reports, admitted: reports.reduce((sum, report) => sum + report.admitted, 0) }
}

test('threads that hammer one bucket get exactly its limit, none more, none less', async (t) => {
  const { limiter, admitted } = await hammer({ keys: [{ requestsPerMinute: 50_000 }] }, 'requests', 20_000)
  t.equal(admitted, 50_000)
  t.equal(limiter.snapshot(0).requests?.remaining, 0)
})

test('threads that take from two buckets leave both as if taken one by one', async (t) => {
  const { limiter, admitted } = await hammer(
    { gateway: { tokensPerMinute: 100_000 }, keys: [{ tokensPerMinute: 90_001 }] },
    'tokens',
    10_000,
  )
  t.equal(admitted, 30_000)
  t.equal(limiter.snapshot(0).tokens?.remaining, 1)
  t.equal(limiter.snapshot(-1).tokens?.remaining, 10_000)
})

test('threads that enter and leave never exceed the cap and leave no slot behind', async (t) => {
  const { limiter, reports } = await hammer(
    { gateway: { concurrency: 2 }, keys: [{}], queue: { max: 0, timeoutMs: 1 } },
    'slots',
    20_000,
  )
  for (const report of reports) t.ok(report.mostActive <= 2)
  t.equal(limiter.active(), 0)
})

test('a waiter in another thread is woken by a slot that this one frees', async (t) => {
  const config = limiterConfig({ gateway: { concurrency: 1 } })
  const cells = createLimiterCells(config)
  const limiter = createLimiter(config, cells)
  t.equal(limiter.enter(-1, { keyIndex: -1, onEntered() {}, onRefused() {} }), true)
  const worker = start({ config, cells, frozenNs: null, task: 'wait', keyIndex: -1, attempts: 0 })
  const exited = new Promise((resolve) => worker.once('exit', resolve))
  t.equal(await nextMessage(worker), 'queued')
  const entered = nextMessage(worker)
  limiter.leave(-1)
  t.equal(await entered, 'entered')
  await exited
  t.equal(limiter.active(), 0)
})
