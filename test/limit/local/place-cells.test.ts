// Limits of keys of a database and of their teams, over the directory: exact over event loops, taken all or none, renewed with the
// record, and never inherited by the next key in a place.
import { test } from 'tap'
import { createDirectoryMemory } from '../../../src/accounts/directory/memory.js'
import { DirectoryReader } from '../../../src/accounts/directory/reader.js'
import { DirectoryWriter } from '../../../src/accounts/directory/writer.js'
import { type Account, type AccountTeam, type KeyLimits } from '../../../src/accounts/types.js'
import {
  createLimiter,
  createLimiterCells,
  type LimiterConfig,
  type LimiterPlaces,
} from '../../../src/limit/local/cells.js'
import { createMemoryCells, MemoryBudget } from '../../../src/limit/local/memory-budget.js'
import { createAccountCells, type SharedLimits } from '../../../src/limit/local/place-cells.js'
import { hammerAccount } from '../../helpers/directory-hammer.js'
import { thrownBy } from '../../helpers/thrown.js'

const NO_LIMITS: KeyLimits = { requestsPerMinute: null, tokensPerMinute: null, concurrency: null }
const QUEUE = { max: 10, timeoutMs: 1000 }
const ROOM = 5

function limits(over: Partial<KeyLimits>): KeyLimits {
  return { ...NO_LIMITS, ...over }
}

function teamOf(id: string, over: Partial<KeyLimits>): AccountTeam {
  return { id, name: id, models: ['*'], limits: limits(over) }
}

type Setting = { readonly gateway?: Partial<KeyLimits>; readonly queue?: typeof QUEUE; readonly maxKeys?: number }

/** Two event loops over one directory, beside two keys of the configuration, one of them with limits. */
function setUp({ gateway = {}, queue = QUEUE, maxKeys = 4 }: Setting = {}) {
  const memory = createDirectoryMemory(maxKeys)
  const config: LimiterConfig = {
    limits: { ...limits(gateway), queue },
    keys: [{ limits: limits({ requestsPerMinute: 1, concurrency: 1 }) }, { limits: NO_LIMITS }],
    providers: [],
    models: [],
  }
  const accounts = { firstKey: ROOM, keys: maxKeys, firstTeam: ROOM + maxKeys, teams: memory.maxTeams }
  const room = { keys: ROOM + maxKeys + memory.maxTeams, providers: 0, targets: 0 }
  const places: LimiterPlaces & Pick<SharedLimits['places'], 'accounts'> = {
    keys: [0, 1],
    providers: [],
    targets: [],
    room,
    accounts,
  }
  const limiter = createLimiterCells(config, places)
  const receiving = createMemoryCells(room.keys)
  const writer = new DirectoryWriter(memory, createAccountCells({ limiter, memory: [receiving], places }))
  const rejections: string[] = []
  const clock = { ns: 1_000_000_000n }
  const loops = [0, 1].map(() => {
    const reader = new DirectoryReader(memory)
    const onRejected = (scope: string, kind: string): void => void rejections.push(`${scope} ${kind}`)
    const nowNs = (): bigint => clock.ns
    return { reader, limiter: createLimiter(config, limiter, { places, accounts: reader, nowNs, onRejected }) }
  })
  const put = (k: number, over: Partial<Account> = {}): number => {
    const id = over.id ?? `key_${k}`
    writer.put(hammerAccount(k, 1, { ...over, id }), [])
    return loops[0]?.reader.byId(id)?.index ?? -1
  }
  const [one, two] = loops
  if (one === undefined || two === undefined) throw new Error('two loops')
  const budget = new MemoryBudget(receiving, {
    ...{ use: 'receiving', caps: { maxBytes: 1e6, maxBytesPerKey: 102_400, requestBytes: 1e6 }, keyPlaces: [0, 1] },
    ...{ firstAccount: ROOM, onChange: () => undefined, onRejected: () => undefined },
  })
  return { writer, put, one: one.limiter, two: two.limiter, rejections, budget, clock, reader: one.reader }
}

function waiterOf(keyIndex: number, entered: number[] = []) {
  return { keyIndex, onEntered: () => void entered.push(keyIndex), onRefused: () => undefined }
}

test('a limit of a key holds over all event loops, is renewed with the record, and is shown', (t) => {
  const { put, one, two, rejections, clock } = setUp()
  const index = put(0, { limits: limits({ requestsPerMinute: 3, tokensPerMinute: 100 }) })
  one.takeRequest(index)
  two.takeRequest(index)
  t.match(one.snapshot(index), { requests: { limit: 3, remaining: 1 }, tokens: { limit: 100, remaining: 100 } })
  two.takeRequest(index)
  t.match(
    thrownBy(() => one.takeRequest(index)),
    { code: 'rate_limited', message: /limit of 3 requests .* for this key/ },
  )
  two.reserveTokens(index, 60)
  t.match(
    thrownBy(() => one.reserveTokens(index, 60)),
    { message: /limit of 100 tokens/ },
  )
  two.settleTokens(index, 60, 10)
  one.reserveTokens(index, 60)
  t.match(
    thrownBy(() => one.checkTokens(index, 101)),
    { retryable: false },
  )
  put(0, { limits: limits({ requestsPerMinute: 6000 }) })
  clock.ns += 20_000_000n
  for (const loop of [one, two]) loop.takeRequest(index)
  t.match(one.snapshot(index), { requests: { limit: 6000 }, tokens: null })
  t.same(rejections, ['key requests', 'key tokens', 'key tokens'])
  t.same(one.snapshot(1), { requests: null, tokens: null }, 'keys of the configuration are not touched')
  one.takeRequest(0)
  t.match(
    thrownBy(() => two.takeRequest(0)),
    { message: /limit of 1 requests/ },
  )
  t.end()
})

test('the limits of a key, of its team and of the gateway are taken all or none', (t) => {
  const { put, one, two } = setUp({ gateway: { requestsPerMinute: 4, tokensPerMinute: 500 } })
  const team = teamOf('team_a', { requestsPerMinute: 3, tokensPerMinute: 150 })
  const first = put(0, { team, limits: limits({ requestsPerMinute: 2, tokensPerMinute: 100 }) })
  const second = put(1, { team })
  const other = put(2)
  one.takeRequest(first)
  two.takeRequest(second)
  two.takeRequest(second)
  t.match(
    thrownBy(() => one.takeRequest(first)),
    { message: /limit of 3 requests per minute for the team of this key/ },
  )
  t.equal(one.snapshot(first).requests?.remaining, 1, 'the key has its own back')
  one.takeRequest(other)
  t.match(
    thrownBy(() => one.takeRequest(other)),
    { message: /for this gateway/ },
  )
  one.reserveTokens(first, 100)
  t.match(
    thrownBy(() => two.reserveTokens(second, 51)),
    { message: /tokens per minute for the team/ },
  )
  one.settleTokens(first, 100, 0)
  two.reserveTokens(second, 150)
  t.match(
    thrownBy(() => one.reserveTokens(first, 1)),
    { message: /for the team/ },
  )
  t.equal(one.snapshot(first).tokens?.remaining, 100)
  t.end()
})

test('slots of a team are shared by its keys, and freed however the keys change meanwhile', (t) => {
  const { put, one, two, writer, rejections } = setUp({ queue: { max: 0, timeoutMs: 1000 } })
  const team = teamOf('team_a', { concurrency: 2 })
  const first = put(0, { team })
  const second = put(1, { team, limits: limits({ concurrency: 1 }) })
  t.equal(one.enter(first, waiterOf(first)), true)
  t.equal(two.enter(second, waiterOf(second)), true)
  t.match(
    thrownBy(() => one.enter(second, waiterOf(second))),
    { message: /limit of 1 concurrent requests for this key/ },
  )
  t.match(
    thrownBy(() => two.enter(first, waiterOf(first))),
    { message: /limit of 2 concurrent requests for the team of/ },
  )
  t.match(two.refusal(first), { data: { message: /for the team/ } })
  t.same(rejections, ['key concurrency', 'team concurrency', 'team concurrency'])
  put(0, { team: teamOf('team_b', { concurrency: 1 }) })
  t.equal(two.enter(first, waiterOf(first)), true, 'its new team has a slot')
  writer.remove('key_1')
  two.leave(second)
  one.leave(first)
  put(0, { team })
  t.equal(one.enter(first, waiterOf(first)), true)
  t.equal(one.enter(first, waiterOf(first)), true, 'both slots of the team are free')
  t.throws(() => one.enter(first, waiterOf(first)))
  two.leave(first)
  t.throws(() => one.enter(first, waiterOf(first)), 'that slot was of the other team')
  t.equal(one.active(), 2)
  t.end()
})

test('keys of a database take turns with those of the configuration, on whichever event loop they wait', async (t) => {
  const { put, one, two } = setUp({ gateway: { concurrency: 1 }, maxKeys: 1000 })
  const keys = Array.from({ length: 600 }, (_, k) => put(k))
  const [early = -1, late = -1] = [keys[3], keys[599]]
  const order: number[] = []
  t.equal(one.enter(1, waiterOf(1)), true)
  const waits = [
    ...[early, early, late].map((index) => ({ limiter: one, index })),
    ...[late, 1].map((index) => ({ limiter: two, index })),
  ]
  // Whoever is let in leaves at once.
  const entered = waits.map(
    ({ limiter, index }) =>
      new Promise<void>((resolve, reject) => {
        const onEntered = (): void => {
          order.push(index)
          limiter.leave(index)
          resolve()
        }
        limiter.enter(index, { keyIndex: index, onEntered, onRefused: reject })
      }),
  )
  one.leave(1)
  // The poll for slots that were freed elsewhere keeps no process alive.
  const alive = setInterval(() => undefined, 1000)
  await Promise.all(entered)
  clearInterval(alive)
  t.same(new Set(order.slice(0, 2)), new Set([early, late]), `each once before any other twice: ${order.join()}`)
  t.equal(order[2], 1, 'which was let in first of all')
  t.equal(one.active(), 0)
})

test('a place is given to another key when nothing of the former one runs, waits or is held, and with full buckets', (t) => {
  const { put, one, two, writer, budget, reader } = setUp({ maxKeys: 1, queue: { max: 10, timeoutMs: 60_000 } })
  const own = { limits: limits({ requestsPerMinute: 2, tokensPerMinute: 10, concurrency: 1 }) }
  const first = put(0, own)
  one.takeRequest(first)
  one.takeRequest(first)
  one.reserveTokens(first, 10)
  t.equal(one.enter(first, waiterOf(first)), true)
  const waiter = waiterOf(first)
  t.equal(two.enter(first, waiter), false)
  const reservation = budget.open(first)
  t.equal(reservation.grow(5000), null)
  writer.remove('key_0')
  const takesNone = (what: string): void => {
    t.match(
      thrownBy(() => put(1, { id: 'key_new', ...own })),
      { code: 'storage_full', message: /still running/ },
      what,
    )
  }
  takesNone('it runs')
  one.settleTokens(first, 10, 3)
  one.leave(first)
  takesNone('it waits')
  two.cancel(waiter)
  takesNone('its memory is held')
  reservation.release()
  const second = put(1, { id: 'key_new', ...own })
  t.not(second, first)
  t.match(one.snapshot(second), { requests: { remaining: 2 }, tokens: { remaining: 10 } })
  t.equal(reader.byIndex(first), null)
  one.settleTokens(first, 0, 1000)
  t.match(
    two.snapshot(second),
    { tokens: { remaining: 10 } },
    'what comes late for the former one is not charged to it',
  )
  t.equal(two.enter(second, waiterOf(second)), true)
  t.end()
})

test('the memory of keys of a database is counted by key', (t) => {
  const { put, budget } = setUp()
  const [first, second] = [put(0), put(1)]
  t.equal(budget.open(first).grow(100_000), null)
  t.match(budget.open(first).grow(10_000), { data: { code: 'rate_limited' } })
  t.equal(budget.open(second).grow(100_000), null)
  t.equal(budget.heldBytes(), 2 * 98 * 1024)
  t.end()
})
