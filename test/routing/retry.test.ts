// What may cure a failure, how long to wait, and how much of it all a gateway may do.
import { test } from 'tap'
import { type RetryConfig } from '../../src/config/types.js'
import { ERROR_CATALOGUE, errorData } from '../../src/errors.js'
import { type ErrorCode } from '../../src/model/error.js'
import { type Cure, cureOf, pauseOf, RetryBudget } from '../../src/routing/retry.js'

const CURES: Readonly<Record<ErrorCode, Cure>> = {
  invalid_request: 'none',
  unauthenticated: 'none',
  forbidden: 'none',
  not_found: 'none',
  model_not_found: 'none',
  method_not_allowed: 'none',
  conflict: 'none',
  budget_exceeded: 'elsewhere',
  precondition_failed: 'none',
  misdirected: 'none',
  unsupported_media_type: 'none',
  payload_too_large: 'none',
  context_length_exceeded: 'larger',
  rate_limited: 'again',
  client_gone: 'none',
  stream_gone: 'none',
  slow_reader: 'none',
  upstream_unreachable: 'again',
  upstream_timeout: 'elsewhere',
  upstream_rejected: 'again',
  upstream_auth: 'elsewhere',
  upstream_overloaded: 'again',
  upstream_malformed: 'again',
  upstream_cut: 'again',
  overloaded: 'elsewhere',
  draining: 'elsewhere',
  maintenance: 'elsewhere',
  misconfigured: 'elsewhere',
  storage_full: 'elsewhere',
  storage_unavailable: 'none',
  internal: 'none',
}

test('each failure has its cure', async (t) => {
  for (const code of Object.keys(ERROR_CATALOGUE) as ErrorCode[]) t.equal(cureOf(errorData(code)), CURES[code], code)
})

test('a refusal is cured elsewhere only if it is about the gateway’s standing there, never the client’s own mistake', async (t) => {
  const cures: readonly (readonly [status: number, Cure])[] = [
    ...([301, 401, 402, 403, 404].map((status) => [status, 'elsewhere']) as [number, Cure][]),
    ...([400, 405, 409, 413, 415, 422, 499].map((status) => [status, 'none']) as [number, Cure][]),
    ...([500, 501, 502, 599, 999].map((status) => [status, 'again']) as [number, Cure][]),
  ]
  for (const [status, cure] of cures) {
    t.equal(cureOf(errorData('upstream_rejected', { status, upstreamStatus: status })), cure, `${status}`)
  }
  t.equal(cureOf(errorData('rate_limited', { retryable: false })), 'elsewhere', 'a quota that is used up')
  t.equal(cureOf(errorData('upstream_malformed', { retryable: false })), 'none', 'an answer larger than we take')
})

const CONFIG: RetryConfig = { max: 2, baseDelayMs: 100, maxDelayMs: 350, maxWaitMs: 5000, budget: 0.2 }
const FACTS = { round: 0, retryAfterMs: null, pausedMs: 0, random: 1 }

test('pauses grow by two, up to their cap, and are drawn between nothing and all', async (t) => {
  t.same(
    [0, 1, 2, 3].map((round) => pauseOf(CONFIG, { ...FACTS, round })),
    [100, 200, 350, 350],
  )
  t.equal(pauseOf(CONFIG, { ...FACTS, random: 0 }), 0)
  t.equal(pauseOf(CONFIG, { ...FACTS, random: 0.5 }), 50)
})

test('what an upstream asks for is waited for in full, if that is not too long', async (t) => {
  t.equal(pauseOf(CONFIG, { ...FACTS, retryAfterMs: 2000, random: 0 }), 2001)
  t.equal(pauseOf(CONFIG, { ...FACTS, retryAfterMs: 2000 }), 2101)
  t.equal(pauseOf(CONFIG, { ...FACTS, retryAfterMs: 5000, random: 0 }), null)
  t.equal(pauseOf(CONFIG, { ...FACTS, retryAfterMs: 2000, pausedMs: 3000, random: 0 }), null, 'all pauses together')
  t.equal(pauseOf(CONFIG, { ...FACTS, pausedMs: 4950 }), null)
})

test('repeats keep to their share of the requests, after a reserve for quiet times', async (t) => {
  const budget = new RetryBudget(0.2)
  let repeats = 0
  for (let i = 0; i < 1000; i++) {
    budget.deposit()
    while (budget.take()) repeats += 1
  }
  t.ok(repeats <= 1000 * 0.2 + 10, `${repeats}`)
  t.ok(repeats >= 1000 * 0.2, `${repeats}`)
  for (let i = 0; i < 1000; i++) budget.deposit()
  let saved = 0
  while (budget.take()) saved += 1
  t.equal(saved, 10, 'a quiet hour saves no more than the reserve')
  t.equal(new RetryBudget(0).take(), false)
})
