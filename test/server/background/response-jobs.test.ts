// Answers that wait as jobs, over both stores and a runner: what survives a process, and what does not. test/e2e/durable-background.test.ts
// has real processes and nodes.
import { type Test, test } from 'tap'
import { errorData, GatewayError } from '../../../src/errors.js'
import { JobRunner } from '../../../src/jobs/run/runner.js'
import { type ErrorData } from '../../../src/model/error.js'
import { type Sink } from '../../../src/pipeline/sink.js'
import { stored } from '../../../src/protocols/openai-responses/stored.js'
import { type ResponseStore } from '../../../src/responses/store.js'
import { Bell } from '../../../src/server/background/bell.js'
import { ResponseJobs } from '../../../src/server/background/response-jobs.js'
import { createDesk, queuedRecord } from '../../helpers/background.js'
import { FakePipeline, fakeSurface } from '../../helpers/fake-pipeline.js'
import { createFakeTimers } from '../../helpers/fake-timers.js'
import { createPlainStore } from '../../helpers/plain-store.js'
import { createMemoryStore } from '../../helpers/responses.js'

const LEASE_MS = 30_000
const ANSWER = Buffer.from('{"id":"r1","status":"completed"}')
const CONTEXT = {
  requestId: 'q1',
  members: { id: 'r1', store: true, background: true, previous_response_id: null },
  isStream: true,
  parameterHeaders: { 'x-a': 'b' },
}

function rig(t: Test, { keys = ['a'] } = {}) {
  const timers = createFakeTimers()
  const store = createPlainStore(t, () => 1_000_000 + timers.nowMs())
  const inner = createMemoryStore().store
  const answers = { isAway: false }
  const memory: ResponseStore = {
    put: (response, caps) => inner.put(response, caps),
    advance: (change, caps) => inner.advance(change, caps),
    get(owner, id) {
      if (answers.isAway) throw new GatewayError('storage_unavailable')
      return inner.get(owner, id)
    },
    findItems: (owner, ids) => inner.findItems(owner, ids),
    delete: (owner, id) => inner.delete(owner, id),
    close: () => inner.close(),
  }
  const desk = createDesk(memory)
  const pipeline = new FakePipeline(() => undefined)
  const results: string[] = []
  const keep = (sink: Sink) => Object.assign(Object.create(sink), { hold: () => undefined, stop: () => undefined })
  const keyOf = (owner: string) => (keys.includes(owner) ? { index: 0, name: owner, owner } : null)
  const createJobs = () =>
    new ResponseJobs({
      ...{ store, bell: new Bell(), surface: { ...fakeSurface, stored }, nowMs: () => 7 },
      view: () => ({ pipeline, desk, keeping: { keep }, attempts: 2, leaseMs: LEASE_MS, keyOf }),
    })
  /** A process more. */
  const startRunner = (): JobRunner => {
    const jobs = createJobs()
    const settings = { concurrency: 2, attempts: 2, timeoutMs: 1e9, retentionMs: 1e9, leaseMs: LEASE_MS }
    const runner = new JobRunner({
      ...{ kind: 'response', store: jobs, execute: jobs.execute, settings: () => settings, random: () => 0.5, timers },
      onRunEnd: (result) => results.push(result),
    })
    runner.start()
    t.teardown(() => {
      const stopped = runner.stop(0)
      timers.advance(LEASE_MS)
      return stopped
    })
    return runner
  }
  const accept = async (owner = 'a') => {
    await desk.commit(queuedRecord('r1', { owner, phase: 'waiting' }))
    const request = '{"model":"m"}'
    const job = {
      id: 'r1',
      kind: 'response',
      owner,
      request,
      context: CONTEXT,
      webhookUrl: null,
      idempotency: null,
    } as const
    await store.accept(job)
  }
  const show = async (owner = 'a') => {
    const found = await memory.get(owner, 'r1')
    return found === null ? null : { ...JSON.parse(Buffer.from(found.response).toString()), phase: found.phase }
  }
  const until = async (isSo: () => unknown): Promise<void> => {
    for (let i = 0; i < 500; i++) {
      if (await isSo()) return
      await new Promise((resolve) => setImmediate(resolve))
    }
    throw new Error(`never: ${isSo}`)
  }
  /** The n-th exchange that was begun, from 1. */
  const begun = async (n: number) => {
    await until(() => pipeline.exchanges.length >= n)
    const own = pipeline.exchanges[n - 1]?.request.own
    return {
      request: pipeline.exchanges[n - 1]?.request,
      own,
      settle: (error: ErrorData | null) => own?.settled?.(error),
      isCancelled: () => (pipeline.exchanges[n - 1]?.cancels ?? 0) > 0,
    }
  }
  const ended = (count: number) => until(() => results.length >= count)
  const isGone = async () => (await store.get('r1')) === null
  return { timers, store, answers, desk, createJobs, startRunner, accept, show, until, begun, ended, results, isGone }
}

test('one that waits runs with its own id, and nothing of it stays in the job store', async (t) => {
  const { accept, startRunner, begun, show, ended, isGone, results } = rig(t)
  await accept()
  startRunner()
  const { request, own, settle } = await begun(1)
  t.match(request, { requestId: 'q1', key: { owner: 'a' }, isCounted: true, parameterHeaders: { 'x-a': 'b' } })
  t.equal(Buffer.from(request?.body ?? []).toString(), '{"model":"m"}')
  t.match(await show(), { status: 'in_progress', phase: 'waiting' })
  t.equal(await own?.keep?.(ANSWER), null)
  settle(null)
  await ended(1)
  t.same(results, ['completed'])
  t.match(await show(), { status: 'completed', phase: 'over' })
  t.ok(await isGone())
})

test('one whose process dies before its first event runs again, elsewhere', async (t) => {
  const { accept, startRunner, begun, show, ended, timers } = rig(t)
  await accept()
  startRunner()
  await begun(1)
  timers.advance(LEASE_MS * 3)
  startRunner()
  const second = await begun(2)
  t.match(await show(), { status: 'in_progress', phase: 'waiting' })
  await second.own?.keep?.(ANSWER)
  second.settle(null)
  await ended(1)
  t.match(await show(), { status: 'completed' })
})

test('one whose events a client may have had never runs again: it has failed', async (t) => {
  const { accept, desk, startRunner, ended, results, show, store, isGone } = rig(t)
  await accept()
  const [claimed] = await store.claim({ kind: 'response', limit: 1, leaseMs: 0, maxAttempts: 9 })
  t.ok(claimed)
  const { response } = queuedRecord('r1')
  await desk.advance({ id: 'r1', owner: 'a', phase: 'running', response, streamId: 'str_1' })
  startRunner()
  await ended(1)
  t.same(results, ['failed'])
  t.match(await show(), { status: 'failed', error: { code: 'upstream_cut' }, phase: 'over' })
  t.ok(await isGone())
})

test('one that was lost as often as a job may fail has failed, so that it cannot end every process', async (t) => {
  const { accept, startRunner, ended, show, store } = rig(t)
  await accept()
  for (let i = 0; i < 2; i++) await store.claim({ kind: 'response', limit: 1, leaseMs: 0, maxAttempts: 9 })
  startRunner()
  await ended(1)
  t.match(await show(), { status: 'failed', error: { message: /Every attempt was interrupted/ } })
})

test('what is over already, or was deleted, is not run', async (t) => {
  for (const isDeleted of [true, false]) {
    const { accept, desk, startRunner, ended, results, isGone, begun } = rig(t)
    await accept()
    if (isDeleted) await desk.delete('a', 'r1')
    else await desk.advance({ id: 'r1', owner: 'a', phase: 'over', response: ANSWER, streamId: null })
    startRunner()
    await ended(1)
    t.same(results, ['completed'])
    t.ok(await isGone())
    await t.rejects(begun(1))
  }
})

test('an error that may pass is tried again before the first event, and is final after it', async (t) => {
  const { accept, startRunner, begun, show, ended, results, timers, until } = rig(t)
  await accept()
  startRunner()
  const first = await begun(1)
  first.settle(errorData('upstream_overloaded'))
  await ended(1)
  t.same(results, ['retried'])
  t.match(await show(), { status: 'queued', error: null, phase: 'waiting' })
  timers.advance(60_000)
  const second = await begun(2)
  second.own?.began?.('str_1')
  await until(async () => (await show())?.phase === 'running')
  second.settle(errorData('upstream_overloaded'))
  await ended(2)
  t.match(await show(), { status: 'failed', phase: 'over' })
})

test('an error that does not pass is final, and so is a key that is gone', async (t) => {
  const { accept, startRunner, begun, show, ended, isGone } = rig(t)
  await accept()
  startRunner()
  const { settle } = await begun(1)
  settle(errorData('context_length_exceeded'))
  await ended(1)
  t.match(await show(), { status: 'failed', phase: 'over' })
  t.ok(await isGone())
  const gone = rig(t, { keys: [] })
  await gone.accept()
  gone.startRunner()
  await gone.ended(1)
  t.match(await gone.show(), { status: 'failed', error: { message: /no longer configured/ } })
})

test('a drain puts one back that has not begun, and fails one that has', async (t) => {
  for (const hasBegun of [false, true]) {
    const { accept, startRunner, begun, show, until, store, timers, results } = rig(t)
    await accept()
    const runner = startRunner()
    const { own } = await begun(1)
    if (hasBegun) {
      own?.began?.('str_1')
      await until(async () => (await show())?.phase === 'running')
    }
    const stopped = runner.stop(0)
    timers.advance(1)
    await stopped
    t.same(results, ['released'])
    t.match(await show(), hasBegun ? { status: 'failed', phase: 'over' } : { status: 'queued', phase: 'waiting' })
    t.match(await store.get('r1'), hasBegun ? null : { state: 'pending', attempts: 0 })
  }
})

test('a job that is removed stops its run, whose answer is not stored', async (t) => {
  const { accept, startRunner, begun, show, ended, store, desk, results } = rig(t)
  await accept()
  startRunner()
  const { own, isCancelled } = await begun(1)
  const response = stored.withCancelled(queuedRecord('r1').response)
  await desk.advance({ id: 'r1', owner: 'a', phase: 'over', response, streamId: null })
  await store.remove('r1')
  await ended(1)
  t.ok(isCancelled())
  t.same(results, ['void'])
  t.match(await own?.keep?.(ANSWER), { data: { code: 'client_gone' } })
  t.match(await show(), { status: 'cancelled' })
})

test('a runner that has lost its lease without knowing leaves the answer to the other one', async (t) => {
  const { accept, createJobs, show, store, timers } = rig(t)
  await accept()
  const suspended = createJobs()
  const claim = { kind: 'response', limit: 1, leaseMs: LEASE_MS, maxAttempts: 9 } as const
  const [claimed] = await suspended.claim(claim)
  if (claimed === undefined) throw new Error('not claimed')
  timers.advance(LEASE_MS + 1)
  t.equal((await createJobs().claim(claim)).length, 1)
  t.equal(await suspended.fail(claimed.lease, errorData('context_length_exceeded')), false)
  t.equal(await suspended.release(claimed.lease), false)
  t.match(await show(), { status: 'queued', phase: 'waiting', error: null })
  t.match(await store.get('r1'), { state: 'processing', attempts: 2 })
})

test('while the store of answers is away a run is put off, and is no attempt', async (t) => {
  const { accept, startRunner, begun, ended, results, store, answers, timers, until } = rig(t)
  await accept()
  answers.isAway = true
  startRunner()
  await until(async () => (await store.get('r1'))?.attempts === 1)
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
  t.same(results, [], 'it cannot be shown as queued yet')
  answers.isAway = false
  timers.advance(1000)
  await ended(1)
  t.same(results, ['retried'])
  t.match(await store.get('r1'), { state: 'pending', attempts: 0 })
  timers.advance(10_000)
  await begun(1)
})
