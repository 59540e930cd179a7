// Somebody sets the wall clock while jobs run, wait for their next attempt and wait to be told: runner and courier go on by
// their monotonic timers. No job is stuck, nothing comes in a burst, and webhooks are signed by the clock as it is now.
import { type Test, test } from 'tap'
import { GatewayError } from '../../src/errors.js'
import { type Execute } from '../../src/jobs/run/job-run.js'
import { JobRunner } from '../../src/jobs/run/runner.js'
import { Courier } from '../../src/jobs/webhook/courier.js'
import { verifyWebhook } from '../../src/jobs/webhook/signature.js'
import { createFakeTimers } from '../helpers/fake-timers.js'
import { newJob } from '../helpers/new-job.js'
import { createPlainStore } from '../helpers/plain-store.js'
import { startReceiver } from '../helpers/webhook-receiver.js'

const HOUR_MS = 3_600_000
const YEAR_MS = 365 * 24 * HOUR_MS
const START_MS = Date.UTC(2026, 0, 1)
const SECRET = '0123456789abcdef'
const CONCURRENCY = 2
const JOBS = 6
/** A retry waits for up to 5 s by the webhooks' schedule, a lease for 30 s. */
const MOST_SECONDS = 60
const MAX_TURNS = 500

type Call = { readonly id: string; answer(text: string): void; fail(error: unknown): void }

/** Runner and courier on timers that stand still, the store on a wall clock that can be set. */
function rig(t: Test) {
  const timers = createFakeTimers()
  let setByMs = 0
  const wallMs = (): number => START_MS + setByMs + timers.nowMs()
  const store = createPlainStore(t, wallMs)
  const open = new Set<Call>()
  const starts: string[] = []
  let most = 0
  const execute: Execute = (job, signal) =>
    new Promise((resolve, reject) => {
      const call = { id: job.id, answer: resolve, fail: reject }
      open.add(call)
      starts.push(job.id)
      most = Math.max(most, open.size)
      signal.addEventListener('abort', () => open.delete(call))
    })
  const times = { timeoutMs: 600_000, retentionMs: 3 * YEAR_MS, leaseMs: 30_000 }
  const settings = { concurrency: CONCURRENCY, attempts: 3, ...times }
  const runner = new JobRunner({
    kind: 'chat',
    ...{ store, execute, settings: () => settings, random: () => 0.5, timers },
  })
  const secrets = { secret: SECRET, previousSecret: null }
  const policy = { allowInsecure: true, allowPrivateNetworks: true }
  const webhook = { ...secrets, ...policy, timeoutMs: 10_000, unixMs: wallMs }
  const sending = { webhook, leaseMs: 30_000 }
  const courier = new Courier({ store, settings: () => sending, random: () => 0, timers })
  t.teardown(async () => {
    const stopped = Promise.all([runner.stop(0), courier.stop(0)])
    timers.advance(1)
    await stopped
  })
  const settle = async (call: Call, how: (call: Call) => void): Promise<void> => {
    open.delete(call)
    how(call)
    await quiet()
  }
  const set = (ms: number): void => {
    setByMs += ms
  }
  return { timers, store, runner, courier, open, starts, settle, set, wallMs, most: () => most }
}

async function quiet(): Promise<void> {
  for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve))
}

/** Lets sockets and promises run until it is so. */
async function until(isSo: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (let i = 0; i < MAX_TURNS; i++) {
    if (await isSo()) return
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  throw new Error(`never: ${what}`)
}

for (const [name, jumpMs] of [
  ['+1 h', HOUR_MS],
  ['-1 h', -HOUR_MS],
  ['+1 y', YEAR_MS],
] as const) {
  test(`the clock is set ${name}: all jobs end, no more of them at once, none begun more than twice`, async (t) => {
    const { timers, store, runner, open, starts, settle, set, most } = rig(t)
    const ids = Array.from({ length: JOBS }, (_, i) => `job-${i}`)
    for (const id of ids) await store.accept(newJob(id))
    runner.start()
    await quiet()
    // One waits for its next attempt, others run, the rest has not begun.
    const [first] = open
    if (first === undefined) throw new Error('nothing runs')
    await settle(first, (call) => call.fail(new GatewayError('upstream_overloaded', { retryAfterMs: 20_000 })))
    await until(() => open.size === CONCURRENCY, 'the next one runs')
    set(jumpMs)
    const isDone = async (): Promise<boolean> => (await store.counts()).jobs.completed === JOBS
    for (let second = 0; second < MOST_SECONDS && !(await isDone()); second++) {
      timers.advance(1000)
      await quiet()
      // Each takes a few seconds.
      const [call] = second % 3 === 2 ? open : []
      if (call !== undefined) await settle(call, (each) => each.answer('{}'))
    }
    t.match((await store.counts()).jobs, { pending: 0, processing: 0, completed: JOBS, error: 0 }, 'none is stuck')
    t.ok(most() <= CONCURRENCY, `${most()} at once`)
    const runs = ids.map((id) => starts.filter((each) => each === id).length)
    t.ok(
      runs.every((count) => count <= 2),
      `begun ${runs}`,
    )
  })

  test(`the clock is set ${name}: webhooks are sent again in time, once, and signed by the clock as it is`, async (t) => {
    const { timers, store, courier, set, wallMs } = rig(t)
    const receiver = await startReceiver(t, (n) => (n === 0 ? 503 : 200))
    await store.accept(newJob('told', { webhookUrl: receiver.url }))
    const [claimed] = await store.claim({ kind: 'chat', limit: 1, leaseMs: 1000, maxAttempts: 3 })
    if (claimed === undefined) throw new Error('nothing to claim')
    await store.complete(claimed.lease, '{"ok":1}')
    const webhookOf = async () => (await store.get('told'))?.webhook
    const settled = (): number => store.calls.filter((call) => call === 'settleDelivery').length
    courier.start()
    await receiver.until(1)
    await until(async () => (await webhookOf())?.lastError !== null, 'the first attempt is noted')
    set(jumpMs)
    let seconds = 0
    for (; seconds < MOST_SECONDS && (await webhookOf())?.state !== 'delivered'; seconds++) {
      timers.advance(1000)
      await quiet()
      await until(async () => (await webhookOf())?.attempts === settled(), 'no attempt hangs')
      await quiet()
    }
    t.match(await webhookOf(), { state: 'delivered', attempts: 2 })
    t.equal(receiver.received.length, 2, 'no burst')
    const again = receiver.received[1]
    const head = (what: string): string => String(again?.headers[`webhook-${what}`])
    const nowSec = Math.floor(wallMs() / 1000)
    t.ok(Math.abs(Number(head('timestamp')) - nowSec) <= MOST_SECONDS, 'the clock of now')
    const signed = { id: head('id'), timestamp: head('timestamp'), signature: head('signature') }
    t.same(verifyWebhook(signed, Buffer.from(again?.text ?? ''), { secrets: [SECRET], nowSec }), { ok: true })
    t.equal(head('id'), 'told')
  })
}
