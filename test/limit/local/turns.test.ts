// Whose turn it is: who was let in longest ago, over all views of the same cells.
import { test } from 'tap'
import { Turns, turnCellCount } from '../../../src/limit/local/turns.js'

const ROOM = 4

function setUp(keys: readonly number[] = [0, 1, 2]) {
  const cells = new Int32Array(new SharedArrayBuffer(4 * turnCellCount(ROOM)))
  const view = (places: readonly number[]) => new Turns(cells, { keys: places, room: { keys: ROOM } })
  return { cells, view, turns: view(keys), twin: view(keys) }
}

test('keys that were never admitted come first, then those admitted longest ago', (t) => {
  const { turns, twin } = setUp()
  turns.take(1)
  twin.take(-1)
  turns.take(0)
  t.same(turns.inOrder([0, 1, 2, -1]), [2, 1, -1, 0])
  twin.take(2)
  twin.take(1)
  t.same(turns.inOrder([0, 1, 2, -1]), [-1, 0, 2, 1])
  t.end()
})

test('keys with waiters on any event loop are known to all', (t) => {
  const { turns, twin } = setUp()
  turns.count(0, 1)
  twin.count(0, 1)
  twin.count(-1, 1)
  turns.take(-1)
  t.same(turns.awaited(), [0, -1])
  turns.count(0, -1)
  t.ok(turns.isAwaited(0), 'one is left elsewhere')
  twin.count(0, -1)
  twin.count(-1, -1)
  t.same(turns.awaited(), [])
  t.end()
})

test('over a reload a key keeps its turn by its place', (t) => {
  const { turns, view } = setUp([0, 1])
  turns.take(1)
  turns.take(0)
  const next = view([1, 3, 0])
  t.same(next.inOrder([0, 1, 2]), [1, 0, 2])
  t.end()
})

test('the count of admissions may run over', (t) => {
  const { cells, turns } = setUp()
  cells[0] = 2 ** 31 - 2
  for (const key of [0, 1, 2, 0]) turns.take(key)
  t.same(turns.inOrder([0, 1, 2]), [1, 2, 0])
  t.end()
})
