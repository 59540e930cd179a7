// The pace of a queue, as it is used to reject and as it is shown.
import { test } from 'tap'
import { Pace } from '../../../src/limit/waiting/pace.js'

test('it is unknown until someone was admitted, then the average of recent intervals', async (t) => {
  const pace = new Pace()
  pace.begin(1000)
  t.equal(pace.measuredMs, null)
  pace.mark(1400)
  t.equal(Math.round(pace.measuredMs ?? 0), 400, 'the first interval counts in full')
  t.equal(Math.round(pace.cautiousMs), 40, 'but does not reject newcomers yet')
  pace.mark(1600)
  t.equal(Math.round(pace.measuredMs ?? 0), 295, 'the latest counts a little more')
  let nowMs = 1600
  for (let i = 0; i < 100; i++) {
    nowMs += 50
    pace.mark(nowMs)
  }
  t.equal(Math.round(pace.measuredMs ?? 0), 50)
  t.equal(Math.round(pace.cautiousMs), 50, 'in the long run both are the same')
})

test('an empty queue forgets it', async (t) => {
  const pace = new Pace()
  pace.begin(0)
  pace.mark(500)
  pace.reset()
  t.same([pace.measuredMs, pace.cautiousMs], [null, 0])
  pace.begin(10_000)
  pace.mark(10_020)
  t.equal(Math.round(pace.measuredMs ?? 0), 20)
})
