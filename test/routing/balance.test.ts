// The order in which a model's targets are tried.
import { test } from 'tap'
import { hashBytes, orderTargets } from '../../src/routing/balance.js'
import { type RouteTarget } from '../../src/routing/router.js'
import { TEST_TIMEOUTS, testProvider, testTarget } from '../helpers/targets.js'

const SLOTS = ['x', 'y', 'z']
/** In flight at x, y, z. */
let loads = [0, 0, 0]

function facts(random: () => number, affinity: number | null = null) {
  return { random, loadOf: (slot: number) => loads[slot] ?? 0, affinity }
}

function to(model: string, weight = 1): RouteTarget {
  const target = testTarget('w', { model })
  return {
    provider: testProvider('http://p'),
    providerIndex: 0,
    target,
    label: 'm',
    weight,
    slot: SLOTS.indexOf(model),
    timeouts: TEST_TIMEOUTS,
    hedge: null,
  }
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
  const order = (point: number) => names(orderTargets([to('x', 3), to('y', 1)], facts(numbers(point))))
  t.equal(order(0), 'xy')
  t.equal(order(0.7499), 'xy', 'three quarters go to the first')
  t.equal(order(0.75), 'yx')
  t.equal(order(0.9999), 'yx')
})

test('each further draw is among the targets that are left', async (t) => {
  t.equal(names(orderTargets([to('x', 1), to('y', 2), to('z', 1)], facts(numbers(0.5, 0.5, 0)))), 'yzx')
})

test('a target of weight 0 is only what others fall back to', async (t) => {
  for (const point of [0, 0.5, 0.9999])
    t.equal(
      names(
        orderTargets(
          [to('s', 0), to('m', 1)],
          facts(() => point),
        ),
      ),
      'ms',
    )
})

test('one target alone costs nothing', async (t) => {
  const targets = [to('x')]
  t.equal(orderTargets(targets, facts(numbers())), targets)
})

test('among equals the one with the least in flight is first; weights stay what they are', async (t) => {
  t.teardown(() => {
    loads = [0, 0, 0]
  })
  const first = (targets: readonly RouteTarget[], point: number) =>
    names(orderTargets(targets, facts(numbers(point)))).charAt(0)
  const equal = [to('x'), to('y'), to('z')]
  loads = [2, 1, 2]
  for (const point of [0, 0.5, 0.9]) t.equal(first(equal, point), 'y')
  loads = [1, 1, 2]
  t.equal(first(equal, 0), 'x')
  t.equal(first(equal, 0.5), 'y', 'with as little to do, the one that was drawn')
  loads = [9, 0, 0]
  t.equal(first([to('x', 3), to('y', 1), to('z', 1)], 0), 'x', 'a share of three fifths is one')
  loads = [0, 5, 0]
  t.equal(first([to('x', 3), to('y', 1), to('z', 1)], 0.7), 'z')
})

const KEYS = Array.from({ length: 4000 }, (_, i) => hashBytes(0x811c9dc5, Buffer.from(`conversation ${i}`)))
const orderOf = (targets: readonly RouteTarget[], affinity: number) =>
  names(
    orderTargets(
      targets,
      facts(() => 0.5, affinity),
    ),
  )

test('with affinity the same beginning leads to the same target, and beginnings spread by weight', async (t) => {
  const targets = [to('x', 1), to('y', 2), to('z', 1)]
  const counts: Record<string, number> = { x: 0, y: 0, z: 0 }
  for (const key of KEYS) {
    const order = orderOf(targets, key)
    if (orderOf([...targets].reverse(), key) !== order) t.fail('the order of the configuration matters')
    counts[order.charAt(0)] = (counts[order.charAt(0)] ?? 0) + 1
  }
  for (const [model, share] of Object.entries({ x: 0.25, y: 0.5, z: 0.25 })) {
    t.ok(Math.abs((counts[model] ?? 0) / KEYS.length - share) < 0.03, `${model}: ${counts[model]}`)
  }
})

test('when a target goes, only what was its own moves', async (t) => {
  const three = [to('x'), to('y'), to('z')]
  const moved = KEYS.filter((key) => {
    const before = orderOf(three, key)
    const after = orderOf(three.slice(1), key)
    return before.charAt(0) !== 'x' && before.charAt(0) !== after.charAt(0)
  })
  t.equal(moved.length, 0)
})

test('weight 0 is last with affinity, too', async (t) => {
  for (const key of KEYS.slice(0, 50)) t.equal(orderOf([to('x', 0), to('y', 1)], key), 'yx')
})
