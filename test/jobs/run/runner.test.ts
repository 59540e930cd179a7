// The runner over the embedded store, on time that stands still: order, attempts, backoff, timeouts, leases, stop.
import { type Test, test } from 'tap'
import { GatewayError } from '../../../src/errors.js'
import { type Execute, type RunResult } from '../../../src/jobs/run/job-run.js'
import { JobRunner, type RunnerSettings } from '../../../src/jobs/run/runner.js'
import { type JobState } from '../../../src/jobs/store.js'
import { createFakeTimers } from '../../helpers/fake-timers.js'
import { newJob } from '../../helpers/new-job.js'
import { createPlainStore } from '../../helpers/plain-store.js'

type Call = { readonly id: string; readonly attempts: number; readonly signal: AbortSignal } & {
  answer(text: string): void
  fail(error: unknown): void
}

const MAX_TURNS = 200

function rig(t: Test, over: Partial<RunnerSettings> & { readonly execute?: Execute } = {}) {
  const timers = createFakeTimers()
  const store = createPlainStore(t, () => 1_000_000 + timers.nowMs())
  const calls: Call[] = []
  const results: [RunResult, number][] = []
  const troubles: string[] = []
  const { execute: given, ...settled } = over
  const execute: Execute = (job, signal) =>
    new Promise((resolve, reject) => {
      calls.push({ id: job.id, attempts: job.attempts, signal, answer: resolve, fail: reject })
    })
  const settings: { -readonly [Name in keyof RunnerSettings]: RunnerSettings[Name] } = {
    ...{ concurrency: 2, attempts: 3, timeoutMs: 600_000, retentionMs: 3_600_000, leaseMs: 30_000 },
    ...settled,
  }
  const runner = new JobRunner({
    kind: 'chat',
    ...{ store, execute: given ?? execute, settings: () => settings, random: () => 0.5, timers },
    onRunEnd: (result, attempts) => results.push([result, attempts]),
    onTrouble: (message) => troubles.push(message),
  })
  /** Lets promises run until it is so. */
  const until = async (isSo: () => boolean, what: string): Promise<void> => {
    for (let i = 0; i < MAX_TURNS && !isSo(); i++) await new Promise((resolve) => setImmediate(resolve))
    if (!isSo()) throw new Error(`never: ${what}`)
  }
  const called = async (count: number): Promise<Call> => {
    await until(() => calls.length >= count, `call ${count}`)
    return calls[count - 1] as Call
  }
  const stateIs = async (id: string, state: JobState): Promise<void> => {
    for (let i = 0; i < MAX_TURNS; i++) if ((await store.get(id))?.state === state) return
    throw new Error(`${id} is ${(await store.get(id))?.state}, not ${state}`)
  }
  const quiet = async (): Promise<void> => {
    for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve))
  }
  t.teardown(async () => {
    const stopped = runner.stop(0)
    timers.advance(1)
    await stopped
  })
  return { timers, store, runner, calls, called, results, troubles, until, stateIs, quiet, settings }
}

test('runs what is accepted, so many at once, the keys in turn', async (t) => {
  const { store, runner, calls, called, stateIs, quiet, results } = rig(t)
  for (let i = 0; i < 5; i++) await store.accept(newJob(`many-${i}`, { owner: 'many' }))
  runner.start()
  await called(2)
  for (let i = 0; i < 2; i++) await store.accept(newJob(`few-${i}`, { owner: 'few' }))
  await quiet()
  t.equal(calls.length, 2, 'no more than two at once')
  t.equal(runner.activeCount, 2)
  calls[0]?.answer('{"n":0}')
  t.equal((await called(3)).id, 'few-0')
  calls[1]?.answer('{"n":1}')
  t.equal((await called(4)).id, 'many-2')
  for (let i = 2; i < 7; i++) (await called(i + 1)).answer('{}')
  for (const id of ['many-0', 'many-4', 'few-1']) await stateIs(id, 'completed')
  t.match(await store.get('many-0'), { answer: '{"n":0}', attempts: 1 })
  t.same(results[0], ['completed', 1])
})

test('a job that comes while the runner is idle starts at once', async (t) => {
  const { store, runner, called, quiet } = rig(t)
  runner.start()
  await quiet()
  await store.accept(newJob('a'))
  t.equal((await called(1)).id, 'a')
})

test('a limit of the gateway itself costs no attempt; one of the provider does', async (t) => {
  const { store, runner, timers, called, stateIs } = rig(t, { attempts: 1 })
  await store.accept(newJob('a'))
  runner.start()
  for (const [n, code] of (['rate_limited', 'overloaded'] as const).entries()) {
    const call = await called(n + 1)
    t.equal(call.attempts, 1)
    call.fail(new GatewayError(code, { retryAfterMs: 7000 }))
    await stateIs('a', 'pending')
    t.match(await store.get('a'), { attempts: 0, error: { code } })
    timers.advance(7000)
    t.equal((await store.get('a'))?.state, 'pending', 'not before it may help')
    timers.advance(1000)
  }
  ;(await called(3)).fail(new GatewayError('rate_limited', { upstreamStatus: 429 }))
  await stateIs('a', 'error')
  t.match(await store.get('a'), { attempts: 1 })
})

test('a retryable failure is tried again after its backoff, as often as granted', async (t) => {
  const { store, runner, timers, calls, called, stateIs, quiet, results } = rig(t)
  await store.accept(newJob('a'))
  runner.start()
  for (const [attempt, backoff] of [
    [1, 500],
    [2, 1000],
  ] as const) {
    const call = await called(attempt)
    t.equal(call.attempts, attempt)
    call.fail(new GatewayError('upstream_overloaded', { message: `no ${attempt}` }))
    await stateIs('a', 'pending')
    t.match(await store.get('a'), { error: { message: `no ${attempt}` } }, 'it can be seen meanwhile')
    timers.advance(backoff - 1)
    await quiet()
    t.equal(calls.length, attempt, 'not before')
    timers.advance(501)
  }
  ;(await called(3)).fail(new GatewayError('upstream_overloaded', { message: 'no 3' }))
  await stateIs('a', 'error')
  t.match(await store.get('a'), { attempts: 3, error: { code: 'upstream_overloaded', message: 'no 3' } })
  t.same(results, [
    ['retried', 1],
    ['retried', 2],
    ['failed', 3],
  ])
})

test("waits for as long as the upstream asked, and not for an upstream's year", async (t) => {
  const { store, runner, timers, calls, called, stateIs, quiet } = rig(t, { leaseMs: 10_000_000 })
  await store.accept(newJob('a'))
  runner.start()
  ;(await called(1)).fail(new GatewayError('rate_limited', { retryAfterMs: 20_000 }))
  await stateIs('a', 'pending')
  timers.advance(19_999)
  await quiet()
  t.equal(calls.length, 1)
  timers.advance(1001)
  ;(await called(2)).fail(new GatewayError('rate_limited', { retryAfterMs: 31_536_000_000 }))
  await stateIs('a', 'pending')
  timers.advance(602_000)
  await called(3)
})

test('an error that a retry cannot fix ends the job at once; an internal error shows no details', async (t) => {
  const { store, runner, called, stateIs } = rig(t)
  await store.accept(newJob('a'))
  await store.accept(newJob('b'))
  runner.start()
  ;(await called(1)).fail(new GatewayError('model_not_found'))
  ;(await called(2)).fail(new TypeError('secret'))
  await stateIs('a', 'error')
  await stateIs('b', 'error')
  t.match(await store.get('a'), { attempts: 1, error: { code: 'model_not_found' } })
  t.match(await store.get('b'), { error: { code: 'internal', message: 'Internal error.' } })
})

test('an execution that throws before it promises anything is a failure like others', async (t) => {
  const execute: Execute = () => {
    throw new GatewayError('invalid_request', { param: 'model' })
  }
  const { store, runner, stateIs } = rig(t, { execute })
  await store.accept(newJob('a'))
  runner.start()
  await stateIs('a', 'error')
  t.match(await store.get('a'), { error: { code: 'invalid_request', param: 'model' } })
})

test('the running time of all attempts together is bounded, and one that hangs holds up nothing', async (t) => {
  const { store, runner, timers, called, stateIs, quiet } = rig(t, { timeoutMs: 100_000, concurrency: 1 })
  await store.accept(newJob('a'))
  await store.accept(newJob('b'))
  runner.start()
  const first = await called(1)
  for (let i = 0; i < 6; i++) {
    timers.advance(10_000)
    await quiet()
  }
  first.fail(new GatewayError('upstream_cut'))
  await stateIs('a', 'pending')
  ;(await called(2)).answer('{}')
  await stateIs('b', 'completed')
  timers.advance(1000)
  const second = await called(3)
  t.equal(second.id, 'a')
  for (let i = 0; i < 3; i++) {
    timers.advance(10_000)
    await quiet()
  }
  t.notOk(second.signal.aborted)
  timers.advance(10_001)
  t.ok(second.signal.aborted)
  await stateIs('a', 'error')
  t.match(await store.get('a'), {
    attempts: 2,
    error: { code: 'upstream_timeout', message: /time limit of 100000 ms/ },
  })
})

test('a long run keeps its lease', async (t) => {
  const { store, runner, timers, called, quiet, stateIs } = rig(t)
  await store.accept(newJob('a'))
  runner.start()
  const call = await called(1)
  for (let i = 0; i < 12; i++) {
    timers.advance(10_000)
    await quiet()
    t.same(await store.claim({ kind: 'chat', limit: 1, leaseMs: 1, maxAttempts: 3 }), [])
  }
  call.answer('{}')
  await stateIs('a', 'completed')
  t.match(await store.get('a'), { attempts: 1 })
})

test('a run whose job was taken over is aborted and settles nothing', async (t) => {
  const { store, runner, timers, called, until, quiet, results } = rig(t)
  await store.accept(newJob('a'))
  runner.start()
  const call = await called(1)
  store.isDown = true
  timers.advance(30_001)
  await quiet()
  t.notOk(call.signal.aborted, 'while nobody knows better it goes on')
  store.isDown = false
  const [taken] = await store.claim({ kind: 'chat', limit: 1, leaseMs: 30_000, maxAttempts: 3 })
  if (taken === undefined) throw new Error('it was not free')
  await until(() => call.signal.aborted, 'aborted')
  await until(() => results.length > 0, 'ended')
  t.same(results, [['void', 1]])
  t.match(await store.get('a'), { state: 'processing', attempts: 2 })
  t.equal(await store.complete(taken.lease, '{}'), true)
})

test('a cancelled job is aborted at once', async (t) => {
  const { store, runner, called, until, results } = rig(t)
  await store.accept(newJob('a'))
  runner.start()
  const call = await called(1)
  await store.cancel('a', new GatewayError('client_gone').data)
  await until(() => call.signal.aborted, 'aborted')
  await until(() => results.length > 0, 'ended')
  t.same(results, [['void', 1]])
  t.match(await store.get('a'), { state: 'error', error: { code: 'client_gone' } })
})

test('a stop lets end what ends in time and gives the rest back, uncounted', async (t) => {
  const { store, runner, timers, calls, called, quiet } = rig(t)
  for (const id of ['quick', 'slow', 'waits']) await store.accept(newJob(id))
  runner.start()
  const quick = await called(1)
  const slow = await called(2)
  const stopped = runner.stop(10_000)
  quick.answer('{}')
  await quiet()
  timers.advance(9_999)
  await quiet()
  t.notOk(slow.signal.aborted)
  timers.advance(1)
  await stopped
  t.ok(slow.signal.aborted)
  t.equal(calls.length, 2, 'nothing more was taken')
  t.match(await store.get('quick'), { state: 'completed' })
  t.match(await store.get('slow'), { state: 'pending', attempts: 0 })
  await store.accept(newJob('late'))
  await quiet()
  t.equal(calls.length, 2)
  t.same(timers.pending(), [], 'and no timer is left')
})

test('a draining pipeline releases its job as well', async (t) => {
  const { store, runner, called, stateIs } = rig(t)
  await store.accept(newJob('a'))
  runner.start()
  const call = await called(1)
  void runner.stop(60_000)
  call.fail(new GatewayError('draining'))
  await stateIs('a', 'pending')
  t.match(await store.get('a'), { attempts: 0 })
})

test('an answer is not lost while the store is unavailable', async (t) => {
  const { store, runner, timers, called, stateIs, troubles, quiet } = rig(t)
  await store.accept(newJob('a'))
  runner.start()
  const call = await called(1)
  store.isDown = true
  call.answer('{"late":1}')
  for (let i = 0; i < 5; i++) {
    await quiet()
    timers.advance(1000)
  }
  await quiet()
  t.same(troubles, ['job store unavailable (runner): The job store is away.'], 'one line, however long')
  store.isDown = false
  timers.advance(1000)
  await stateIs('a', 'completed')
  t.match(await store.get('a'), { answer: '{"late":1}', attempts: 1 })
  timers.advance(1000)
  await quiet()
  t.same(troubles.slice(1), ['job store available (runner)'])
})

test('a stop ends in time although the store is unavailable', async (t) => {
  const { store, runner, timers, called, quiet } = rig(t)
  await store.accept(newJob('a'))
  runner.start()
  await called(1)
  store.isDown = true
  const stopped = runner.stop(0)
  for (let i = 0; i < 8; i++) {
    timers.advance(1000)
    await quiet()
  }
  await stopped
  store.isDown = false
  t.match(await store.get('a'), { state: 'processing' }, 'its lease will run out')
})

test('a job claimed in the moment of the stop goes back unseen', async (t) => {
  const { store, runner, calls } = rig(t)
  await store.accept(newJob('a'))
  runner.start()
  await runner.stop(0)
  t.equal(calls.length, 0)
  t.match(await store.get('a'), { state: 'pending', attempts: 0 })
})

test('finished jobs are cleaned up in time, however many', async (t) => {
  const { store, runner, timers, called, stateIs, quiet } = rig(t, { retentionMs: 60_000 })
  await store.accept(newJob('a'))
  runner.start()
  ;(await called(1)).answer('{}')
  await stateIs('a', 'completed')
  timers.advance(59_000)
  await quiet()
  t.ok(await store.get('a'))
  for (let i = 0; i < 4; i++) {
    timers.advance(10_000)
    await quiet()
  }
  t.equal(await store.get('a'), null)
})

test('what a reload changes holds from the next claim on', async (t) => {
  const { store, runner, called, calls, quiet, settings } = rig(t, { concurrency: 1 })
  for (const id of ['a', 'b', 'c']) await store.accept(newJob(id))
  runner.start()
  const first = await called(1)
  await quiet()
  t.equal(calls.length, 1)
  settings.concurrency = 3
  first.answer('1')
  await called(3)
  t.equal(runner.activeCount, 2)
})
