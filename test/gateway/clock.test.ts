// The clock of a gateway: one time for all that one turn brings, and a later one for the next.
import { setImmediate as nextTurn } from 'node:timers/promises'
import { test } from 'tap'
import { CLOCK } from '../../src/gateway/clock.js'

test('a turn has one time; the next turn has its own, never an earlier one', async (t) => {
  const first = CLOCK.nowMs()
  const until = performance.now() + 2
  while (performance.now() < until);
  t.equal(CLOCK.nowMs(), first, 'the same, though two milliseconds went by')
  await nextTurn()
  t.ok(CLOCK.nowMs() >= first + 2)
})

test('wall clock seconds are whole, chance lies between 0 and 1', async (t) => {
  t.equal(CLOCK.unixSec(), Math.floor(CLOCK.unixSec()))
  t.ok(Math.abs(CLOCK.unixSec() - Date.now() / 1000) < 2)
  const chance = CLOCK.random()
  t.ok(chance >= 0 && chance < 1)
})
