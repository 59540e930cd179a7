import { test } from 'tap'
import { Places } from '../../../src/accounts/directory/places.js'

test('places that were never used come first, then those that are free for longest, each with its next epoch', (t) => {
  const places = new Places(3)
  t.same(
    [places.take(), places.take()],
    [
      { place: 0, epoch: 0 },
      { place: 1, epoch: 0 },
    ],
  )
  places.give(1)
  places.give(0)
  t.same(places.take(), { place: 2, epoch: 0 })
  t.same(
    [places.take(), places.take()],
    [
      { place: 1, epoch: 1 },
      { place: 0, epoch: 1 },
    ],
  )
  t.equal(places.hasRoom(1), false)
  t.end()
})

test('an owner comes back to its place, as long as no other has it', (t) => {
  const places = new Places(1)
  t.equal(places.takeFor('a'), 0)
  t.equal(places.hasRoomFor(new Set(['a'])), true)
  t.equal(places.hasRoomFor(new Set(['b'])), false)
  places.giveFor('a')
  places.giveFor('unknown')
  t.equal(places.takeFor('a'), 0)
  t.equal(places.hasRoom(1), false, 'it is its own again')
  places.giveFor('a')
  t.equal(places.takeFor('b'), 0)
  t.equal(places.hasRoomFor(new Set(['a'])), false)
  t.end()
})

test('places whose owners stay busy do not hide those behind them', (t) => {
  const places = new Places(3000, { isIdle: (place) => place >= 2500, clear: () => undefined })
  for (let n = 0; n < 3000; n++) places.give(places.take().place)
  const found = [places.hasRoom(1), places.hasRoom(1), places.hasRoom(1)]
  t.same(found, [false, false, true])
  t.ok(places.take().place >= 2500)
  t.end()
})

test('of many places whose owners are still busy only some are looked at', (t) => {
  let looks = 0
  const isIdle = (): boolean => {
    looks += 1
    return false
  }
  const places = new Places(5000, { isIdle, clear: () => undefined })
  for (let n = 0; n < 5000; n++) places.give(places.take().place)
  t.equal(places.hasRoom(1), false)
  t.ok(looks < 1100, `${looks} looks`)
  looks = 0
  const few = new Places(3, { isIdle, clear: () => undefined })
  for (let n = 0; n < 3; n++) few.give(few.take().place)
  t.equal(few.hasRoom(1), false)
  t.ok(looks <= 4, `${looks} looks at three`)
  t.end()
})

test('several at once need as many places whose owners are gone', (t) => {
  const busy = new Set([0, 1])
  const places = new Places(4, { isIdle: (place) => !busy.has(place), clear: () => undefined })
  for (let n = 0; n < 3; n++) places.give(places.take().place)
  t.same([places.hasRoom(2), places.hasRoom(3), places.hasRoom(4)], [true, false, false])
  busy.delete(0)
  t.same([places.hasRoom(3), places.hasRoom(4)], [true, false])
  t.equal(places.hasRoomFor(new Set(['a', 'b', 'c'])), true)
  const many = new Places(5000, { isIdle: (place) => place >= 4000, clear: () => undefined })
  for (let n = 0; n < 5000; n++) many.give(many.take().place)
  t.equal(many.hasRoom(2), false, 'not all are looked at')
  t.end()
})
