// The event loop's lag: the worst of the recent past, forgotten in time.
import { test } from 'tap'
import { LagWindow, startLagSampler } from '../../src/telemetry/lag.js'

test('the worst sample is told until its window and the next one are over', (t) => {
  const window = new LagWindow(1000, 0)
  t.equal(window.add(5, 100), 5)
  t.equal(window.add(80, 200), 80)
  t.equal(window.add(1, 900), 80)
  t.equal(window.add(2, 1500), 80)
  t.equal(window.add(3, 2400), 80)
  t.equal(window.add(1, 2600), 3)
  t.end()
})

test('after a gap without samples nothing old is told', (t) => {
  const window = new LagWindow(1000, 0)
  window.add(80, 200)
  t.equal(window.add(1, 5000), 1)
  t.end()
})

test('a blocked event loop is seen', async (t) => {
  const reported = await new Promise<number>((resolve) => {
    const sampler = startLagSampler((seconds) => {
      if (seconds < 0.1) return
      sampler.stop()
      resolve(seconds)
    })
    const keepAlive = setInterval(() => {}, 1000)
    t.teardown(() => clearInterval(keepAlive))
    // Holds the thread for 200 ms, as slow code would.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200)
  })
  t.ok(reported >= 0.1 && reported < 5, String(reported))
})
