// Median, spread and the ratios of rounds: what every figure of the bench is made of.
import { test } from 'tap'
import { Samples } from '../../bench/samples.js'
import { cpuMs, firstThreadCpuMs, rssBytes, spread } from '../../bench/stats.js'

test('the median of an even number of samples lies between the middle two', async (t) => {
  t.same(spread([3, 1, 2]), { median: 2, min: 1, max: 3 })
  t.same(spread([4, 1, 2, 3]), { median: 2.5, min: 1, max: 4 })
  t.same(spread([]), { median: 0, min: 0, max: 0 })
})

test('a ratio is that of two samples of the same round; a round that one of them lacks does not count', async (t) => {
  const samples = new Samples()
  const add = (contender: string, round: number, value: number) =>
    samples.add({ scenario: 'S', contender, unit: 'us', floor: 'floor', round }, value)
  for (const [round, floor, ours] of [
    [1, 10, 20],
    [2, 20, 50],
    [3, 10, 30],
  ] as const) {
    add('floor', round, floor)
    if (round !== 2) add('ours', round, ours)
  }
  const figure = samples.figures().find(({ contender }) => contender === 'ours')
  t.same(figure?.ratio, { median: 2.5, min: 2, max: 3 })
  t.equal(figure?.rounds, 2)
})

test('CPU time and memory of a process are seen from outside', async (t) => {
  const before = cpuMs(process.pid)
  const startedAt = process.cpuUsage()
  while (process.cpuUsage(startedAt).user < 50_000) Math.sqrt(before)
  const used = cpuMs(process.pid) - before
  t.ok(used > 40, `${used} ms`)
  t.ok(firstThreadCpuMs(process.pid) <= cpuMs(process.pid))
  t.ok(rssBytes(process.pid) > 10 * 1024 * 1024)
})
