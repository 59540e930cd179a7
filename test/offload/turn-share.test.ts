// How much codec work a turn does itself.
import { test } from 'tap'
import { MIN_SPILL_BYTES, TURN_BYTES, TurnShare } from '../../src/offload/turn-share.js'

const KIB = 1024

function setUp() {
  const resets: (() => void)[] = []
  const share = new TurnShare((reset) => resets.push(reset))
  const endTurn = (): void => {
    for (const reset of resets.splice(0)) reset()
  }
  return { share, resets, endTurn }
}

test('a turn takes bodies up to its share, and the next one begins anew', (t) => {
  const { share, resets, endTurn } = setUp()
  const took = () => Array.from({ length: 5 }, () => share.take(200 * KIB))
  t.same(took(), [true, true, false, false, false])
  t.ok(share.take(TURN_BYTES - 400 * KIB), 'to the last byte')
  t.equal(resets.length, 1, 'asked for once a turn')
  endTurn()
  t.same(took(), [true, true, false, false, false])
  t.end()
})

test('the first of a turn is taken whatever its size, and small ones always', (t) => {
  const { share } = setUp()
  t.ok(share.take(10 * TURN_BYTES))
  t.ok(share.take(MIN_SPILL_BYTES - 1))
  t.notOk(share.take(MIN_SPILL_BYTES))
  t.ok(share.take(0))
  t.end()
})

test('small ones count, so that many of them leave no share to larger ones', (t) => {
  const { share } = setUp()
  for (let i = 0; i < 500; i++) share.take(KIB)
  t.notOk(share.take(MIN_SPILL_BYTES))
  t.end()
})
