// What the soak calls growth.
import { test } from 'tap'
import { Random } from '../helpers/random.js'
import { growthOf, median, type Point } from './growth.js'

const POINTS = 40

function row(growth: number, noise: number): Point[] {
  const random = new Random(7)
  return Array.from({ length: POINTS }, (_, i) => {
    const trend = 100 * (1 + (growth * i) / (POINTS - 1))
    return [i * 1000, trend + noise * (random.below(2) - 1)] as const
  })
}

test('finds a growth and its size, through noise', async (t) => {
  t.match(growthOf(row(0.1, 0)), { share: /^0\.09\d/, atLeast: /^0\.09\d/ })
  const noisy = growthOf(row(0.1, 5))
  t.ok(noisy.share > 0.05 && noisy.share < 0.15, `${noisy.share}`)
  t.ok(noisy.atLeast > 0.01, `${noisy.atLeast}`)
})

test('takes noise for no growth, and a fall for none', async (t) => {
  t.ok(growthOf(row(0, 5)).atLeast < 0.01)
  t.ok(growthOf(row(-0.2, 1)).share < 0)
  t.same(growthOf([]), { share: 0, atLeast: 0 })
  t.equal(median([3, 1, 2]), 2)
  t.equal(median([]), 0)
})

test('one measurement far off changes little', async (t) => {
  const points = row(0, 0.1)
  points[20] = [20_000, 500]
  t.ok(Math.abs(growthOf(points).share) < 0.01)
})
