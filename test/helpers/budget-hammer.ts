// One event loop of many that reserve in the same cells, in a thread of its own: it reserves, extends and settles at random, and reports
// what it has spent in each window.
import { parentPort, workerData } from 'node:worker_threads'
import { BudgetCells, REFUSED } from '../../src/accounts/budgets/cells.js'
import { type BudgetMemory } from '../../src/accounts/budgets/memory.js'
import { Random } from './random.js'

export type HammerStart = {
  readonly memory: BudgetMemory
  readonly seed: number
  readonly rounds: number
  /** Of the cells that all threads use. */
  readonly slots: readonly number[]
  /** One Int32: the window of the clock, which the threads move together. */
  readonly clock: SharedArrayBuffer
}

/** What was granted and spent by one thread, by window; `worst`: the most that it ever saw used. */
export type HammerReport = { readonly spent: Record<string, number>; readonly worst: number; readonly grants: number }

/** The thread with this one moves the clock. */
export const FIRST_SEED = 1
const MAX_AMOUNT = 50
const MAX_OPEN = 8

function hammer({ memory, seed, rounds, slots, clock }: HammerStart): HammerReport {
  const cells = new BudgetCells(memory)
  const random = new Random(seed)
  const upTo = (n: number): number => Math.floor(random.below(n))
  const clockCell = new Int32Array(clock)
  const open: { slot: number; window: number; held: number }[] = []
  const spent: Record<string, number> = {}
  let grants = 0
  let worst = 0
  // Longer where others have held everything while they waited for the processor: they end, and give it back.
  for (let i = 0; i < rounds || grants === 0; i++) {
    // One that is last finds everything spent, and nobody else who would begin the next window.
    if ((seed === FIRST_SEED || i >= rounds) && i % 997 === 0) Atomics.add(clockCell, 0, 1)
    const window = Atomics.load(clockCell, 0)
    const slot = slots[upTo(slots.length)] ?? 0
    if (open.length < MAX_OPEN && random.below(1) < 0.6) {
      const held = 1 + upTo(MAX_AMOUNT)
      cells.hold(slot, 1)
      const taken = cells.take(slot, window, held)
      if (taken === REFUSED) cells.release(slot)
      else {
        open.push({ slot, window: taken, held })
        grants += 1
      }
    } else settleOne()
    const { spent: seen, reserved } = cells.usage(slot, window)
    worst = Math.max(worst, seen + reserved)
  }
  while (open.length > 0) settleOne()
  return { spent, worst, grants }

  function settleOne(): void {
    const [one] = open.splice(upTo(open.length), 1)
    if (one === undefined) return
    const amount = upTo(one.held + 1)
    cells.settle(one.slot, one.window, { held: one.held, spent: amount })
    cells.release(one.slot)
    const place = `${one.slot} ${one.window}`
    spent[place] = (spent[place] ?? 0) + amount
  }
}

if (parentPort !== null && (workerData as HammerStart | null)?.clock !== undefined) {
  parentPort.postMessage(hammer(workerData as HammerStart))
}
