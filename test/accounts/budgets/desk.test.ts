// What attempts reserve and spend: of all budgets that hold for a request, or of none.
import { test } from 'tap'
import { type DeskOptions } from '../../../src/accounts/budgets/desk.js'
import { windowAt, windowStartMs } from '../../../src/accounts/budgets/windows.js'
import { type Charge } from '../../../src/accounts/types.js'
import { amount, BudgetRig, budget, NOON, reserved } from '../../helpers/budget-rig.js'

const DAY_MS = 86_400_000

test('where no budget exists, or none that holds, nothing has to be reserved', async (t) => {
  const rig = new BudgetRig()
  const loop = rig.loop()
  const spender = { owner: 'key_0', accountIndex: 0, model: 'fast', user: null }
  rig.account()
  t.equal(loop.budgetsOf(spender), null)
  rig.writer.put(budget('blue', 100, { kind: 'team', subject: 'team_blue' }))
  t.equal(loop.budgetsOf(spender), null)
})

test('a request falls under the budgets of its key, its team, its tags, its model and the gateway', async (t) => {
  const rig = new BudgetRig()
  const team = { id: 'team_blue', name: 'blue', models: ['*'], limits: rig.account().limits }
  rig.account({ team, tags: ['batch', 'night'] })
  const loop = rig.loop()
  rig.writer.put(budget('key', 1000, { kind: 'key', subject: 'key_1' }))
  rig.writer.put(budget('other', 1000, { kind: 'key', subject: 'key_0' }))
  rig.writer.put(budget('team', 1000, { kind: 'team', subject: 'team_blue' }))
  rig.writer.put(budget('tag', 1000, { kind: 'tag', subject: 'night' }))
  rig.writer.put(budget('model', 1000, { kind: 'model', subject: 'gpt*' }))
  rig.writer.put(budget('all', 1000))
  reserved(rig.setOf(loop, 1, 'gpt-5'), amount(1), amount(10))
  for (const name of ['key', 'team', 'tag', 'model', 'all']) t.same(rig.usage(name), { spent: 0, reserved: 10 }, name)
  t.same(rig.usage('other'), { spent: 0, reserved: 0 })
  reserved(rig.setOf(loop, 1, 'claude'), amount(1), amount(5))
  t.same(rig.usage('model'), { spent: 0, reserved: 10 })
  reserved(rig.setOf(loop, -1, 'gpt-5'), amount(1), amount(1))
  t.same(rig.usage('key'), { spent: 0, reserved: 15 }, 'a key of the file has none of its own')
  t.same([rig.usage('model').reserved, rig.usage('all').reserved], [11, 16])
})

test('the same amount is reserved in all of them: as much as the one with the least has left', async (t) => {
  const rig = new BudgetRig()
  const loop = rig.loop()
  rig.writer.put(budget('small', 100))
  rig.writer.put(budget('large', 1000, { per: 'month' }))
  rig.writer.put(budget('words', 50, { unit: 'tokens' }))
  const set = rig.setOf(loop)
  t.equal(set.countsMoney, true)
  const held = reserved(set, amount(10, 5), amount(300, 40))
  t.same(held.held, amount(100, 40))
  for (const name of ['small', 'large']) t.equal(rig.usage(name).reserved, 100, name)
  t.equal(rig.usage('words').reserved, 40)
  t.same(set.reserve(amount(1, 1), amount(1, 1)), {
    ...{ refused: true, budget: 'small', isUnavailable: false },
    resetsAtMs: Date.parse('2026-11-30T00:00:00Z'),
  })
  t.same(rig.refusals, ['gateway'])
  held.settle(amount(30, 50))
  held.settle(amount(30, 50))
  t.same(rig.usage('small'), { spent: 30, reserved: 0 }, 'once')
  t.same(rig.usage('large'), { spent: 30, reserved: 0 })
  t.same(rig.usage('words'), { spent: 50, reserved: 0 })
  t.match(set.reserve(amount(1), amount(1)), { refused: true, budget: 'words' }, 'spent to the last: nothing is left')
})

test('a refusal leaves nothing reserved anywhere', async (t) => {
  const rig = new BudgetRig()
  const loop = rig.loop()
  rig.writer.put(budget('first', 1000))
  rig.writer.put(budget('second', 20))
  const set = rig.setOf(loop)
  t.match(set.reserve(amount(21), amount(500)), { refused: true, budget: 'second' })
  t.same(
    [rig.usage('first'), rig.usage('second')],
    [
      { spent: 0, reserved: 0 },
      { spent: 0, reserved: 0 },
    ],
  )
})

test('what another loop takes between the look and the reservation is not taken twice', async (t) => {
  const rig = new BudgetRig()
  rig.writer.put(budget('first', 1000))
  rig.writer.put(budget('second', 100))
  const [mine, theirs] = [rig.setOf(rig.loop()), rig.setOf(rig.loop())]
  const original = Atomics.compareExchange
  let isTaken = false
  Reflect.set(Atomics, 'compareExchange', (...args: unknown[]) => {
    if (!isTaken) {
      isTaken = true
      reserved(theirs, amount(70), amount(70))
    }
    return (original as (...given: unknown[]) => bigint)(...args)
  })
  t.teardown(() => Reflect.set(Atomics, 'compareExchange', original))
  const held = reserved(mine, amount(10), amount(90))
  Reflect.set(Atomics, 'compareExchange', original)
  t.same(held.held, amount(30))
  t.equal(rig.usage('first').reserved, 100)
  t.equal(rig.usage('second').reserved, 100)
})

test('a reservation is extended as far as all budgets have something left', async (t) => {
  const rig = new BudgetRig()
  rig.writer.put(budget('money', 100))
  rig.writer.put(budget('words', 10, { unit: 'tokens' }))
  const set = rig.setOf(rig.loop())
  const held = reserved(set, amount(10, 10), amount(40, 10))
  t.equal(held.extend(amount(30)), true, 'no tokens are asked for, of which there are none')
  t.same(held.held, amount(70, 10))
  t.equal(held.extend(amount(100)), true)
  t.same(held.held, amount(100, 10))
  t.equal(held.extend(amount(1)), false)
  held.settle(amount(130, 10))
  t.same(rig.usage('money'), { spent: 130, reserved: 0 })
  t.equal(rig.debt, 30, 'beyond the budget')
  t.equal(held.extend(amount(1)), false)
})

test('a cost belongs to the window of its reservation; what was added in the next one belongs there', async (t) => {
  const settled: Charge[] = []
  const ledger: DeskOptions['ledger'] = {
    open: () => ({ segment: null, n: 1 }) as never,
    extend: () => undefined,
    settle: (_entry, charges) => void settled.push(...charges),
  }
  const rig = new BudgetRig()
  rig.writer.put(budget('day', 100))
  const set = rig.setOf(rig.loop(ledger))
  const late = reserved(set, amount(10), amount(40))
  const long = reserved(set, amount(10), amount(20))
  rig.nowMs += DAY_MS
  t.equal(long.extend(amount(25)), true)
  t.same(rig.usage('day'), { spent: 0, reserved: 25 })
  late.settle(amount(35))
  t.same(rig.usage('day'), { spent: 0, reserved: 25 }, 'the new window knows nothing of it')
  long.settle(amount(50))
  t.same(rig.usage('day'), { spent: 30, reserved: 0 })
  const today = windowStartMs('day', windowAt('day', NOON))
  const charged = settled.map(({ windowStartMs: startMs, nano }) => [startMs - today, nano])
  t.same(charged, [
    [0, 35],
    [0, 20],
    [DAY_MS, 30],
  ])
})

test('a clock that goes back over the border of a window gives nothing back, and what is spent then is written to the later window', async (t) => {
  const settled: Charge[] = []
  const ledger: DeskOptions['ledger'] = {
    open: () => ({ segment: null, n: 1 }) as never,
    extend: () => undefined,
    settle: (_entry, charges) => void settled.push(...charges),
  }
  const rig = new BudgetRig()
  rig.writer.put(budget('day', 100))
  const set = rig.setOf(rig.loop(ledger))
  reserved(set, amount(10), amount(90)).settle(amount(90))
  rig.nowMs += DAY_MS
  const open = reserved(set, amount(10), amount(40))
  reserved(set, amount(10), amount(50)).settle(amount(50))
  rig.nowMs -= DAY_MS
  t.same(rig.usage('day'), { spent: 50, reserved: 40 }, 'the day that had begun goes on')
  const late = reserved(set, amount(10), amount(40))
  t.same(late.held, amount(10), 'all that is left of it')
  t.match(set.reserve(amount(1), amount(1)), { refused: true, isUnavailable: false })
  late.settle(amount(10))
  open.settle(amount(40))
  rig.nowMs += DAY_MS
  t.same(rig.usage('day'), { spent: 100, reserved: 0 })
  const today = windowStartMs('day', windowAt('day', NOON))
  t.same(
    settled.map(({ windowStartMs: startMs, nano }) => [startMs - today, nano]),
    [
      [0, 90],
      [DAY_MS, 50],
      [DAY_MS, 10],
      [DAY_MS, 40],
    ],
  )
})

test('a budget holds for the next reservation of every loop as soon as it is created, changed or deleted', async (t) => {
  const rig = new BudgetRig()
  const loops = [rig.loop(), rig.loop()]
  rig.writer.put(budget('a', 100))
  const sets = loops.map((loop) => rig.setOf(loop))
  const [first, second] = sets
  if (first === undefined || second === undefined) throw new Error('two loops')
  reserved(first, amount(60), amount(60))
  rig.writer.put(budget('a', 50))
  t.match(second.reserve(amount(1), amount(1)), { refused: true })
  rig.writer.put(budget('a', 70))
  const held = reserved(second, amount(1), amount(100))
  t.same(held.held, amount(10))
  rig.writer.remove('budget_a')
  t.same(reserved(second, amount(1), amount(1000)).held, amount(1000), 'it holds no more')
  held.settle(amount(10))
  for (const loop of loops) t.equal(loop.budgetsOf({ owner: null, accountIndex: -1, model: 'x', user: null }), null)
})

test('what cannot be written down says so, and is given back', async (t) => {
  const rig = new BudgetRig()
  rig.writer.put(budget('a', 100))
  const open = () => ({ written: Promise.resolve(false) }) as never
  const held = reserved(
    rig.setOf(rig.loop({ open, extend: () => undefined, settle: () => undefined })),
    amount(1),
    amount(1),
  )
  t.equal(await held.written, false)
  held.settle(amount(0))
  t.same(rig.usage('a'), { spent: 0, reserved: 0 })
  rig.writer.remove('budget_a')
  t.same(rig.refusals, [], 'it is no refusal by the budget')
})

test('amounts that are no whole numbers are rounded up, and those that are no numbers count nothing', async (t) => {
  const rig = new BudgetRig()
  rig.writer.put(budget('a', 100))
  const set = rig.setOf(rig.loop())
  const held = reserved(set, amount(0.5), amount(1.2))
  t.same(held.held, amount(2))
  held.settle(amount(Number.NaN))
  t.same(rig.usage('a'), { spent: 0, reserved: 0 })
})

test('the holder of a key sees what is used of its own budgets as it is now', async (t) => {
  const rig = new BudgetRig()
  rig.account()
  const loop = rig.loop()
  t.same(loop.usageOf('key_0'), [])
  rig.writer.put(budget('own', 100, { kind: 'key', subject: 'key_0', spent: 20 }))
  rig.writer.put(budget('other', 100, { kind: 'key', subject: 'key_1', spent: 30 }))
  rig.writer.put(budget('all', 1000))
  const held = reserved(rig.setOf(loop, 0), amount(1), amount(10))
  const own = { name: 'own', per: 'day', unit: 'usd', limit: 100 }
  const resetsAtMs = Date.parse('2026-11-30T00:00:00Z')
  t.same(loop.usageOf('key_0'), [{ ...own, spent: 20, reserved: 10, resetsAtMs }])
  held.settle(amount(5))
  t.same(loop.usageOf('key_0'), [{ ...own, spent: 25, reserved: 0, resetsAtMs }])
  rig.writer.remove('budget_own')
  t.same(loop.usageOf('key_0'), [])
})

test('a budget of end users holds for each of them apart, and only where the request names one', async (t) => {
  const rig = new BudgetRig()
  rig.account({ team: { id: 'team_blue', name: 'blue', models: ['*'], limits: rig.account().limits } })
  const charges: Charge[] = []
  const ledger: DeskOptions['ledger'] = {
    open: (all) => {
      charges.push(...all.map((each) => ({ ...each })))
      return { segment: null, n: 0 } as never
    },
    extend: () => undefined,
    settle: () => undefined,
  }
  const [loop, second] = [rig.loop(ledger), rig.loop()]
  rig.writer.put(budget('all', 100, { kind: 'user' }))
  rig.writer.put(budget('team', 1000, { kind: 'user', subject: 'team_blue' }))
  rig.writer.put(budget('key', 70, { kind: 'user', subject: 'key_0' }))
  const setOf = (desk: typeof loop, user: string | null, index = 1) =>
    desk.budgetsOf({ owner: rig.accounts[index]?.id ?? null, accountIndex: index, model: 'fast', user })
  t.equal(setOf(loop, null), null)
  const anna = setOf(loop, 'anna')
  if (anna === null) throw new Error('no budget holds')
  const held = reserved(anna, amount(10), amount(80))
  t.match(charges, [{ budgetId: /^budget_all\/[\w-]{22}$/ }, { budgetId: /^budget_team\/[\w-]{22}$/ }])
  t.match(setOf(second, 'anna')?.reserve(amount(30), amount(30)), { refused: true, budget: 'all' })
  t.same(rig.refusals, ['user'])
  t.match(setOf(second, 'ben')?.reserve(amount(100), amount(100)), { held: amount(100) })
  t.match(setOf(second, 'cleo', 0)?.reserve(amount(10), amount(100)), { held: amount(70) }, 'of another key')
  t.equal(held.extend(amount(50)), true)
  t.same(held.held, amount(100), 'as much as is left')
  held.settle(amount(120))
  t.equal(rig.debt, 20, 'of the one budget that had no more')
  t.same(rig.writer.usage('budget_all')?.spent, 120)
  rig.nowMs += DAY_MS
  t.match(anna.reserve(amount(10), amount(50)), { held: amount(50) }, 'the same set in the next window')
  rig.writer.remove('budget_all')
  t.match(anna.reserve(amount(10), amount(500)), { held: amount(500) }, 'a deleted budget holds for nobody')
})

test('where the gateway is configured so that it cannot hold budgets, whatever falls under one is refused for good', (t) => {
  const rig = new BudgetRig()
  rig.writer.holdNone()
  const loop = rig.loop()
  const spender = { owner: 'key_0', accountIndex: 0, model: 'fast', user: 'anna' }
  rig.account()
  t.equal(loop.budgetsOf(spender), null)
  rig.writer.put(budget('each', 100, { kind: 'user', subject: 'key_0' }))
  const refusal = { refused: true, isUnavailable: true, isLasting: true, resetsAtMs: null }
  t.match(loop.budgetsOf(spender)?.reserve(amount(1), amount(1)), { ...refusal, budget: 'each' })
  t.equal(loop.budgetsOf({ ...spender, user: null }), null)
  rig.writer.put(budget('all', 100))
  t.match(loop.budgetsOf({ ...spender, user: null })?.reserve(amount(1), amount(1)), { ...refusal, budget: 'all' })
  t.same(rig.usage('all'), { spent: 0, reserved: 0 })
  t.end()
})
