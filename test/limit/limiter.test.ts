import { test } from 'tap'
import { accountIndex, isAccountIndex, slotOfIndex } from '../../src/limit/limiter.js'

test('no two keys have one index, and each index is an exact number', (t) => {
  const most = 2 ** 24 - 1
  const pairs = [0, 1, most].flatMap((slot) => [0, 1, most].map((epoch) => ({ slot, epoch })))
  const indexes = pairs.map(({ slot, epoch }) => accountIndex(slot, epoch))
  t.equal(new Set(indexes).size, pairs.length)
  t.same(
    indexes.map(slotOfIndex),
    pairs.map(({ slot }) => slot),
  )
  t.ok(indexes.every((index) => isAccountIndex(index) && Number.isSafeInteger(index)))
  t.same([-1, 0, 100_000].map(isAccountIndex), [false, false, false])
  t.end()
})
