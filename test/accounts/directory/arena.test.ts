import { test } from 'tap'
import { Arena } from '../../../src/accounts/directory/arena.js'

const alone = (words: number) => [{ words, former: null }]

test('blocks do not overlap, and a returned one is used again for one of its size first', (t) => {
  const arena = new Arena(64)
  t.same([arena.take(16), arena.take(17), arena.take(1)], [0, 16, 48])
  t.equal(arena.fits(alone(1)), false)
  t.equal(arena.take(1), null)
  arena.give(16, 17)
  t.equal(arena.fits(alone(32)), true)
  t.equal(arena.fits(alone(33)), false)
  t.equal(arena.take(20), 16)
  arena.give(0, 16)
  arena.give(48, 1)
  t.same([arena.take(3), arena.take(4), arena.take(5)], [48, 0, null])
  t.end()
})

test('when nothing else is left, neighbours are merged and larger blocks split', (t) => {
  const arena = new Arena(16 * 6)
  for (let n = 0; n < 6; n++) arena.take(16)
  for (const block of [48, 16, 32]) arena.give(block, 16)
  t.equal(arena.take(32), 16, 'of three neighbours')
  t.equal(arena.take(16), 48, 'their rest')
  t.equal(arena.take(16), null)
  for (const block of [80, 64]) arena.give(block, 16)
  t.equal(arena.take(32), 64, 'what was at the end is as if it was never used')
  arena.give(0, 16)
  arena.give(16, 32)
  t.equal(arena.take(48), 0)
  t.equal(arena.take(1), null)
  t.end()
})

test('whether many blocks fit is decided together, each before its former one is given back', (t) => {
  const arena = new Arena(16 * 5)
  const former = (words: number) => ({ block: arena.take(words) ?? -1, words })
  const [a, b] = [former(32), former(16)]
  const both = (words: number) => [
    { words, former: a },
    { words, former: b },
  ]
  t.equal(arena.fits([...alone(32), ...alone(32)]), false)
  t.equal(arena.fits(both(48)), false)
  t.equal(arena.fits(both(32)), true, 'the second one where the first one was')
  t.equal(arena.take(32), 48, 'nothing was taken by asking')
  t.end()
})
