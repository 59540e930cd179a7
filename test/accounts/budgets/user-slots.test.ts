// Who has which cells of a budget that holds for each end user apart.
import { test } from 'tap'
import { BudgetCells } from '../../../src/accounts/budgets/cells.js'
import { type BudgetMemory, createBudgetMemory, USER_ENTRY, USER_STATE } from '../../../src/accounts/budgets/memory.js'
import { digestOfUser, partsOfBudgetId, UserSlots, userBudgetId } from '../../../src/accounts/budgets/user-slots.js'
import { windowAt } from '../../../src/accounts/budgets/windows.js'
import { NOON } from '../../helpers/budget-rig.js'

const DAY_MS = 86_400_000
const [ANNA, BEN, CLEO, DORA] = ['anna', 'ben', 'cleo', 'dora'].map(digestOfUser) as [string, string, string, string]

/** Counts what is looked at while the lock of the users is held. */
class WatchedCells extends BudgetCells {
  /** The most at one time. */
  mostLocked = 0
  total = 0
  readonly #state: Int32Array
  #locked = 0

  constructor(memory: BudgetMemory) {
    super(memory)
    this.#state = new Int32Array(memory.users.state)
  }

  override windowOf(slot: number): number {
    this.#note()
    return super.windowOf(slot)
  }

  override epochOf(slot: number): number {
    this.#note()
    return super.epochOf(slot)
  }

  #note(): void {
    this.total += 1
    this.#locked = this.#state[USER_STATE.lock] === 1 ? this.#locked + 1 : 0
    this.mostLocked = Math.max(this.mostLocked, this.#locked)
  }
}

/** The number of entries in the longest chain. */
function longestChain({ users: { heads, entries } }: BudgetMemory): number {
  const next = new Int32Array(entries)
  const lengths = [...new Int32Array(heads)].map((head) => {
    let length = 0
    for (let at = head; at !== 0; at = next[(at - 1) * USER_ENTRY.words + USER_ENTRY.next] ?? 0) length += 1
    return length
  })
  return Math.max(...lengths)
}

/** Memory for so many users, and a budget of 100 in slot 0. */
function setUp(room = 16, maxUsers = 100) {
  const clock = { nowMs: NOON }
  const memory = createBudgetMemory(10, null, room)
  const cells = new WatchedCells(memory)
  const budget = { slot: 0, epoch: 7, per: 'day' } as const
  const window = () => windowAt('day', clock.nowMs)
  cells.open(0, { epoch: 7, limit: 100, window: window(), spent: 0 })
  const loop = () => new UserSlots(memory, cells, () => clock.nowMs, maxUsers)
  return { clock, memory, cells, budget, window, loop, users: loop() }
}

test('each user has cells of its own, the same on every loop, with the limit of the budget', (t) => {
  const { cells, budget, window, users, loop, memory } = setUp()
  const anna = users.of(budget, ANNA)
  const ben = users.of(budget, BEN)
  t.ok(anna !== null && ben !== null && anna.slot >= memory.maxBudgets)
  if (anna === null || ben === null) return t.end()
  t.same(loop().of(budget, ANNA), anna)
  t.not(ben.slot, anna.slot)
  t.ok(cells.hold(anna.slot, anna.epoch))
  t.ok(cells.take(anna.slot, window(), 100) >= 0)
  t.equal(cells.take(anna.slot, window(), 1), -1)
  t.ok(cells.take(ben.slot, window(), 60) >= 0, 'what one has used leaves the others theirs')
  cells.setLimit(0, 50)
  t.equal(cells.left(ben.slot, window()), -10, 'a change of the budget holds for all of them')
  t.same([...users.placesOf(budget)].sort(), [anna.slot, ben.slot].sort())
  t.same(users.peek(budget, BEN), ben)
  t.equal(users.peek(budget, CLEO), null)
  t.equal(users.of({ ...budget, epoch: 8 }, ANNA)?.slot === anna.slot, false, 'of another budget')
  t.end()
})

test('further users than a budget tells apart have none; in the next window others are the first', (t) => {
  const { clock, budget, users } = setUp(16, 2)
  const [anna] = [users.of(budget, ANNA), users.of(budget, BEN)]
  t.equal(users.of(budget, CLEO), null)
  t.same(users.of(budget, ANNA), anna, 'those who were there stay')
  clock.nowMs += DAY_MS
  t.ok(users.of(budget, CLEO))
  t.equal(users.peek(budget, ANNA), null)
  t.same(users.of(budget, ANNA), anna)
  t.equal(users.of(budget, BEN), null)
  t.end()
})

test('cells of a window that is over go to others when there are no new ones, unless something is held in them', (t) => {
  const { clock, cells, budget, users, window } = setUp(2)
  const [anna, ben] = [users.of(budget, ANNA), users.of(budget, BEN)]
  if (anna === null || ben === null) throw new Error('no room')
  t.equal(users.of(budget, CLEO), null, 'no room at present')
  cells.hold(ben.slot, ben.epoch)
  cells.take(ben.slot, window(), 5)
  clock.nowMs += DAY_MS
  const cleo = users.of(budget, CLEO)
  t.equal(cleo?.slot, anna.slot)
  t.equal(cells.hold(anna.slot, anna.epoch), false, 'they are no longer those of the first')
  t.equal(users.of(budget, DORA), null)
  t.same(users.of(budget, BEN), ben, 'what is held keeps its cells')
  t.equal(cells.left(ben.slot, window()), 100)
  cells.release(ben.slot)
  clock.nowMs += DAY_MS
  t.ok(users.of(budget, DORA))
  t.ok(users.of(budget, ANNA), 'and what was freed is found again')
  t.end()
})

test('the cells of users of a budget that was deleted go to others', (t) => {
  const { cells, budget, users } = setUp(1)
  const anna = users.of(budget, ANNA)
  cells.close(0)
  cells.open(0, { epoch: 9, limit: 5, window: 0, spent: 0 })
  const next = users.of({ ...budget, epoch: 9 }, ANNA)
  t.equal(next?.slot, anna?.slot)
  t.not(next?.epoch, anna?.epoch)
  t.end()
})

test('a chain stays whole, whichever of its users go', (t) => {
  const { clock, memory, budget, loop, cells } = setUp(4)
  // Without a seed all are in one chain.
  new Int32Array(memory.users.state).fill(0, USER_STATE.seed)
  const users = loop()
  const digestOf = (n: number): string => digestOfUser(`user ${n}`)
  const slots = [0, 1, 2, 3].map((n) => users.of(budget, digestOf(n)))
  t.equal(longestChain(memory), 4)
  for (const n of [0, 2]) cells.hold(slots[n]?.slot ?? 0, slots[n]?.epoch ?? 0)
  clock.nowMs += DAY_MS
  t.ok(users.of(budget, digestOf(4)))
  t.ok(users.of(budget, digestOf(5)))
  t.equal(users.of(budget, digestOf(6)), null)
  for (const n of [0, 2]) t.same(users.of(budget, digestOf(n)), slots[n])
  t.end()
})

test('names that are chosen for it make no long chain, and all loops find the same cells', (t) => {
  const { memory, budget, users, loop } = setUp(256, 1000)
  // As many names as there are chains, all with digests that begin with a zero byte.
  const names = Array.from({ length: 100_000 }, (_, n) => digestOfUser(`user ${n}`))
  const chosen = names.filter((name) => Buffer.from(name, 'base64url')[0] === 0).slice(0, 256)
  const places = chosen.map((name) => users.of(budget, name))
  t.equal(new Set(places.map((place) => place?.slot)).size, 256)
  t.ok(longestChain(memory) < 20, `the longest chain has ${longestChain(memory)}`)
  const other = loop()
  t.same(
    chosen.map((name) => other.of(budget, name)),
    places,
  )
  t.notSame(
    new Int32Array(setUp().memory.users.state).slice(USER_STATE.seed),
    new Int32Array(memory.users.state).slice(USER_STATE.seed),
  )
  t.end()
})

test('the search for cells of a window that is over does not hold the lock, and goes on where the last one ended', (t) => {
  const { clock, cells, budget, users, window } = setUp(2000, 5000)
  const places = Array.from({ length: 2000 }, (_, n) => users.of(budget, digestOfUser(`user ${n}`)))
  cells.mostLocked = 0
  cells.total = 0
  t.equal(users.of(budget, ANNA), null, 'all are in use')
  t.ok(cells.total > 500 && cells.total < 1100, `it has looked ${cells.total} times`)
  t.ok(cells.mostLocked <= 8, `${cells.mostLocked} times with the lock`)
  // All but the last are used in the next window as well.
  clock.nowMs += DAY_MS
  for (const place of places.slice(0, -1)) cells.take(place?.slot ?? 0, window(), 1)
  const found = [0, 1, 2].map((n) => users.of(budget, digestOfUser(`new ${n}`)))
  t.same(
    found.map((place) => place?.slot ?? null),
    [null, null, places[1999]?.slot],
  )
  t.ok(cells.mostLocked <= 8, `${cells.mostLocked} times with the lock`)
  t.end()
})

test('what the database knows of a user stands in its cells from the beginning', (t) => {
  const { cells, budget, users, window } = setUp(2, 1)
  t.ok(users.seed(budget, ANNA, 40))
  t.equal(users.seed(budget, BEN, 30), false)
  t.equal(cells.left(users.of(budget, ANNA)?.slot ?? 0, window()), 60)
  t.end()
})

test('the id of a part of a budget names the budget and the user, and no name of a user', (t) => {
  t.match(ANNA, /^[\w-]{22}$/)
  t.same(partsOfBudgetId(userBudgetId('budget_x', ANNA)), { budgetId: 'budget_x', digest: ANNA })
  t.same(partsOfBudgetId('budget_x'), { budgetId: 'budget_x', digest: null })
  t.end()
})
