// Slots in shared memory: who is full, what is counted, and what tells waiting event loops.
import { test } from 'tap'
import { AtomicSlots, slotCellCount } from '../../../src/limit/local/atomic-slots.js'

function setUp() {
  const cells = new Int32Array(
    new SharedArrayBuffer(4 * slotCellCount({ room: { keys: 2, providers: 1, targets: 2 } })),
  )
  const caps = { gateway: 3, keys: [1, null], providers: [1], targets: [2, null] }
  const places = { keys: [0, 1], providers: [0], targets: [0, 1], room: { keys: 2, providers: 1, targets: 2 } }
  return { slots: new AtomicSlots(caps, cells, places), twin: new AtomicSlots(caps, cells, places), cells }
}

test('the scope that is full is named, the gateway before the key', (t) => {
  const { slots, twin } = setUp()
  t.equal(slots.tryEnter(0), null)
  t.equal(twin.tryEnter(0), 'key')
  t.equal(twin.tryEnter(1), null)
  t.equal(slots.tryEnter(-1), null)
  t.equal(twin.tryEnter(0), 'gateway')
  t.equal(slots.tryEnter(99), 'gateway')
  t.equal(slots.active(), 3)
  slots.leave(0)
  t.equal(twin.tryEnter(0), null)
  t.end()
})

test('a refusal leaves no trace', (t) => {
  const { slots, cells } = setUp()
  slots.tryEnter(0)
  const before = [...cells]
  t.equal(slots.tryEnter(0), 'key')
  t.same([...cells], before)
  t.end()
})

test('every freed slot changes the number that waiting loops watch', (t) => {
  const { slots, twin } = setUp()
  slots.tryEnter(1)
  const before = twin.freed()
  slots.leave(1)
  t.not(twin.freed(), before)
  slots.tellWaiting(true)
  t.equal(twin.waitingLoops(), 1)
  slots.tellWaiting(false)
  t.equal(twin.waitingLoops(), 0)
  t.end()
})

test('an index that is not configured touches no cell of another', (t) => {
  const { slots, cells } = setUp()
  t.ok(slots.enterProvider(5))
  slots.leaveProvider(5)
  t.equal(slots.tryEnter(7), null)
  slots.leave(7)
  t.same([...cells].slice(2, 8), [0, 0, 0, 0, 0, 0])
  t.end()
})

test('targets are counted over all views, and capped where they have a cap', (t) => {
  const { slots, twin } = setUp()
  t.ok(slots.enterTarget(0))
  t.ok(twin.enterTarget(0))
  t.notOk(slots.enterTarget(0))
  t.equal(twin.targetLoad(0), 2)
  for (let i = 0; i < 5; i++) t.ok(slots.enterTarget(1))
  t.equal(slots.targetLoad(1), 5)
  slots.leaveTarget(0)
  t.ok(twin.enterTarget(0))
  t.equal(slots.targetLoad(-1), 0)
  t.ok(slots.enterTarget(-1))
  slots.leaveTarget(9)
  t.equal(slots.active(), 0, 'cells of others are not touched')
  t.ok(slots.enterProvider(0))
  t.end()
})

test('an entry that ignores the caps counts as a turn', (t) => {
  const { slots, twin } = setUp()
  slots.tryEnter(0)
  slots.tryEnter(1)
  t.same(twin.turns.inOrder([1, 0]), [0, 1])
  slots.hold(0)
  t.same(twin.turns.inOrder([0, 1]), [1, 0])
  t.end()
})
