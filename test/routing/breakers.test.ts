// The breakers of an event loop: which targets have one, for how long, and what is told of them.
import { test } from 'tap'
import { errorData } from '../../src/errors.js'
import { type ErrorData } from '../../src/model/error.js'
import { FREE, REFUSED } from '../../src/routing/breaker.js'
import { type BreakerChange, Breakers } from '../../src/routing/breakers.js'
import { testTarget } from '../helpers/targets.js'

const CONFIG = {
  enabled: true,
  consecutiveFailures: 2,
  errorRate: 1,
  minRequests: 100,
  windowMs: 1000,
  openMs: 500,
  probes: 1,
}
const A1 = testTarget('w', { provider: 'a', model: 'one' })
const A2 = testTarget('w', { provider: 'a', model: 'two' })
const B = testTarget('w', { provider: 'b', model: 'one' })
const DOWN = errorData('upstream_unreachable')

function setUp(over: Partial<typeof CONFIG> = {}) {
  const clock = { nowMs: 0 }
  const breakers = new Breakers({ ...CONFIG, ...over }, () => clock.nowMs)
  const fail = (target = A1, error: ErrorData = DOWN, times = 2): void => {
    for (let i = 0; i < times; i++) breakers.record(target, FREE, error)
  }
  return { clock, breakers, fail }
}

test('each target has its own breaker: another model of the same provider is not affected', async (t) => {
  const { breakers, fail } = setUp()
  fail(A1)
  t.equal(breakers.admit(A1), REFUSED)
  t.equal(breakers.admit(A2), FREE)
  t.equal(breakers.admit(B), FREE)
})

test('the state of a provider is that of its worst target; healthy ones are not listed', async (t) => {
  const { clock, breakers, fail } = setUp()
  breakers.record(B, FREE, null)
  t.same([...breakers.worst()], [])
  fail(A1)
  fail(A2, DOWN, 1)
  t.same([...breakers.worst()], [['a', 'open']])
  clock.nowMs = 500
  t.same([...breakers.worst()], [['a', 'half-open']])
  breakers.began(A1, breakers.admit(A1))
  t.same([...breakers.worst()], [['a', 'closed']], 'one failure is still in the window')
  clock.nowMs = 2000
  t.same([...breakers.worst()], [])
})

test('a permit that was not used can be had again', async (t) => {
  const { clock, breakers, fail } = setUp()
  fail(A1)
  clock.nowMs = 500
  const permit = breakers.admit(A1)
  t.equal(breakers.admit(A1), REFUSED)
  breakers.giveBack(A1, permit)
  t.equal(breakers.admit(A1), permit)
})

test('a refusal says when the first of the targets is back', async (t) => {
  const { clock, breakers, fail } = setUp()
  fail(A1)
  fail(B, errorData('rate_limited', { retryAfterMs: 7000 }), 1)
  t.match(breakers.refusal([A1, B]).data, { code: 'upstream_overloaded', status: 503, retryAfterMs: 500 })
  t.match(breakers.refusal([B]).data, { retryAfterMs: 7000 })
  clock.nowMs = 500
  breakers.admit(A1)
  t.match(breakers.refusal([A1]).data, { retryAfterMs: null }, 'a probe is under way')
})

test('when disabled it opens for no target, not even after Retry-After', async (t) => {
  const { breakers, fail } = setUp({ enabled: false })
  fail(A1, errorData('rate_limited', { retryAfterMs: 7000 }), 10)
  fail(A1, DOWN, 10)
  t.equal(breakers.admit(A1), FREE)
})

test('names that clients make up do not fill the memory', async (t) => {
  const { breakers, fail } = setUp()
  fail(A1)
  for (let i = 0; i < 999; i++) fail(testTarget('w', { provider: 'b', model: `m${i}` }))
  t.equal(breakers.admit(A1), REFUSED)
  fail(testTarget('w', { provider: 'b', model: 'm999' }))
  t.equal(breakers.admit(A1), FREE, 'the oldest was forgotten')
  t.equal(breakers.admit(testTarget('w', { provider: 'b', model: 'm0' })), REFUSED)
})

test('reports each change of a breaker once, with its cause and duration', async (t) => {
  const clock = { nowMs: 0 }
  const told: BreakerChange[] = []
  const breakers = new Breakers(
    CONFIG,
    () => clock.nowMs,
    (change) => told.push(change),
  )
  const takeTold = () =>
    told.splice(0).map(({ target, state, error, waitMs }) => [target.model, state, error?.code ?? null, waitMs])
  breakers.record(A1, FREE, DOWN)
  t.same(takeTold(), [], 'one failure opens nothing')
  for (let i = 0; i < 3; i++) breakers.record(A1, FREE, DOWN)
  t.same(takeTold(), [['one', 'open', 'upstream_unreachable', 500]])
  clock.nowMs = 600
  const failed = breakers.admit(A1)
  breakers.admit(A1)
  t.same(takeTold(), [['one', 'half-open', null, null]])
  breakers.record(A1, failed, DOWN)
  t.same(takeTold(), [['one', 'open', 'upstream_unreachable', 500]])
  clock.nowMs = 1200
  const passed = breakers.admit(A1)
  breakers.began(A1, passed)
  breakers.record(A1, passed, null)
  t.same(takeTold(), [
    ['one', 'half-open', null, null],
    ['one', 'closed', null, null],
  ])
})

test('a target that asked for a pause is reported as open, and as closed when the pause is over', async (t) => {
  const clock = { nowMs: 0 }
  const states: string[] = []
  const breakers = new Breakers(
    CONFIG,
    () => clock.nowMs,
    ({ target, state }) => states.push(`${target.model} ${state}`),
  )
  for (let i = 0; i < 5; i++) breakers.record(B, FREE, errorData('rate_limited', { retryAfterMs: 1000 }))
  t.same(states, ['one open'])
  clock.nowMs = 5000
  breakers.worst()
  t.same(states, ['one open', 'one closed'])
})

test('another configuration holds nothing new against a target; one without breakers forgets all', async (t) => {
  const { breakers, fail } = setUp()
  fail(A1)
  breakers.adopt({ ...CONFIG, openMs: 100 })
  t.equal(breakers.admit(A1), REFUSED, 'what was held against it stays')
  breakers.adopt({ ...CONFIG, enabled: false })
  t.equal(breakers.admit(A1), FREE)
  fail(A1)
  t.equal(breakers.admit(A1), FREE)
})

test('a probe whose answer comes whole, without a beginning before it, is told as closed all the same', async (t) => {
  const states: string[] = []
  let nowMs = 0
  const breakers = new Breakers(
    CONFIG,
    () => nowMs,
    ({ state }) => states.push(state),
  )
  for (let i = 0; i < 2; i++) breakers.record(A1, FREE, DOWN)
  nowMs = 600
  breakers.record(A1, breakers.admit(A1), null)
  t.same(states, ['open', 'half-open', 'closed'])
  t.equal(breakers.admit(A1), FREE)
})

test('a paused provider gets no permit for any model until it is resumed, and healthy ones do', async (t) => {
  const { breakers, fail } = setUp()
  breakers.pause(['a'])
  t.equal(breakers.admit(A1), REFUSED)
  t.equal(breakers.admit(A2), REFUSED)
  t.equal(breakers.admit(B), FREE)
  t.same([breakers.isPaused(A1), breakers.isPaused(B)], [true, false])
  fail(B)
  breakers.pause([])
  t.equal(breakers.admit(A1), FREE)
  t.equal(breakers.admit(B), REFUSED, 'its breaker is not touched')
  t.match(breakers.refusal([A1]).message, /paused/)
})
