// Pauses and the end of patience, with a clock and chance of the test's own.
import { test } from 'tap'
import { Patience, sleep } from '../../src/client/patience.js'

test('pauses are drawn from a range that doubles up to the longest', async (t) => {
  for (const [chance, factor] of [
    [0, 0],
    [0.5, 0.5],
    [0.999_999, 1],
  ] as const) {
    const patience = new Patience({ maxOfflineMs: 60_000, random: () => chance, now: () => 0 })
    const pauses = Array.from({ length: 8 }, () => Math.round(patience.next() ?? 0))
    t.same(
      pauses,
      [250, 500, 1000, 2000, 4000, 5000, 5000, 5000].map((ms) => ms * factor),
    )
  }
})

test('the time begins with the first failure, the last attempt is at its end, and success begins anew', async (t) => {
  let nowMs = 100_000
  const patience = new Patience({ maxOfflineMs: 1000, random: () => 0.5, now: () => nowMs })
  t.equal(patience.next(), 125)
  nowMs += 900
  t.equal(patience.next(), 100, 'what is left')
  nowMs += 99
  t.equal(patience.next(), 1)
  nowMs += 1
  t.equal(patience.next(), null)
  patience.reset()
  t.equal(patience.next(), 125)
})

test('a pause is as long as the server asks, within the time', async (t) => {
  const patience = new Patience({ maxOfflineMs: 10_000, random: () => 0, now: () => 0 })
  t.equal(patience.next(3000), 3000)
  t.equal(patience.next(60_000), 10_000)
})

test('an aborted signal ends a pause, and none begins after it', async (t) => {
  const controller = new AbortController()
  const patience = new Patience({ maxOfflineMs: 60_000 })
  const pause = patience.pause(controller.signal, 50_000)
  controller.abort()
  t.equal(await pause, false)
  t.equal(await patience.pause(controller.signal), false)
  t.equal(await new Patience({ maxOfflineMs: 60_000, random: () => 0 }).pause(null), true)
  t.equal(await new Patience({ maxOfflineMs: 0 }).pause(null), false)
  await sleep(1)
})
