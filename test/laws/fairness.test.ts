// One key cannot starve the others: turns and places of the real limiter, on one event loop and on several, by order and by a
// clock that the test moves.
import { test } from 'tap'
import { type LocalLimiter } from '../../src/limit/limiter.js'
import { createLimiter, createLimiterCells } from '../../src/limit/local/cells.js'
import { limiterConfig, ManualClock, RecordingWaiter, refusalOf, type Setup } from '../helpers/limiter-setup.js'
import { Random } from '../helpers/random.js'

const A = 0
const B = 1

function setUp(setup: Setup, loops = 1) {
  const config = limiterConfig(setup)
  const cells = createLimiterCells(config)
  const clock = new ManualClock()
  const limiters = Array.from({ length: loops }, () => createLimiter(config, cells, { nowNs: clock.nowNs }))
  const calls: string[] = []
  const waiter = (name: string, keyIndex: number) => new RecordingWaiter(name, keyIndex, calls)
  const alive = setInterval(() => {}, 1000)
  return { limiters, clock, calls, waiter, stop: () => clearInterval(alive) }
}

function first<T>(list: readonly T[]): T {
  const [head] = list
  if (head === undefined) throw new Error('an empty list')
  return head
}

const settled = () => new Promise<void>((resolve) => setImmediate(resolve))

test('with 24 slow requests of A on 4 slots, the first of B waits for one of them to end', async (t) => {
  const { limiters, calls, waiter, stop } = setUp({
    gateway: { concurrency: 4 },
    keys: [{}, {}],
    queue: { max: 20, timeoutMs: 60_000 },
  })
  t.teardown(stop)
  const limiter = first(limiters)
  for (let i = 1; i <= 24; i++) limiter.enter(A, waiter(`A${i}`, A))
  t.equal(limiter.refusal(B), null, 'there is a place for it')
  t.equal(limiter.enter(B, waiter('B1', B)), false)
  t.same(calls, ['A24 rate_limited'], 'the newest of A, whose share of the line is smaller now')
  limiter.leave(A)
  await settled()
  t.same(calls.slice(1), ['B1 entered'])
  for (const [name, enters] of [
    ['B2', false],
    ['B3', false],
  ] as const) {
    t.equal(limiter.enter(B, waiter(name, B)), enters)
  }
  for (let i = 0; i < 4; i++) {
    limiter.leave(A)
    await settled()
  }
  t.same(calls.filter((call) => call.endsWith('entered')).slice(1), [
    'A5 entered',
    'B2 entered',
    'A6 entered',
    'B3 entered',
  ])
})

test('a key of concurrency 1 with 60 requests leaves the line to others, and answers for itself', async (t) => {
  const { limiters, calls, waiter, stop } = setUp({
    gateway: { concurrency: 8 },
    keys: [{ concurrency: 1 }, { concurrency: 1 }, {}],
    queue: { max: 20, timeoutMs: 60_000 },
  })
  t.teardown(stop)
  const limiter = first(limiters)
  let refused = 0
  for (let i = 1; i <= 60; i++) {
    const refusal = refusalOf(() => limiter.enter(A, waiter(`A${i}`, A)))
    if (refusal === null) continue
    refused += 1
    t.match(refusal, { status: 429, message: /limit of 1 concurrent requests for this key/ })
  }
  t.equal(refused, 39)
  t.equal(limiter.enter(B, waiter('B1', B)), true)
  t.equal(limiter.enter(B, waiter('B2', B)), false, 'which waits for its own first')
  t.equal(limiter.enter(2, waiter('C1', 2)), true)
  limiter.leave(B)
  await settled()
  t.same(calls, ['A21 rate_limited', 'B2 entered'])
})

test('a line full of other keys is the gateway’s fault, whatever the newcomer’s own cap', (t) => {
  const { limiters, waiter, stop } = setUp({
    gateway: { concurrency: 2 },
    keys: [{}, {}, { concurrency: 1 }],
    queue: { max: 2, timeoutMs: 60_000 },
  })
  t.teardown(stop)
  const limiter = first(limiters)
  limiter.enter(2, waiter('C1', 2))
  limiter.enter(A, waiter('A1', A))
  limiter.enter(A, waiter('A2', A))
  limiter.enter(B, waiter('B1', B))
  t.match(
    refusalOf(() => limiter.enter(2, waiter('C2', 2))),
    { status: 503 },
  )
  t.match(
    refusalOf(() => limiter.enter(A, waiter('A3', A))),
    { status: 429, message: /its share/ },
  )
  t.match(limiter.refusal(2)?.data, { status: 503 })
  t.end()
})

test('a waiter that leaves frees its place and its turn', async (t) => {
  const { limiters, calls, waiter, stop } = setUp({
    gateway: { concurrency: 1 },
    keys: [{}, {}],
    queue: { max: 2, timeoutMs: 60_000 },
  })
  t.teardown(stop)
  const limiter = first(limiters)
  limiter.enter(A, waiter('A1', A))
  limiter.enter(A, waiter('A2', A))
  const leaving = waiter('B1', B)
  limiter.enter(B, leaving)
  limiter.cancel(leaving)
  t.equal(limiter.enter(A, waiter('A3', A)), false, 'its place')
  limiter.leave(A)
  await settled()
  t.same(calls, ['A2 entered'], 'its turn')
})

test('turns hold over several event loops: a slot is left to the key whose turn it is', async (t) => {
  const { limiters, calls, waiter, stop } = setUp(
    { gateway: { concurrency: 2 }, keys: [{}, {}, {}], queue: { max: 50, timeoutMs: 60_000 } },
    3,
  )
  t.teardown(stop)
  const [one, two, three] = limiters as [LocalLimiter, LocalLimiter, LocalLimiter]
  one.enter(A, waiter('A1', A))
  one.enter(A, waiter('A2', A))
  const names = (key: string, count: number) => Array.from({ length: count }, (_, i) => `${key}${i + 1}`)
  for (const name of names('A', 12).slice(2)) one.enter(A, waiter(name, A))
  const others = [
    ...names('B', 4).map((name) => [two, B, name]),
    ...names('C', 4).map((name) => [three, 2, name]),
  ] as const
  const waiting = others.map(([loop, key, name]) => {
    const each = waiter(name as string, key as number)
    ;(loop as LocalLimiter).enter(key as number, each)
    return each
  })
  const running: { loop: LocalLimiter; key: number }[] = [
    { loop: one, key: A },
    { loop: one, key: A },
  ]
  const loops = [one, two, three]
  for (let turn = 0; turn < 14; turn++) {
    const done = running.shift()
    done?.loop.leave(done.key)
    while (calls.length <= turn) await new Promise((resolve) => setTimeout(resolve, 1))
    const key = 'ABC'.indexOf(calls[turn]?.[0] ?? '')
    running.push({ loop: loops[key] ?? one, key })
  }
  t.ok(waiting.length === 8)
  const entered = calls.map((call) => call[0]).join('')
  // A had two turns before the others came.
  t.match(entered.slice(0, 2), /BC|CB/)
  for (let at = 2; at + 3 <= 12; at += 3) {
    t.same([...entered.slice(at, at + 3)].sort(), ['A', 'B', 'C'], `round ${at} of ${entered}`)
  }
})

test('a slot reserved for a waiter of another event loop that leaves is not lost', async (t) => {
  const { limiters, waiter, stop } = setUp({ gateway: { concurrency: 1 }, keys: [{}, {}] }, 2)
  t.teardown(stop)
  const [one, two] = limiters as [LocalLimiter, LocalLimiter]
  one.enter(A, waiter('A1', A))
  const next = waiter('A2', A)
  one.enter(A, next)
  const leaving = waiter('B1', B)
  two.enter(B, leaving)
  one.leave(A)
  // Its own loop tries in a microtask, and leaves the slot to B, whose turn it is.
  await null
  two.cancel(leaving)
  t.equal(await next.outcome, 'entered')
})

const SERVICE_MS = 100
const SLOTS = 16
const SIM_MS = 60_000

/** Requests of many keys at a gateway of SLOTS slots, arriving and ending by chance; how long those of other keys than 0 waited. */
async function waitsOfOthers(greedyOutstanding: number): Promise<number[]> {
  const keys = 100
  const { limiters, clock, stop } = setUp({
    gateway: { concurrency: SLOTS },
    keys: Array.from({ length: keys }, () => ({})),
    queue: { max: 1000, timeoutMs: 3_600_000 },
  })
  const limiter = first(limiters)
  const waits: number[] = []
  const events: { atMs: number; run: () => void }[] = []
  let nowMs = 0
  const at = (delayMs: number, run: () => void) => events.push({ atMs: nowMs + delayMs, run })
  const arrivals = new Random(7)
  const service = new Random(11)
  const exponential = (chance: Random, meanMs: number) => -Math.log(1 - chance.below(2 ** 30) / 2 ** 30) * meanMs
  const request = (keyIndex: number, onDone: () => void) => {
    const cameMs = nowMs
    const onEntered = () => {
      if (keyIndex !== 0) waits.push(nowMs - cameMs)
      at(exponential(service, SERVICE_MS), () => {
        limiter.leave(keyIndex)
        onDone()
      })
    }
    if (limiter.enter(keyIndex, { keyIndex, onEntered, onRefused: () => {} })) onEntered()
  }
  const again = (): void => request(0, again)
  for (let i = 0; i < greedyOutstanding; i++) again()
  // The other 99 keys together ask for six tenths of the slots.
  const everyMs = SERVICE_MS / (0.6 * SLOTS)
  const arrive = (): void => {
    request(1 + Math.floor(arrivals.below(keys - 1)), () => {})
    at(exponential(arrivals, everyMs), arrive)
  }
  arrive()
  while (nowMs < SIM_MS) {
    let soonest = 0
    for (let i = 1; i < events.length; i++) {
      if ((events[i]?.atMs ?? 0) < (events[soonest]?.atMs ?? 0)) soonest = i
    }
    const [event] = events.splice(soonest, 1)
    if (event === undefined) break
    clock.advanceMs(event.atMs - nowMs)
    nowMs = event.atMs
    event.run()
    await null
    await null
  }
  stop()
  return waits.sort((a, b) => a - b)
}

test('of 100 keys one is greedy: the others wait little longer than without it', async (t) => {
  const p95 = (waits: readonly number[]) => waits[Math.floor(waits.length * 0.95)] ?? Number.NaN
  const alone = await waitsOfOthers(0)
  const beside = await waitsOfOthers(400)
  t.ok(beside.length > 0.95 * alone.length && beside.length > 4000, `${alone.length} and ${beside.length} served`)
  const bound = 2 * p95(alone) + SERVICE_MS
  t.ok(p95(beside) <= bound, `p95 ${p95(beside)} ms beside the greedy key, ${p95(alone)} ms without, bound ${bound} ms`)
  t.comment(
    `p95 wait of the others: ${p95(alone).toFixed(1)} ms alone, ${p95(beside).toFixed(1)} ms beside the greedy key`,
  )
})
