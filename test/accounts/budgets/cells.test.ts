// The arithmetic of budgets: whatever event loops do in whatever order, no more is used than the limit, and nothing stays reserved.
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { test } from 'tap'
import { BudgetCells, REFUSED } from '../../../src/accounts/budgets/cells.js'
import { createBudgetMemory } from '../../../src/accounts/budgets/memory.js'
import { FIRST_SEED, type HammerReport, type HammerStart } from '../../helpers/budget-hammer.js'

const WINDOW = 24_000

function setUp(limit: number, spent = 0) {
  const memory = createBudgetMemory(1)
  const cells = new BudgetCells(memory)
  cells.open(0, { epoch: 1, limit, window: WINDOW, spent })
  return { memory, cells }
}

test('reserves until the limit is reached, and refuses at exactly the limit', async (t) => {
  const { cells } = setUp(100)
  t.equal(cells.take(0, WINDOW, 60), WINDOW)
  t.equal(cells.take(0, WINDOW, 41), REFUSED)
  t.equal(cells.take(0, WINDOW, 40), WINDOW)
  t.equal(cells.left(0, WINDOW), 0)
  t.equal(cells.take(0, WINDOW, 1), REFUSED)
  t.equal(cells.settle(0, WINDOW, { held: 60, spent: 10 }), 0)
  t.same(cells.usage(0, WINDOW), { limit: 100, window: WINDOW, spent: 10, reserved: 40 })
  t.equal(cells.settle(0, WINDOW, { held: 40, spent: 95 }), 5, 'beyond the limit: a debt')
  t.equal(cells.left(0, WINDOW), -5)
  t.equal(cells.take(0, WINDOW, 1), REFUSED)
})

test('a new window begins with nothing used; what the old one reserved settles there', async (t) => {
  const { cells } = setUp(100, 70)
  t.equal(cells.take(0, WINDOW, 30), WINDOW)
  t.equal(cells.take(0, WINDOW + 1, 90), WINDOW + 1)
  t.equal(cells.settle(0, WINDOW, { held: 30, spent: 30 }), 0)
  t.same(cells.usage(0, WINDOW + 1), { limit: 100, window: WINDOW + 1, spent: 0, reserved: 90 })
  t.equal(cells.settle(0, WINDOW + 1, { held: 90, spent: 20 }), 0)
  t.same(cells.usage(0, WINDOW + 1), { limit: 100, window: WINDOW + 1, spent: 20, reserved: 0 })
})

test('a clock that goes back does not bring back what was spent, or forget it', async (t) => {
  const { cells } = setUp(100)
  t.equal(cells.take(0, WINDOW + 1, 100), WINDOW + 1)
  t.equal(cells.left(0, WINDOW), 0)
  t.equal(cells.take(0, WINDOW, 1), REFUSED)
  t.equal(cells.usage(0, WINDOW).window, WINDOW + 1)
})

test('a window is not taken for the one of the same bits long before it', async (t) => {
  const { cells } = setUp(100, 90)
  t.equal(cells.take(0, WINDOW, 10), WINDOW)
  for (const later of [1024, 2048, 5 * 1024]) {
    t.equal(cells.left(0, WINDOW + later), 100)
    t.equal(cells.take(0, WINDOW + later, 100), WINDOW + later)
    t.equal(cells.usage(0, WINDOW + later).reserved, 100)
  }
})

test('a refund leaves what is reserved, and never less than nothing', async (t) => {
  const { cells } = setUp(100, 50)
  cells.take(0, WINDOW, 20)
  cells.charge(0, WINDOW, -30)
  t.match(cells.usage(0, WINDOW), { spent: 20, reserved: 20 })
  cells.charge(0, WINDOW, -1000)
  t.match(cells.usage(0, WINDOW), { spent: 0, reserved: 20 })
  cells.charge(0, WINDOW, 7)
  t.match(cells.usage(0, WINDOW), { spent: 7, reserved: 20 })
})

test('a budget that is deleted can no longer be held, and is idle when the last holder has released it', async (t) => {
  const { cells } = setUp(100)
  t.ok(cells.hold(0, 1))
  cells.close(0)
  t.notOk(cells.hold(0, 1))
  t.notOk(cells.isIdle(0))
  cells.release(0)
  t.ok(cells.isIdle(0))
})

type Step =
  | { readonly kind: 'take'; readonly amount: number }
  | { readonly kind: 'extend'; readonly which: number; readonly amount: number }
  | { readonly kind: 'settle'; readonly which: number; readonly share: number }
  | { readonly kind: 'roll' }

const steps = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({ kind: fc.constant('take' as const), amount: fc.integer({ min: 0, max: 80 }) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        ...{ kind: fc.constant('extend' as const), which: fc.nat(9), amount: fc.integer({ min: 1, max: 40 }) },
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        ...{
          kind: fc.constant('settle' as const),
          which: fc.nat(9),
          share: fc.double({ min: 0, max: 1.5, noNaN: true }),
        },
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('roll' as const) }) },
  ),
  { maxLength: 60 },
) satisfies fc.Arbitrary<Step[]>

test('in any order of reserving, extending and settling, used stays within the limit and its debts', async (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 300 }), steps, (limit, all) => {
      const { cells } = setUp(limit)
      const held: { window: number; amount: number }[] = []
      const spent = new Map<number, number>()
      const debts = new Map<number, number>()
      let window = WINDOW
      const settle = (which: number, share: number): void => {
        const [one] = held.splice(which % held.length, 1)
        if (one === undefined) return
        const amount = Math.floor(one.amount * share)
        const debt = cells.settle(0, one.window, { held: one.amount, spent: amount })
        spent.set(one.window, (spent.get(one.window) ?? 0) + amount)
        debts.set(one.window, (debts.get(one.window) ?? 0) + debt)
      }
      for (const step of all) {
        if (step.kind === 'roll') window += 1
        else if (step.kind === 'take') {
          if (cells.left(0, window) <= 0) continue
          const taken = cells.take(0, window, step.amount)
          if (taken !== REFUSED) held.push({ window: taken, amount: step.amount })
        } else if (held.length > 0 && step.kind === 'settle') settle(step.which, step.share)
        else if (held.length > 0 && step.kind === 'extend') {
          const one = held[step.which % held.length]
          if (one?.window === window && cells.take(0, window, step.amount) !== REFUSED) one.amount += step.amount
        }
        const usage = cells.usage(0, window)
        const open = held.filter((one) => one.window === window).reduce((sum, { amount }) => sum + amount, 0)
        if (usage.reserved !== open || usage.spent !== (spent.get(window) ?? 0)) return false
        if (usage.spent + usage.reserved > limit + (debts.get(window) ?? 0)) return false
      }
      while (held.length > 0) settle(0, 1)
      return cells.usage(0, window).reserved === 0
    }),
    { numRuns: 300 },
  )
  t.pass('for all of them')
})

type Call = 'load' | 'compareExchange'

/** Runs `act`; before its n-th call of that kind, `meanwhile` once. False where it makes fewer. */
function interrupt(call: Call, n: number, { act, meanwhile }: { act: () => void; meanwhile: () => void }): boolean {
  const original = Atomics[call] as (...args: unknown[]) => bigint
  let calls = 0
  Reflect.set(Atomics, call, (...args: unknown[]) => {
    calls += 1
    if (calls === n) {
      Reflect.set(Atomics, call, original)
      meanwhile()
    }
    return original(...args)
  })
  try {
    act()
    return calls >= n
  } finally {
    Reflect.set(Atomics, call, original)
  }
}

/** What another event loop may do between any two steps; with what it has reserved at the end. */
const MEANWHILE: Record<string, (cells: BudgetCells) => number> = {
  'settles for as much as it held, and reserves the same again': (cells) => {
    cells.settle(0, WINDOW, { held: 30, spent: 30 })
    return cells.take(0, WINDOW, 30) === REFUSED ? 0 : 30
  },
  'settles for less': (cells) => {
    cells.settle(0, WINDOW, { held: 30, spent: 10 })
    return 0
  },
  'reserves all that is left': (cells) => {
    const left = cells.left(0, WINDOW)
    return cells.take(0, WINDOW, left) === REFUSED ? 30 : 30 + left
  },
}

test('at every step of a reservation, another loop may change anything: no more is used than the limit', async (t) => {
  for (const [what, change] of Object.entries(MEANWHILE)) {
    for (const call of ['load', 'compareExchange'] as const) {
      let wasReached = true
      for (let n = 1; wasReached; n++) {
        const { cells } = setUp(100)
        cells.take(0, WINDOW, 30)
        let theirs = 30
        let taken = REFUSED
        wasReached = interrupt(call, n, {
          act: () => {
            taken = cells.take(0, WINDOW, 50)
          },
          meanwhile: () => {
            theirs = change(cells)
          },
        })
        const { spent, reserved } = cells.usage(0, WINDOW)
        t.ok(spent + reserved <= 100, `${what}, at ${call} ${n}`)
        t.equal(reserved, theirs + (taken === REFUSED ? 0 : 50), `${what}, at ${call} ${n}`)
      }
    }
  }
})

test('a window may end at every step of a reservation or settlement: each window has its own', async (t) => {
  for (const call of ['load', 'compareExchange'] as const) {
    let wasReached = true
    for (let n = 1; wasReached; n++) {
      const { cells } = setUp(100)
      let taken = REFUSED
      const roll = (): void => void cells.take(0, WINDOW + 1, 60)
      wasReached = interrupt(call, n, {
        act: () => {
          taken = cells.take(0, WINDOW, 40)
        },
        meanwhile: roll,
      })
      if (!wasReached) roll()
      cells.settle(0, taken, { held: 40, spent: 40 })
      const usage = cells.usage(0, WINDOW + 1)
      t.match(usage, { window: WINDOW + 1, reserved: 60, spent: taken === WINDOW + 1 ? 40 : 0 }, `${call} ${n}`)
    }
    wasReached = true
    for (let n = 1; wasReached; n++) {
      const { cells } = setUp(100)
      cells.take(0, WINDOW, 40)
      wasReached = interrupt(call, n, {
        act: () => void cells.settle(0, WINDOW, { held: 40, spent: 40 }),
        meanwhile: () => void cells.take(0, WINDOW + 1, 60),
      })
      if (wasReached) t.match(cells.usage(0, WINDOW + 1), { spent: 0, reserved: 60 }, `settled, ${call} ${n}`)
    }
  }
})

const THREADS = 4
const ROUNDS = 20_000
const LIMIT = 400

test('many threads on few cells: never more than the limit, and the sums are those of what was settled', async (t) => {
  const memory = createBudgetMemory(1)
  const cells = new BudgetCells(memory)
  const slots = [0, 1]
  for (const slot of slots) cells.open(slot, { epoch: 1, limit: LIMIT, window: 0, spent: 0 })
  const clock = new SharedArrayBuffer(4)
  const reports = await Promise.all(
    Array.from({ length: THREADS }, (_, i) => {
      const start: HammerStart = { memory, seed: FIRST_SEED + i, rounds: ROUNDS, slots, clock }
      const worker = new Worker(new URL('../../helpers/budget-hammer.js', import.meta.url), { workerData: start })
      return new Promise<HammerReport>((resolve, reject) => {
        worker.once('message', resolve)
        worker.once('error', reject)
      })
    }),
  )
  t.ok(
    reports.every(({ worst }) => worst <= LIMIT),
    'no thread ever saw more',
  )
  t.ok(
    reports.every(({ grants }) => grants > 0),
    'each had its part',
  )
  const last = new Int32Array(clock)[0] ?? 0
  t.ok(last > 5, 'windows have ended')
  for (const slot of slots) {
    const spentIn = (window: number): number =>
      reports.reduce((sum, { spent }) => sum + (spent[`${slot} ${window}`] ?? 0), 0)
    for (let window = 0; window <= last; window++) t.ok(spentIn(window) <= LIMIT, `window ${window}`)
    const usage = cells.usage(slot, last)
    t.match(usage, { reserved: 0, spent: spentIn(usage.window) })
    t.ok(cells.isIdle(slot))
  }
})
