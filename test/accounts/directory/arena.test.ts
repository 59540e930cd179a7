import { test } from 'tap'
import { Arena } from '../../../src/accounts/directory/arena.js'

test('blocks do not overlap, and a returned one is used again for one of its size', (t) => {
  const arena = new Arena(64)
  t.same([arena.take(16), arena.take(17), arena.take(1)], [0, 16, 48])
  t.equal(arena.hasRoomFor(1), false)
  t.equal(arena.take(1), null)
  arena.give(16, 17)
  t.equal(arena.hasRoomFor(1), false, 'of another size')
  t.equal(arena.hasRoomFor(32), true)
  t.equal(arena.take(20), 16)
  arena.give(0, 16)
  arena.give(48, 1)
  t.same([arena.take(3), arena.take(4), arena.take(5)], [48, 0, null])
  t.end()
})
