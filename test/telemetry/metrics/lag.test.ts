// The event loop's lag: the worst of the recent past, forgotten in time.
import { test } from 'tap'
import { LagWindow, type LoopSample, startLagSampler } from '../../../src/telemetry/metrics/lag.js'

test('reports the worst sample until the end of the window after its own', (t) => {
  const window = new LagWindow(1000, 0)
  t.equal(window.add(5, 100), 5)
  t.equal(window.add(80, 200), 80)
  t.equal(window.add(1, 900), 80)
  t.equal(window.add(2, 1500), 80)
  t.equal(window.add(3, 2400), 80)
  t.equal(window.add(1, 2600), 3)
  t.end()
})

test('reports no old sample after a gap', (t) => {
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

test('a sample has the length of turns and the share of time that the loop was busy', async (t) => {
  const keepAlive = setInterval(() => {}, 1000)
  t.teardown(() => clearInterval(keepAlive))
  const busyTurnMs = 30
  let isBusy = true
  const turn = (): void => {
    // By processor time: what others take of it is not counted.
    const startedAt = process.cpuUsage()
    while (process.cpuUsage(startedAt).user < busyTurnMs * 1000);
    if (isBusy) setImmediate(turn)
  }
  // The first sample has the idle time before it.
  const busy = await sampleAfter(2, turn)
  isBusy = false
  t.ok(busy.turnMs >= 0.8 * busyTurnMs, `${busy.turnMs} ms a turn`)
  t.ok(busy.utilization > 0.9, `${busy.utilization} busy`)
  // At least one turn; time in which the thread waited for the processor is excluded.
  t.ok(busy.spanMs >= 0.8 * busyTurnMs, `${busy.spanMs} ms`)
  // A sample in which the system woke the thread late looks busy all the time, so the idlest of several counts.
  let idle = busy
  for (let i = 0; i < 5; i++) {
    const sample = await sampleAfter(2, () => {})
    if (sample.utilization < idle.utilization) idle = sample
  }
  t.ok(idle.turnMs < busyTurnMs && idle.utilization < busy.utilization, `${idle.turnMs} ms, ${idle.utilization} idle`)
})

test('what others took of the processor is no work of the loop’s', async (t) => {
  const keepAlive = setInterval(() => {}, 1000)
  t.teardown(() => clearInterval(keepAlive))
  let waitedMs = 0
  let isOpen = true
  const runQueue = {
    waitedMs: () => waitedMs,
    close: () => {
      isOpen = false
    },
  }
  const turnMs = 60
  // Each turn looks 60 ms long, of which the thread is said to have waited for 55.
  const turn = (): void => {
    const endMs = performance.now() + turnMs
    while (performance.now() < endMs);
    waitedMs += turnMs - 5
    if (isOpen) setImmediate(turn)
  }
  const samples: LoopSample[] = []
  await new Promise<void>((resolve) => {
    const sampler = startLagSampler((_, sample) => {
      samples.push(sample)
      if (samples.length < 8) return
      sampler.stop()
      resolve()
    }, runQueue)
    turn()
  })
  t.notOk(isOpen, 'stopped, it reads no more')
  // The wall clock of a busy machine only makes single turns longer.
  const shortest = Math.min(...samples.slice(2).map((sample) => sample.turnMs))
  t.ok(shortest < turnMs / 2, `${shortest} ms a turn`)
})

function sampleAfter(count: number, start: () => void): Promise<LoopSample> {
  return new Promise((resolve) => {
    let left = count
    const sampler = startLagSampler((_, sample) => {
      left -= 1
      if (left > 0) return
      sampler.stop()
      resolve(sample)
    })
    start()
  })
}
