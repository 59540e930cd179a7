// The order in which a model's targets are tried.
import { test } from 'tap'
import { orderTargets } from '../../src/routing/balance.js'
import { type RouteTarget } from '../../src/routing/router.js'
import { testProvider, testTarget } from '../helpers/targets.js'

function to(model: string, weight = 1): RouteTarget {
  const target = testTarget('w', { model })
  return { provider: testProvider('http://p'), providerIndex: 0, target, label: 'm', weight }
}

function names(targets: readonly RouteTarget[]): string {
  return targets.map(({ target }) => target.model).join('')
}

/** Numbers one after the other, as Math.random would give them. */
function numbers(...values: readonly number[]): () => number {
  let next = 0
  return () => values[next++] ?? 0
}

test('targets are drawn in proportion to their weights', async (t) => {
  const order = (point: number) => names(orderTargets([to('x', 3), to('y', 1)], numbers(point)))
  t.equal(order(0), 'xy')
  t.equal(order(0.7499), 'xy', 'three quarters go to the first')
  t.equal(order(0.75), 'yx')
  t.equal(order(0.9999), 'yx')
})

test('each further draw is among the targets that are left', async (t) => {
  t.equal(names(orderTargets([to('x', 1), to('y', 2), to('z', 1)], numbers(0.5, 0.5, 0))), 'yzx')
})

test('a target of weight 0 is only what others fall back to', async (t) => {
  for (const point of [0, 0.5, 0.9999]) t.equal(names(orderTargets([to('s', 0), to('m', 1)], () => point)), 'ms')
})

test('one target alone costs nothing', async (t) => {
  const targets = [to('x')]
  t.equal(orderTargets(targets, numbers()), targets)
})
