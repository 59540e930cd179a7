// The open exchanges: whatever the order in which they leave, none is lost and none stays.
import { test } from 'tap'
import { OpenExchanges } from '../../src/pipeline/open-exchanges.js'

function setUp(count: number) {
  const open = new OpenExchanges<{ openAt: number; name: number }>()
  const all = Array.from({ length: count }, (_, name) => ({ openAt: -1, name }))
  for (const each of all) open.add(each)
  return { open, all }
}

test('leave in any order, each once, and the rest stays', (t) => {
  const orders = [
    [0, 1, 2, 3],
    [3, 2, 1, 0],
    [1, 3, 0, 2],
    [2, 0, 3, 1],
  ]
  for (const order of orders) {
    const { open, all } = setUp(4)
    const left = new Set(all)
    for (const at of order) {
      const gone = all[at]
      if (gone === undefined) continue
      open.remove(gone)
      open.remove(gone)
      left.delete(gone)
      t.same(new Set(open.list()), left)
      t.equal(open.size, left.size)
      t.equal(gone.openAt, -1)
    }
  }
  t.end()
})

test('a list stays as it was while those in it leave', (t) => {
  const { open, all } = setUp(3)
  const seen: number[] = []
  for (const each of open.list()) {
    seen.push(each.name)
    open.remove(each)
  }
  t.same(seen, [0, 1, 2])
  t.equal(open.size, 0)
  const [first] = all
  if (first !== undefined) open.add(first)
  t.equal(open.size, 1)
  t.end()
})
