// The loop that asks a store for what is due: one claim at a time, no hint lost, and a poll for what falls due by itself.
import { test } from 'tap'
import { ClaimLoop } from '../../../src/jobs/run/claim-loop.js'
import { createFakeTimers } from '../../helpers/fake-timers.js'

const POLL_MS = 1000

/** A loop whose claims end when they are told to, and whose clock is the test's. */
function setUp() {
  const waiting: ((isReached: boolean) => void)[] = []
  const timers = createFakeTimers()
  const seen = { claims: 0, hasRoom: true }
  const loop = new ClaimLoop({
    pollMs: POLL_MS,
    timers,
    hasRoom: () => seen.hasRoom,
    claim: () => {
      seen.claims += 1
      return new Promise((resolve) => waiting.push(resolve))
    },
  })
  const end = async (isReached: boolean): Promise<void> => {
    waiting.shift()?.(isReached)
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { loop, seen, end, timers, poll: () => timers.advance(POLL_MS) }
}

test('claims at the start and at each poll', async (t) => {
  const { loop, seen, end, poll } = setUp()
  loop.start()
  t.equal(seen.claims, 1)
  await end(true)
  t.equal(seen.claims, 1, 'nothing hints at more')
  poll()
  t.equal(seen.claims, 2)
})

test('claims one at a time, and once more for all hints that came meanwhile', async (t) => {
  const { loop, seen, end } = setUp()
  loop.wake()
  loop.wake()
  loop.wake()
  t.equal(seen.claims, 1)
  await end(true)
  t.equal(seen.claims, 2)
  await end(true)
  t.equal(seen.claims, 2)
})

test('a hint without room waits for room', async (t) => {
  const { loop, seen } = setUp()
  seen.hasRoom = false
  loop.wake()
  t.equal(seen.claims, 0)
  seen.hasRoom = true
  loop.wake()
  t.equal(seen.claims, 1)
})

test('an unavailable store is retried by the poll, not immediately', async (t) => {
  const { loop, seen, end, poll } = setUp()
  loop.start()
  loop.wake()
  await end(false)
  t.equal(seen.claims, 1)
  poll()
  t.equal(seen.claims, 2)
})

test('a stopped loop waits for the claim under way, and claims no more', async (t) => {
  const { loop, seen, end, timers } = setUp()
  loop.start()
  let isStopped = false
  const stopped = loop.stop().then(() => {
    isStopped = true
  })
  await Promise.resolve()
  t.notOk(isStopped)
  t.same(timers.pending(), [], 'no poll is left')
  loop.wake()
  await end(true)
  await stopped
  t.equal(seen.claims, 1)
  t.ok(loop.isStopping)
})
