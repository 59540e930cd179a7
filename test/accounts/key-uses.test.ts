// When keys were used last is written together, and at the end.
import { test } from 'tap'
import { KeyUses } from '../../src/accounts/key-uses.js'
import { type KeyUse } from '../../src/accounts/store.js'

test('of many uses of a key the last is written, once, in parts that a statement can have', async (t) => {
  const written: (readonly KeyUse[])[] = []
  const uses = new KeyUses(async (some) => void written.push(some))
  await uses.flush()
  t.same(written, [])
  uses.note([{ id: 'a', atMs: 5.7 }])
  uses.note(Array.from({ length: 600 }, (_, i) => ({ id: `k${i}`, atMs: i })))
  uses.note([{ id: 'a', atMs: 3 }])
  await uses.flush()
  t.same(
    written.map((some) => some.length),
    [500, 101],
  )
  t.same(written[0]?.[0], { id: 'a', atMs: 5 })
  await uses.flush()
  t.equal(written.length, 2)
})

test('what cannot be written is lost, and the rest is written all the same', async (t) => {
  let calls = 0
  const uses = new KeyUses(async () => {
    calls += 1
    if (calls === 1) throw new Error('away')
  })
  uses.note(Array.from({ length: 501 }, (_, i) => ({ id: `k${i}`, atMs: i })))
  await uses.flush()
  t.equal(calls, 2)
})
