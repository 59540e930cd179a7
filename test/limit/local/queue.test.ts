// Concurrency caps and the queue in front of them. Two limiters over the same cells stand for two event loops here;
// threads.test.ts does the same with real threads.
import { mock } from 'node:test'
import { test } from 'tap'
import { type Limiter } from '../../../src/limit/limiter.js'
import { createLimiter, createLimiterCells } from '../../../src/limit/local/cells.js'
import { limiterConfig, ManualClock, RecordingWaiter, refusalOf, type Setup } from '../../helpers/limiter-setup.js'

function setUp(setup: Setup, loops = 1) {
  const config = limiterConfig(setup)
  const cells = createLimiterCells(config)
  const clock = new ManualClock()
  const rejected: string[] = []
  const limiters: Limiter[] = Array.from({ length: loops }, () =>
    createLimiter(config, cells, {
      nowNs: clock.nowNs,
      onRejected: (scope, kind) => rejected.push(`${scope} ${kind}`),
    }),
  )
  const [limiter, other] = limiters
  if (limiter === undefined) throw new Error('no limiter')
  const calls: string[] = []
  const waiter = (name: string, keyIndex = -1) => new RecordingWaiter(name, keyIndex, calls)
  // The limiter's timers never keep a process alive, so the test does.
  const alive = setInterval(() => {}, 1000)
  return { limiter, other: other ?? limiter, clock, calls, rejected, waiter, stop: () => clearInterval(alive) }
}

/** Microtasks have run. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve))

test('a free slot is taken at once, and active counts it until it is left', (t) => {
  const { limiter, waiter, calls, stop } = setUp({ gateway: { concurrency: 2 }, keys: [{}] })
  t.teardown(stop)
  t.equal(limiter.enter(0, waiter('a', 0)), true)
  t.equal(limiter.enter(-1, waiter('b')), true)
  t.equal(limiter.active(), 2)
  limiter.leave(0)
  limiter.leave(-1)
  t.equal(limiter.active(), 0)
  t.same(calls, [])
  t.end()
})

test('without any cap everybody enters and is counted', (t) => {
  const { limiter, waiter, stop } = setUp({ queue: { max: 0, timeoutMs: 1 } })
  t.teardown(stop)
  for (let i = 0; i < 500; i++) t.equal(limiter.enter(-1, waiter('x')), true)
  t.equal(limiter.active(), 500)
  t.end()
})

test('waiters enter in the order of their arrival, each when one leaves', async (t) => {
  const { limiter, waiter, calls, stop } = setUp({ gateway: { concurrency: 1 } })
  t.teardown(stop)
  t.equal(limiter.enter(-1, waiter('first')), true)
  for (const name of ['a', 'b', 'c']) t.equal(limiter.enter(-1, waiter(name)), false)
  limiter.leave(-1)
  t.same(calls, [], 'never inside the stack of the one that leaves')
  await settled()
  t.same(calls, ['a entered'])
  t.equal(limiter.enter(-1, waiter('d')), false, 'a newcomer does not overtake')
  limiter.leave(-1)
  await settled()
  limiter.leave(-1)
  await settled()
  limiter.leave(-1)
  await settled()
  t.same(calls, ['a entered', 'b entered', 'c entered', 'd entered'])
  t.equal(limiter.active(), 1)
})

test('a newcomer of any key does not slip in between a leave and the waiter whose turn it is', async (t) => {
  const { limiter, waiter, calls, stop } = setUp({ gateway: { concurrency: 1 }, keys: [{}] })
  limiter.enter(0, waiter('before', 0))
  limiter.leave(0)
  t.teardown(stop)
  limiter.enter(0, waiter('first', 0))
  limiter.enter(-1, waiter('a'))
  limiter.leave(0)
  t.equal(limiter.enter(0, waiter('late', 0)), false)
  t.equal(limiter.enter(-1, waiter('later')), false)
  await settled()
  t.same(calls, ['a entered'])
})

test('nor does a newcomer of the key that the waiter waits for', async (t) => {
  const { limiter, waiter, calls, stop } = setUp({ keys: [{ concurrency: 1 }, {}] })
  t.teardown(stop)
  limiter.enter(0, waiter('first', 0))
  limiter.enter(0, waiter('a', 0))
  limiter.leave(0)
  t.equal(limiter.enter(0, waiter('late', 0)), false)
  t.equal(limiter.enter(1, waiter('other', 1)), true)
  await settled()
  t.same(calls, ['a entered'])
})

test('a key at its cap waits alone: others behind it enter at once', async (t) => {
  const { limiter, waiter, calls, stop } = setUp({ gateway: { concurrency: 10 }, keys: [{ concurrency: 1 }, {}] })
  t.teardown(stop)
  limiter.enter(0, waiter('x', 0))
  t.equal(limiter.enter(0, waiter('a', 0)), false)
  t.equal(limiter.enter(1, waiter('b', 1)), true, 'another key passes the head of the queue')
  t.equal(limiter.enter(0, waiter('c', 0)), false)
  limiter.leave(1)
  await settled()
  t.same(calls, [], 'a slot of the gateway is no use to a key at its cap')
  limiter.leave(0)
  await settled()
  t.same(calls, ['a entered'])
})

test('with the gateway full, a waiting key at its cap does not take the turn of those behind it', async (t) => {
  const { limiter, waiter, calls, stop } = setUp({ gateway: { concurrency: 2 }, keys: [{ concurrency: 1 }, {}, {}] })
  t.teardown(stop)
  limiter.enter(0, waiter('x', 0))
  limiter.enter(1, waiter('y', 1))
  limiter.enter(0, waiter('a', 0))
  limiter.enter(1, waiter('b', 1))
  limiter.enter(2, waiter('c', 2))
  limiter.leave(1)
  await settled()
  t.same(calls, ['c entered'], 'which had no turn yet')
  limiter.leave(0)
  await settled()
  t.same(calls, ['c entered', 'a entered'])
})

test('a full queue refuses: 503 for the gateway, 429 for the key, both with a time to come back', (t) => {
  const { limiter, waiter, rejected, stop } = setUp({
    gateway: { concurrency: 2 },
    keys: [{ concurrency: 1 }, {}],
    queue: { max: 1, timeoutMs: 60_000 },
  })
  t.teardown(stop)
  limiter.enter(0, waiter('x', 0))
  limiter.enter(0, waiter('a', 0))
  t.match(
    refusalOf(() => limiter.enter(0, waiter('b', 0))),
    {
      code: 'rate_limited',
      status: 429,
      retryAfterMs: 1000,
      message: /limit of 1 concurrent requests for this key/,
    },
  )
  limiter.enter(1, waiter('y', 1))
  t.match(
    refusalOf(() => limiter.enter(1, waiter('c', 1))),
    { code: 'overloaded', status: 503, retryAfterMs: 1000 },
  )
  t.same(rejected, ['key concurrency', 'gateway concurrency'])
  t.equal(limiter.active(), 2, 'the refused hold nothing')
  t.end()
})

test('a request that waits too long is rejected once, in order, and holds nothing', async (t) => {
  const { limiter, waiter, calls, clock, rejected, stop } = setUp({
    gateway: { concurrency: 1 },
    keys: [{}],
    queue: { max: 9, timeoutMs: 50 },
  })
  t.teardown(stop)
  limiter.enter(0, waiter('x', 0))
  const early = waiter('a', 0)
  const late = waiter('b', 0)
  limiter.enter(0, early)
  clock.advanceMs(30)
  limiter.enter(0, late)
  clock.advanceMs(21)
  t.match(await early.outcome, { data: { code: 'overloaded', retryAfterMs: 1000 } })
  t.same(calls, ['a overloaded'], 'the later one still waits')
  limiter.leave(0)
  t.equal(await late.outcome, 'entered')
  limiter.leave(0)
  t.equal(limiter.active(), 0)
  t.same(rejected, ['gateway concurrency'])
})

test('a key that waits too long for its own cap gets 429', async (t) => {
  const { limiter, waiter, clock, stop } = setUp({ keys: [{ concurrency: 1 }], queue: { max: 9, timeoutMs: 50 } })
  t.teardown(stop)
  limiter.enter(0, waiter('x', 0))
  const waiting = waiter('a', 0)
  limiter.enter(0, waiting)
  clock.advanceMs(51)
  t.match(await waiting.outcome, { data: { code: 'rate_limited', status: 429 } })
})

test('a cancelled waiter is never called, and those behind it move up', async (t) => {
  const { limiter, waiter, calls, stop } = setUp({ gateway: { concurrency: 1 } })
  t.teardown(stop)
  limiter.enter(-1, waiter('x'))
  const [a, b] = [waiter('a'), waiter('b')]
  limiter.enter(-1, a)
  limiter.enter(-1, b)
  limiter.cancel(a)
  limiter.cancel(a)
  limiter.cancel(waiter('stranger'))
  limiter.leave(-1)
  t.equal(await b.outcome, 'entered')
  t.same(calls, ['b entered'])
})

test('a waiter may cancel the next one, enter and leave from within its turn', async (t) => {
  const { limiter, waiter, calls, stop } = setUp({ gateway: { concurrency: 2 } })
  t.teardown(stop)
  limiter.enter(-1, waiter('x'))
  limiter.enter(-1, waiter('y'))
  const victim = waiter('victim')
  limiter.enter(-1, {
    keyIndex: -1,
    onEntered() {
      calls.push('first entered')
      limiter.cancel(victim)
      t.equal(limiter.enter(-1, waiter('nested')), false)
      limiter.leave(-1)
    },
    onRefused() {},
  })
  limiter.enter(-1, victim)
  const last = waiter('last')
  limiter.enter(-1, last)
  limiter.leave(-1)
  limiter.leave(-1)
  await last.outcome
  await settled()
  t.same(calls, ['first entered', 'last entered', 'nested entered'])
  t.equal(limiter.active(), 2)
})

test('leaving twice never makes the counts negative', (t) => {
  const { limiter, waiter, stop } = setUp({
    gateway: { concurrency: 1 },
    keys: [{ concurrency: 1 }],
    queue: { max: 0, timeoutMs: 1 },
  })
  t.teardown(stop)
  limiter.enter(0, waiter('a', 0))
  for (let i = 0; i < 5; i++) limiter.leave(0)
  t.equal(limiter.active(), 0)
  t.equal(limiter.enter(0, waiter('b', 0)), true)
  t.match(
    refusalOf(() => limiter.enter(0, waiter('c', 0))),
    { code: 'rate_limited' },
    'its own cap would hold it on an idle gateway, too',
  )
  t.end()
})

test('a provider has as many slots as configured, over all event loops', (t) => {
  const { limiter, other, stop } = setUp({ keys: [{ concurrency: 1 }], providers: [2, null] }, 2)
  t.teardown(stop)
  t.ok(limiter.enterProvider(0))
  t.ok(other.enterProvider(0))
  t.notOk(limiter.enterProvider(0))
  for (let i = 0; i < 50; i++) t.ok(limiter.enterProvider(1))
  limiter.leaveProvider(0)
  limiter.leaveProvider(-1)
  limiter.leaveProvider(9)
  t.ok(limiter.enterProvider(0))
  for (let i = 0; i < 5; i++) other.leaveProvider(0)
  t.ok(other.enterProvider(0))
  t.ok(other.enterProvider(0))
  t.notOk(other.enterProvider(0))
  t.equal(limiter.active(), 0)
  t.end()
})

test('a slot freed on another event loop wakes the waiter here', async (t) => {
  const { limiter, other, waiter, stop } = setUp({ gateway: { concurrency: 1 } }, 2)
  t.teardown(stop)
  limiter.enter(-1, waiter('x'))
  const waiting = waiter('a')
  t.equal(other.enter(-1, waiting), false)
  limiter.leave(-1)
  t.equal(await waiting.outcome, 'entered')
  t.equal(limiter.active(), 1)
})

test('a busy event loop cannot keep all slots from the waiters of another', async (t) => {
  const { limiter, other, waiter, calls, stop } = setUp({ gateway: { concurrency: 1 } }, 2)
  t.teardown(stop)
  limiter.enter(-1, waiter('x'))
  const guest = waiter('guest')
  other.enter(-1, guest)
  let turns = 0
  const churn = () => {
    if (calls.includes('guest entered')) return
    turns += 1
    limiter.leave(-1)
    // Queued behind the guest, though nobody waits on this loop and the slot is free.
    limiter.enter(-1, { keyIndex: -1, onEntered: churn, onRefused() {} })
  }
  churn()
  t.equal(await guest.outcome, 'entered')
  t.ok(turns < 200, `after ${turns} turns of the other`)
})

test('a slot is kept for no key of another event loop that is at its own cap, or has no waiter any more', async (t) => {
  for (const kind of ['at its cap', 'gone']) {
    const setup = { gateway: { concurrency: 3 }, keys: [{}, { concurrency: 1 }, {}] }
    const { limiter, other, calls, waiter, stop } = setUp(setup, 2)
    t.teardown(stop)
    const leaving = waiter('b', 1)
    if (kind === 'at its cap') other.enter(1, waiter('first', 1))
    for (let i = limiter.active(); i < 3; i++) limiter.enter(0, waiter('before', 0))
    other.enter(1, leaving)
    other.enter(2, waiter('c', 2))
    limiter.enter(0, waiter('a', 0))
    if (kind === 'gone') other.cancel(leaving)
    await settled()
    limiter.leave(0)
    limiter.leave(0)
    // Its own loop tries in a microtask: one of the two slots is left to the key that had no turn yet.
    await null
    t.same(calls, ['a entered'], kind)
  }
})

test('the refusal of a waiter that gives up its place says how many requests of its key wait', async (t) => {
  const { limiter, waiter, stop } = setUp({
    gateway: { concurrency: 1 },
    keys: [{}, {}],
    queue: { max: 3, timeoutMs: 60_000 },
  })
  t.teardown(stop)
  const waiters = ['x', 'a', 'b', 'c'].map((name) => waiter(name, 0))
  for (const each of waiters) limiter.enter(0, each)
  limiter.enter(1, waiter('other', 1))
  t.match(await waiters[3]?.outcome, { data: { message: /and 3 requests of this key already take its share of it/ } })
})

test('many loops, keys and waiters: everybody enters in the end and all slots are free again', async (t) => {
  const { limiter, other, stop } = setUp(
    {
      gateway: { concurrency: 5 },
      keys: [{ concurrency: 2 }, { concurrency: 3 }, {}],
      queue: { max: 1000, timeoutMs: 60_000 },
    },
    2,
  )
  t.teardown(stop)
  let most = 0
  const visit = (loop: Limiter, keyIndex: number) =>
    new Promise<void>((resolve) => {
      const stay = () => {
        most = Math.max(most, loop.active())
        setImmediate(() => {
          loop.leave(keyIndex)
          resolve()
        })
      }
      if (loop.enter(keyIndex, { keyIndex, onEntered: stay, onRefused: () => t.fail('refused') })) stay()
    })
  await Promise.all(Array.from({ length: 300 }, (_, i) => visit(i % 2 ? limiter : other, (i % 4) - 1)))
  t.equal(most, 5)
  t.equal(limiter.active(), 0)
})

test('a request that would wait too long at the recent pace is rejected at once; an empty queue starts afresh', async (t) => {
  const setup = { gateway: { concurrency: 1 }, queue: { max: 100, timeoutMs: 1000 } }
  const { limiter, waiter, clock, calls, rejected, stop } = setUp(setup)
  t.teardown(stop)
  limiter.enter(-1, waiter('first'))
  for (let i = 0; i < 12; i++) limiter.enter(-1, waiter(`w${i}`))
  t.equal(limiter.refusal(-1), null, 'nothing is known of the pace yet')
  for (let i = 0; i < 6; i++) {
    clock.advanceMs(150)
    limiter.leave(-1)
    await settled()
  }
  t.equal(calls.filter((call) => call.endsWith('entered')).length, 6)
  // Six left; at about 70 ms each, going up to 150, a newcomer may just do.
  t.equal(limiter.refusal(-1), null)
  for (let i = 0; i < 12; i++) if (limiter.refusal(-1) === null) limiter.enter(-1, waiter(`late${i}`))
  t.match(limiter.refusal(-1)?.data, { code: 'overloaded', status: 503 })
  t.match(
    refusalOf(() => limiter.enter(-1, waiter('too late'))),
    { code: 'overloaded' },
  )
  t.ok(calls.length < 100 && rejected.includes('gateway concurrency'))
  for (let i = 0; i < 30; i++) {
    limiter.leave(-1)
    await settled()
  }
  limiter.enter(-1, waiter('again'))
  t.equal(limiter.refusal(-1), null)
})

test('the pace of a line that was emptied is not held against the next one', async (t) => {
  const setup = { gateway: { concurrency: 1 }, queue: { max: 100, timeoutMs: 1000 } }
  const { limiter, waiter, clock, calls, stop } = setUp(setup)
  t.teardown(stop)
  for (const name of ['first', 'a', 'b']) limiter.enter(-1, waiter(name))
  for (let i = 0; i < 20; i++) {
    clock.advanceMs(400)
    limiter.leave(-1)
    await settled()
    limiter.enter(-1, waiter(`w${i}`))
  }
  t.match(limiter.refusal(-1)?.data, { status: 503 }, 'a third would wait some 1100 ms')
  for (let i = 0; i < 2; i++) {
    limiter.leave(-1)
    await settled()
  }
  t.equal(calls.filter((call) => call.endsWith('entered')).length, 22)
  for (const name of ['w', 'x', 'y', 'z']) t.equal(limiter.enter(-1, waiter(name)), false)
})

test('what would be refused is known before it is asked for, by the scope that is full, and takes nothing', (t) => {
  const setup = { gateway: { concurrency: 2 }, keys: [{ concurrency: 1 }, {}], queue: { max: 0, timeoutMs: 1000 } }
  const { limiter, waiter, stop } = setUp(setup)
  t.teardown(stop)
  t.equal(limiter.refusal(0), null)
  limiter.enter(0, waiter('a', 0))
  t.match(limiter.refusal(0)?.data, { code: 'rate_limited', status: 429 })
  t.equal(limiter.refusal(1), null)
  limiter.enter(1, waiter('b', 1))
  t.match(limiter.refusal(1)?.data, { code: 'overloaded', status: 503 })
  t.equal(limiter.active(), 2)
  limiter.leave(1)
  t.equal(limiter.refusal(1), null)
  t.end()
})

test('a waiter that watches gets its place by turn, with the expected wait at the recent pace', async (t) => {
  const { limiter, clock, waiter, calls, stop } = setUp({
    gateway: { concurrency: 1 },
    keys: [{}, {}, { concurrency: 1 }],
  })
  stop()
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  const told: string[] = []
  const enter = (name: string, keyIndex: number) => {
    const entering = waiter(name, keyIndex)
    limiter.enter(keyIndex, entering)
    limiter.watch(entering, ({ position, etaMs }) => told.push(`${name} ${position} ${etaMs}`))
    return entering
  }
  enter('running', 0)
  const waiters = ['a1', 'a2', 'b1', 'a3'].map((name) => enter(name, name.startsWith('a') ? 0 : 1))
  await settled()
  t.same(told.splice(0), ['b1 1 null', 'a1 2 null', 'a2 3 null', 'a3 4 null'], 'one that runs gets no report')
  clock.advanceMs(1200)
  limiter.leave(0)
  await settled()
  t.same(calls, ['b1 entered'])
  mock.timers.tick(250)
  t.same(told.splice(0), ['a1 1 1200', 'a2 2 2400', 'a3 3 3600'])
  const [, a2] = waiters
  if (a2 !== undefined) limiter.cancel(a2)
  clock.advanceMs(1000)
  mock.timers.tick(250)
  t.same(told.splice(0), ['a3 2 2400'], 'one that left gets no report, and those behind it move up')
  for (const keyIndex of [1, 0, 0]) {
    limiter.leave(keyIndex)
    await settled()
  }
  clock.advanceMs(5000)
  mock.timers.tick(5000)
  t.same(told, [], 'all have entered')
})

test('the place of a waiter whose key is at its own cap is its place among those of its key', async (t) => {
  const { limiter, waiter, stop } = setUp({ gateway: { concurrency: 2 }, keys: [{ concurrency: 1 }, {}] })
  t.teardown(stop)
  limiter.enter(0, waiter('running', 0))
  limiter.enter(1, waiter('running, too', 1))
  const told: string[] = []
  for (const [name, keyIndex] of [
    ['a1', 0],
    ['a2', 0],
    ['b1', 1],
    ['b2', 1],
  ] as const) {
    const entering = waiter(name, keyIndex)
    limiter.enter(keyIndex, entering)
    limiter.watch(entering, ({ position }) => told.push(`${name} ${position}`))
  }
  await settled()
  t.same(told, ['b1 1', 'b2 2', 'a1 1', 'a2 2'])
})
