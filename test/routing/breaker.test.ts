// One target's breaker: when it opens, who may probe, and what it is blamed for.
import { test } from 'tap'
import { type BreakerConfig } from '../../src/config/types.js'
import { ERROR_CATALOGUE, errorData } from '../../src/errors.js'
import { type ErrorCode } from '../../src/model/error.js'
import { Breaker, FREE, REFUSED, restMsOf, type Verdict, verdictOf } from '../../src/routing/breaker.js'

const CONFIG: BreakerConfig = {
  enabled: true,
  consecutiveFailures: 3,
  errorRate: 0.5,
  minRequests: 10,
  windowMs: 1000,
  openMs: 500,
  probes: 1,
}

function feed(breaker: Breaker, verdicts: readonly Verdict[], nowMs = 0): void {
  for (const verdict of verdicts) breaker.record(verdict, FREE, nowMs)
}

function opened(over: Partial<BreakerConfig> = {}): Breaker {
  const breaker = new Breaker({ ...CONFIG, ...over })
  feed(breaker, ['failed', 'failed', 'failed'])
  return breaker
}

test('opens at the set number of failures in a row; what says nothing does not break the row, a success does', async (t) => {
  const breaker = new Breaker(CONFIG)
  feed(breaker, ['failed', 'failed', 'ok', 'failed', 'none', 'failed'])
  t.equal(breaker.state(0), 'closed')
  t.equal(breaker.admit(0), FREE)
  feed(breaker, ['failed'])
  t.equal(breaker.state(0), 'open')
  t.equal(breaker.admit(499), REFUSED)
  t.equal(breaker.waitMs(200), 300)
})

test('the wait is that of the configuration, whatever the clock has behind its point', async (t) => {
  const nowMs = 15919.559194410851
  t.ok(nowMs + 500 - nowMs > 500, 'the rounding of a double')
  const breaker = new Breaker(CONFIG)
  feed(breaker, ['failed', 'failed', 'failed'], nowMs)
  t.equal(breaker.waitMs(nowMs), 500)
  t.equal(breaker.waitMs(nowMs + 499.9999999), 1)
})

test('opens at the set share of failures in the window, once there were enough', async (t) => {
  const breaker = new Breaker(CONFIG)
  feed(breaker, ['failed', 'ok', 'failed', 'ok', 'failed', 'ok', 'failed', 'ok', 'failed'])
  t.equal(breaker.state(0), 'closed', 'nine are not enough')
  feed(breaker, ['ok', 'failed'])
  t.equal(breaker.state(0), 'open')
})

test('failures that the window has left behind count no more', async (t) => {
  const breaker = new Breaker(CONFIG)
  const pairs = ['failed', 'ok', 'failed', 'ok', 'failed', 'ok', 'failed', 'ok'] as const
  feed(breaker, pairs)
  t.notOk(breaker.isCalm(999), 'the slice of 0 is still in it')
  t.ok(breaker.isCalm(1000))
  feed(breaker, pairs, 1100)
  t.equal(breaker.state(1100), 'closed', '16 in all, 8 in the window')
  feed(breaker, ['failed', 'ok', 'failed'], 1950)
  t.equal(breaker.state(1950), 'open', 'half of 11 within one window')
})

test('failures that are a window apart are in no row', async (t) => {
  const breaker = new Breaker(CONFIG)
  feed(breaker, ['failed', 'failed'])
  feed(breaker, ['failed'], 1500)
  t.equal(breaker.state(1500), 'closed')
  feed(breaker, ['failed', 'failed'], 2400)
  t.equal(breaker.state(2400), 'open')
})

test('once closed it begins anew: neither the row nor the share of before counts', async (t) => {
  const byRow = opened()
  byRow.record('ok', byRow.admit(500), 510)
  feed(byRow, ['failed', 'failed'], 520)
  t.equal(byRow.state(520), 'closed', 'two of three')
  feed(byRow, ['failed'], 530)
  t.equal(byRow.state(530), 'open')
  const byShare = new Breaker({ ...CONFIG, consecutiveFailures: 100 })
  feed(byShare, ['ok', 'ok', 'ok', 'ok', 'ok', 'failed', 'failed', 'failed', 'failed', 'failed'])
  t.equal(byShare.state(0), 'open')
  byShare.record('ok', byShare.admit(500), 510)
  feed(byShare, ['failed', 'failed', 'failed', 'failed', 'failed'], 520)
  t.equal(byShare.state(520), 'closed', 'five of ten')
})

test('after its time it is half-open: so many probes at once and no more', async (t) => {
  const breaker = opened({ probes: 2 })
  t.equal(breaker.state(500), 'half-open')
  const first = breaker.admit(500)
  const second = breaker.admit(500)
  t.ok(first > FREE && second > FREE)
  t.equal(breaker.admit(500), REFUSED)
  t.equal(breaker.waitMs(500), null, 'nobody knows how long a probe takes')
  breaker.record('none', first, 510)
  t.ok(breaker.admit(510) > FREE, 'a probe that told nothing leaves its place to another')
})

test('a probe that fails opens it for the whole time again, one that answers closes it', async (t) => {
  const breaker = opened()
  breaker.record('failed', breaker.admit(500), 600)
  t.equal(breaker.state(1099), 'open')
  t.equal(breaker.state(1100), 'half-open')
  breaker.record('ok', breaker.admit(1100), 1200)
  t.equal(breaker.state(1200), 'closed')
  t.ok(breaker.isCalm(1200))
  feed(breaker, ['failed', 'failed'], 1200)
  t.equal(breaker.state(1200), 'closed', 'the count begins anew')
})

test('the first content of a probe closes it; its bad end later counts as one failure', async (t) => {
  const breaker = opened()
  const permit = breaker.admit(500)
  breaker.probePassed(permit)
  t.equal(breaker.state(510), 'closed')
  breaker.record('failed', permit, 900)
  t.equal(breaker.state(900), 'closed')
  t.notOk(breaker.isCalm(900))
})

test('attempts that began before it opened, and probes of an earlier phase, say nothing', async (t) => {
  const breaker = opened({ probes: 2 })
  breaker.record('ok', FREE, 100)
  t.equal(breaker.state(100), 'open')
  const early = breaker.admit(500)
  breaker.record('failed', breaker.admit(500), 600)
  breaker.record('ok', early, 700)
  breaker.probePassed(early)
  t.equal(breaker.state(700), 'open')
  breaker.record('failed', early, 1000)
  t.equal(breaker.state(1100), 'half-open', 'not prolonged')
})

test('rests exactly as long as it was asked, the longest counts, then it is what it was before', async (t) => {
  const breaker = new Breaker(CONFIG)
  breaker.rest(7000, 0)
  breaker.rest(1000, 100)
  t.equal(breaker.admit(6999), REFUSED)
  t.equal(breaker.waitMs(1), 6999)
  t.equal(breaker.state(6999), 'open')
  t.equal(breaker.admit(7000), FREE)
  const ill = opened()
  ill.rest(400, 300)
  t.equal(ill.state(650), 'open')
  t.equal(ill.state(700), 'half-open')
})

/** By what a target is judged. Everything that is not here tells nothing of it. */
const BLAMED: readonly ErrorCode[] = [
  ...([
    'upstream_unreachable',
    'upstream_timeout',
    'upstream_overloaded',
    'upstream_malformed',
    'upstream_cut',
  ] as const),
]

test('a target is blamed for what it does wrong, not for the client, for us, or for a wrong request', async (t) => {
  for (const code of Object.keys(ERROR_CATALOGUE) as ErrorCode[]) {
    const expected = BLAMED.includes(code) || code === 'upstream_rejected' ? 'failed' : 'none'
    t.equal(verdictOf(errorData(code)), expected, code)
  }
  for (const status of [400, 401, 403, 404, 413, 422])
    t.equal(verdictOf(errorData('upstream_rejected', { status })), 'none', `${status}`)
  t.equal(verdictOf(errorData('upstream_rejected', { status: 500 })), 'failed')
  t.equal(verdictOf(errorData('upstream_malformed', { retryable: false })), 'none', 'larger than we take')
})

test('only "too much now" with a time makes it rest', async (t) => {
  t.equal(restMsOf(errorData('rate_limited', { retryAfterMs: 7000 })), 7000)
  t.equal(restMsOf(errorData('upstream_overloaded', { retryAfterMs: 10 })), 10)
  t.equal(restMsOf(errorData('rate_limited')), 0)
  t.equal(restMsOf(errorData('upstream_rejected', { retryAfterMs: 7000 })), 0)
})
