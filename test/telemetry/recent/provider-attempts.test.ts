// What the last attempts at a provider came to, over a window of minutes.
import { test } from 'tap'
import { errorData } from '../../../src/errors.js'
import { ProviderAttempts, WINDOW_MS } from '../../../src/telemetry/recent/provider-attempts.js'
import { type Try } from '../../../src/telemetry/records.js'
import { exchangeRecord } from '../../helpers/exchange-record.js'

const tried = (provider: string, result: Try['result'], upstreamStatus: number | null = null): Try => {
  const error = result === 'ok' ? null : errorData('upstream_rejected', { upstreamStatus })
  return { provider, model: 'm', result, error, ms: 1 }
}

test('each attempt counts at its provider; an aborted one is no failure; one without an attempt is nothing', async (t) => {
  const attempts = new ProviderAttempts(() => 0)
  attempts.note(exchangeRecord({ provider: 'north', timeToFirstTokenMs: 100 }))
  attempts.note(exchangeRecord({ provider: 'north', timeToFirstTokenMs: 300, tries: [tried('north', 'aborted')] }))
  const tries = [tried('north', 'rejected', 429), tried('south', 'timeout'), tried('north', 'ok')]
  attempts.note(exchangeRecord({ provider: 'north', attempts: 3, timeToFirstTokenMs: 900, tries }))
  attempts.note(exchangeRecord({ provider: null, attempts: 0 }))
  attempts.note(exchangeRecord({ provider: 'west', attempts: 0 }))
  t.same(attempts.windows(), [
    { provider: 'north', attempts: 4, failed: 1, rateLimited: 1, firstTokenMs: [100, 300] },
    { provider: 'south', attempts: 1, failed: 1, rateLimited: 0, firstTokenMs: [] },
  ])
})

test('what is older than the window does not count, and a busy provider holds the last ones', async (t) => {
  let nowMs = 0
  const attempts = new ProviderAttempts(() => nowMs)
  attempts.note(exchangeRecord({ provider: 'north', timeToFirstTokenMs: 1 }))
  nowMs = WINDOW_MS
  t.equal(attempts.windows()[0]?.attempts, 1)
  nowMs += 1
  t.match(attempts.windows(), [{ provider: 'north', attempts: 0, firstTokenMs: [] }])
  for (let i = 0; i < 2000; i++) attempts.note(exchangeRecord({ provider: 'north', timeToFirstTokenMs: i }))
  const [window] = attempts.windows()
  t.equal(window?.attempts, 512)
  t.ok(window?.firstTokenMs.includes(1999) && !window.firstTokenMs.includes(1000))
})

test('there are not more providers than could be configured', async (t) => {
  const attempts = new ProviderAttempts(() => 0)
  for (let i = 0; i < 1000; i++) attempts.note(exchangeRecord({ provider: `p${i}` }))
  t.equal(attempts.windows().length, 500)
})
