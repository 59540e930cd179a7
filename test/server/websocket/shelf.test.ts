// The answers of one connection: found by id, bounded by number, by bytes and by the memory of their key.
import { test } from 'tap'
import { GatewayError } from '../../../src/errors.js'
import { bytesOf } from '../../../src/responses/store.js'
import { type Reservation } from '../../../src/server/context.js'
import { Shelf } from '../../../src/server/websocket/shelf.js'
import { storedResponse } from '../../helpers/responses.js'

class Memory implements Reservation {
  most = Number.POSITIVE_INFINITY
  held = 0
  releases = 0

  grow(bytes: number): GatewayError | null {
    if (bytes <= this.held) return null
    if (bytes > this.most) return new GatewayError('overloaded')
    this.held = bytes
    return null
  }

  release(): void {
    this.releases += 1
    this.held = 0
  }
}

const ONE = bytesOf(storedResponse('resp_000'))
const answer = (n: number) => storedResponse(`resp_${String(n).padStart(3, '0')}`)
const found = (shelf: Shelf, to: number) =>
  Array.from({ length: to }, (_, n) => n).filter((n) => shelf.get(answer(n).id) !== null)

test('an answer is found until newer ones need its room, the oldest going first', (t) => {
  const reservation = new Memory()
  const shelf = new Shelf({ reservation, maxBytes: 3 * ONE })
  for (let n = 0; n < 5; n++) shelf.put(answer(n))
  t.same(found(shelf, 5), [2, 3, 4])
  t.equal(reservation.held, 3 * ONE)
  shelf.put(storedResponse('large', { input: Buffer.alloc(3 * ONE) }))
  t.equal(shelf.get('large'), null, 'one that is larger than all takes nothing')
  t.same(found(shelf, 5), [2, 3, 4])
  shelf.close()
  t.same([found(shelf, 5), reservation.held], [[], 0])
  t.end()
})

test('without memory for more, older ones make room, and at most 128 are kept', (t) => {
  const reservation = new Memory()
  const shelf = new Shelf({ reservation, maxBytes: 1000 * ONE })
  reservation.most = 2 * ONE
  for (let n = 0; n < 4; n++) shelf.put(answer(n))
  t.same(found(shelf, 4), [2, 3])
  reservation.most = 0
  const none = new Shelf({ reservation: new Memory(), maxBytes: 1000 * ONE })
  for (let n = 0; n < 200; n++) none.put(answer(n))
  t.same(found(none, 200).length, 128)
  t.equal(found(none, 200)[0], 72)
  const empty = new Memory()
  empty.most = 0
  const poor = new Shelf({ reservation: empty, maxBytes: 1000 * ONE })
  poor.put(answer(0))
  t.same(found(poor, 1), [], 'and nothing fails')
  t.end()
})

test('an answer is in memory of its own', (t) => {
  const large = Buffer.alloc(10_000, 0x20)
  const shelf = new Shelf({ reservation: new Memory(), maxBytes: 100_000 })
  shelf.put(storedResponse('a', { input: large.subarray(0, 10), response: large.subarray(20, 30) }))
  large.fill(0x21)
  const held = shelf.get('a')
  t.same([held?.input.buffer.byteLength, held?.response.buffer.byteLength], [10, 10])
  t.same(held?.input[0], 0x20)
  t.end()
})

test('what comes after the connection has gone takes no memory, which nothing would release', (t) => {
  const reservation = new Memory()
  const shelf = new Shelf({ reservation, maxBytes: 3 * ONE })
  shelf.put(answer(0))
  shelf.close()
  shelf.put(answer(1))
  t.same(found(shelf, 2), [])
  t.equal(reservation.held, 0)
  t.end()
})
