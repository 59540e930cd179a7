// How long keys may be used that the database has not confirmed.
import { test } from 'tap'
import { Standing } from '../../../src/accounts/directory/standing.js'
import { Freshness } from '../../../src/accounts/snapshot/freshness.js'

function setUp(maxStaleMs: number) {
  const standing = new Standing(new SharedArrayBuffer(4))
  const clock = { ms: 1000, stale: 0 }
  const freshness = new Freshness({
    ...{ standing, maxStaleMs },
    nowMs: () => clock.ms,
    onStale: () => {
      clock.stale += 1
    },
  })
  const state = () => [standing.isAway, standing.isStale, standing.isWithoutSpend].map(Number).join('')
  return { freshness, clock, state }
}

test('keys are used until the time has passed since the last answer, and again with the next', (t) => {
  const { freshness, clock, state } = setUp(60_000)
  t.equal(state(), '000')
  clock.ms += 100_000
  freshness.check()
  t.equal(state(), '000', 'nothing was asked that was not answered')
  freshness.seen()
  clock.ms += 59_999
  freshness.missed()
  t.equal(state(), '100')
  clock.ms += 1
  freshness.check()
  freshness.missed()
  t.equal(state(), '110')
  t.equal(clock.stale, 1)
  freshness.seen()
  t.equal(state(), '000')
  freshness.missed()
  t.equal(state(), '100')
  t.end()
})

test('after a start from a snapshot its age counts, and nothing is known of what is spent', (t) => {
  const { freshness, clock, state } = setUp(60_000)
  freshness.restored(50_000)
  t.equal(state(), '101')
  clock.ms += 10_000
  freshness.check()
  t.equal(state(), '111')
  freshness.seen()
  t.equal(state(), '000')
  t.end()
})

test('with no time at all the first answer that is missing ends it', (t) => {
  const { freshness, state } = setUp(0)
  freshness.missed()
  t.equal(state(), '110')
  t.end()
})
