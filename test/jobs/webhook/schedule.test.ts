// The schedule of retries: the specification's waits, jitter to the late side only, an end.
import { test } from 'tap'
import { MAX_WEBHOOK_ATTEMPTS, settleDelivery } from '../../../src/jobs/webhook/schedule.js'
import { type WebhookAnswer } from '../../../src/jobs/webhook/webhook.js'

const HOUR_MS = 3_600_000
const error = 'The endpoint returned status 500.'

function retry(retryAfterMs: number | null = null): WebhookAnswer {
  return { kind: 'retry', error, cause: null, retryAfterMs }
}

function delayOf(answer: WebhookAnswer, attempts: number, random = 0): number | null {
  const fate = settleDelivery(answer, attempts, random)
  return fate.kind === 'retry' ? fate.delayMs : null
}

test('waits as the specification proposes, then gives up', (t) => {
  const waits = Array.from({ length: MAX_WEBHOOK_ATTEMPTS }, (_, i) => delayOf(retry(), i + 1))
  const hours = waits.map((ms) => (ms === null ? null : ms / HOUR_MS))
  t.same(hours, [5 / 3600, 5 / 60, 0.5, 2, 5, 10, 14, 20, 24, null])
  t.same(settleDelivery(retry(), MAX_WEBHOOK_ATTEMPTS, 0), { kind: 'dead', error })
  t.same(settleDelivery(retry(), MAX_WEBHOOK_ATTEMPTS + 5, 0), { kind: 'dead', error })
  t.end()
})

test('jitter is up to a fifth, never earlier', (t) => {
  t.equal(delayOf(retry(), 1, 0.5), 5500)
  t.equal(delayOf(retry(), 1, 0.999_999), 6000)
  t.end()
})

test('Retry-After is honoured where it is later', (t) => {
  t.equal(delayOf(retry(60_000), 1), 60_000)
  t.equal(delayOf(retry(1000), 1), 5000)
  t.equal(delayOf(retry(60_000), 2), 300_000)
  t.equal(delayOf(retry(60_000), 1, 0.5), 66_000, 'with jitter')
  t.end()
})

test('what is delivered is done, what is gone or refused is not tried again', (t) => {
  t.same(settleDelivery({ kind: 'delivered' }, 1, 0), { kind: 'delivered' })
  for (const kind of ['gone', 'failed'] as const) {
    t.same(settleDelivery({ kind, error, cause: null }, 1, 0), { kind: 'dead', error })
  }
  t.end()
})
