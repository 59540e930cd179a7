// How much is refused at which delay of the event loop.
import { test } from 'tap'
import { Shedder } from '../../src/limit/shedder.js'

const TARGET_MS = 50
/** Of a timer that is not late; one that is late takes a sample less often. */
const PERIOD_MS = 50

function feed(shedder: Shedder, lagMs: number, samples: number): number {
  for (let i = 0; i < samples; i++) shedder.sample({ lagMs, spanMs: PERIOD_MS + lagMs }, TARGET_MS)
  return shedder.share
}

test('a peak is forgiven, however high', (t) => {
  const shedder = new Shedder()
  feed(shedder, 1, 20)
  t.equal(feed(shedder, 5000, 2), 0)
  t.equal(feed(shedder, 1, 20), 0)
  t.equal(shedder.refusal(0), null)
  t.end()
})

test('a delay that stands sheds a growing share within a second, never all, and is forgotten as soon', (t) => {
  const shedder = new Shedder()
  const early = feed(shedder, 2 * TARGET_MS, 4)
  t.ok(early > 0 && early < 0.5, String(early))
  t.ok(feed(shedder, 3 * TARGET_MS, 5) > 0.8)
  t.ok(feed(shedder, 100 * TARGET_MS, 10) < 1)
  t.equal(feed(shedder, 1, 30), 0)
  t.end()
})

test('a loop that is late by seconds is shut as soon as it is no peak', (t) => {
  const shedder = new Shedder()
  t.equal(feed(shedder, 2000, 2), 0)
  t.equal(feed(shedder, 2000, 1), 0.95)
  t.end()
})

test('at its target it holds, below it nothing is shed', (t) => {
  const shedder = new Shedder()
  t.equal(feed(shedder, TARGET_MS, 100), 0)
  feed(shedder, 2 * TARGET_MS, 5)
  const held = feed(shedder, TARGET_MS, 1)
  t.ok(held > 0)
  t.equal(feed(shedder, TARGET_MS, 100), held)
  t.end()
})

test('the refusal is a 503 with a time to come back, for that share of the draws', (t) => {
  const shedder = new Shedder()
  const share = feed(shedder, 2 * TARGET_MS, 4)
  t.match(shedder.refusal(share - 0.01), {
    data: { code: 'overloaded', status: 503, retryable: true, retryAfterMs: 1000 },
  })
  t.equal(shedder.refusal(share), null)
  t.end()
})

test('without a target nothing is shed, and what was shed before is let in', (t) => {
  const shedder = new Shedder()
  feed(shedder, 3 * TARGET_MS, 20)
  shedder.sample({ lagMs: 3 * TARGET_MS, spanMs: 200 }, null)
  t.equal(shedder.share, 0)
  t.end()
})
