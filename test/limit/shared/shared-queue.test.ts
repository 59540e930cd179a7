// The queue of those who wait for other nodes: places by key, deadlines, one turn at a time; whose turn it is, is asked.
import { test } from 'tap'
import { SharedQueue } from '../../../src/limit/shared/shared-queue.js'
import { type Teardown } from '../../helpers/gateway.js'

type Entry = { readonly keyIndex: number; readonly name: string }

/** A queue in front of slots that the test fills and frees; keys are let in by their index, the lowest first. */
function createRig(t: Teardown, options: { max?: number; timeoutMs?: number } = {}) {
  // The poll alone keeps no process alive.
  const alive = setInterval(() => {}, 1000)
  t.teardown(() => clearInterval(alive))
  const rig = {
    ...{ free: 0, fullKeys: new Set<number>(), asked: [] as (readonly number[])[], running: 0, most: 0 },
    ...{ log: [] as string[], nowMs: 0, isAway: false, unused: [] as number[], gone: [] as number[] },
    onAsk: () => {},
  }
  const watchers: (() => void)[] = []
  const told = (line: string) => {
    rig.log.push(line)
    for (const watch of watchers) watch()
  }
  const queue = new SharedQueue<Entry>({
    max: options.max ?? 10,
    timeoutMs: options.timeoutMs ?? 1000,
    nowMs: () => rig.nowMs,
    async takeTurn(keys) {
      rig.asked.push(keys)
      rig.running += 1
      rig.most = Math.max(rig.most, rig.running)
      await null
      rig.onAsk()
      rig.running -= 1
      if (rig.isAway) return null
      const due = keys.filter((key) => !rig.fullKeys.has(key)).sort((a, b) => a - b)[0]
      const fullKeys = new Set(rig.fullKeys)
      if (due === undefined || rig.free === 0) return { keyIndex: null, fullKeys }
      rig.free -= 1
      return { keyIndex: due, fullKeys }
    },
    onTurn: ({ name }) => told(name),
    onAway: ({ name }) => told(`${name} away`),
    onRefused: ({ name }, { scope, waiting }) => told(`${name} refused by ${scope} ${waiting}`),
    onUnused: (keyIndex) => rig.unused.push(keyIndex),
    onGone: (keyIndex) => rig.gone.push(keyIndex),
  })
  const until = (count: number) =>
    new Promise<void>((resolve) => {
      const look = () => rig.log.length >= count && resolve()
      watchers.push(look)
      look()
    })
  const push = (name: string) => queue.push({ keyIndex: Number(name[0]), name }, 'gateway')
  return { rig, queue, until, push }
}

test('sends all waiting keys at once, and admits the first request of the key whose turn it is', async (t) => {
  const { rig, queue, until, push } = createRig(t)
  for (const name of ['1a', '0a', '1b', '2a']) t.equal(push(name), null)
  rig.fullKeys.add(0)
  rig.free = 9
  queue.poke()
  await until(3)
  t.same(rig.asked[0], [1, 0, 2])
  t.same(rig.log, ['1a', '1b', '2a'])
  rig.fullKeys.clear()
  queue.poke()
  await until(4)
  t.same(rig.log[3], '0a')
  await new Promise(setImmediate)
  t.same(rig.asked.at(-1), [0], 'and then nobody is asked for')
})

test('a slot that another node frees is found by the poll', async (t) => {
  const { rig, until, push } = createRig(t)
  push('0a')
  rig.free = 1
  await until(1)
  t.same(rig.log, ['0a'])
})

test('while the gateway is full one call asks for all, and never two at once', async (t) => {
  const { rig, queue, until, push } = createRig(t)
  for (let i = 0; i < 10; i++) push(`${i}`)
  for (let i = 0; i < 5; i++) queue.poke()
  await new Promise(setImmediate)
  t.ok(rig.asked.length <= 2, `${rig.asked.length} calls`)
  rig.free = 10
  queue.poke()
  await until(10)
  t.equal(rig.most, 1)
})

test('a key that was let in after its last one left gives the slots back', async (t) => {
  const { rig, queue, push } = createRig(t)
  const leaving = { keyIndex: 3, name: '3a' }
  queue.push(leaving, 'gateway')
  push('4a')
  rig.free = 1
  rig.onAsk = () => {
    queue.remove(leaving)
    rig.onAsk = () => {}
  }
  queue.poke()
  await new Promise(setImmediate)
  t.same([rig.unused, rig.gone, rig.log], [[3], [3], []])
})

test('a full line of keys at their own caps rejects no newcomer that need not wait', async (t) => {
  const { rig, queue, push } = createRig(t, { max: 2 })
  for (const name of ['0a', '1a']) push(name)
  t.same(queue.refusal(2), { scope: 'gateway', waiting: null })
  rig.fullKeys.add(0).add(1)
  queue.poke()
  await new Promise(setImmediate)
  t.equal(queue.refusal(2), null)
  t.same(queue.refusal(0), { scope: 'key', waiting: null })
})

test('hands all waiters over when Redis is unavailable, in the order of their keys', async (t) => {
  const { rig, queue, until, push } = createRig(t)
  for (const name of ['0a', '1a', '0b']) push(name)
  rig.isAway = true
  queue.poke()
  await until(3)
  t.same(rig.log, ['0a away', '0b away', '1a away'])
  t.same(rig.gone, [], 'there is nobody to tell')
})

test('waiting ends, and the key is to blame only at its own cap', async (t) => {
  const { rig, queue, until } = createRig(t, { max: 2, timeoutMs: 100 })
  queue.push({ keyIndex: 0, name: 'a' }, 'gateway')
  rig.nowMs = 50
  const second = { keyIndex: 1, name: 'b' }
  queue.push(second, 'key')
  t.same(
    queue.push({ keyIndex: 2, name: 'c' }, 'key'),
    { scope: 'gateway', waiting: null },
    'its place is taken by others',
  )
  t.same(queue.push({ keyIndex: 1, name: 'd' }, 'key'), { scope: 'key', waiting: null })
  queue.remove(second)
  t.same(rig.gone, [1])
  t.equal(queue.push({ keyIndex: 2, name: 'd' }, 'gateway'), null)
  rig.nowMs = 100
  await until(1)
  t.same(rig.log, ['a refused by gateway null'])
  rig.fullKeys.add(2)
  queue.poke()
  await new Promise(setImmediate)
  rig.nowMs = 150
  await until(2)
  t.same(rig.log[1], 'd refused by key null')
})

test('a full queue takes the place of the key with the most, and says so before a body is read', (t) => {
  const { rig, queue, push } = createRig(t, { max: 4 })
  t.equal(queue.refusal(0), null)
  for (const name of ['0a', '0b', '0c', '0d']) push(name)
  t.equal(queue.refusal(1), null, 'there is a place for another key')
  t.same(queue.refusal(0), { scope: 'gateway', waiting: null })
  t.equal(push('1a'), null)
  t.same(rig.log, ['0d refused by key 4'])
  t.same(queue.refusal(0), { scope: 'key', waiting: 3 })
  t.end()
})

test('a watcher gets its place among the waiters of this event loop, and the pace at which Redis admits them', async (t) => {
  const { rig, queue, until, push } = createRig(t, { timeoutMs: 60_000 })
  const entries = ['0a', '0b', '1a'].map((name) => ({ keyIndex: Number(name[0]), name }))
  const places: string[] = []
  for (const entry of entries) {
    queue.push(entry, 'gateway')
    queue.watch(entry, ({ position, etaMs }) => places.push(`${entry.name} ${position} ${etaMs}`))
  }
  queue.watch({ keyIndex: 0, name: 'a stranger' }, () => places.push('a stranger'))
  await new Promise(setImmediate)
  t.same(places.splice(0), ['0a 1 null', '1a 2 null', '0b 3 null'])
  rig.nowMs = 800
  rig.free = 1
  push('2a')
  queue.poke()
  await until(1)
  t.same(rig.log, ['0a'])
  rig.nowMs = 1700
  rig.fullKeys.add(0)
  queue.poke()
  while (places.length < 2) await new Promise((resolve) => setTimeout(resolve, 10))
  t.same(places.splice(0), ['1a 1 800', '0b 1 800'], 'a key at its own cap waits for itself')
  for (const entry of entries) queue.remove(entry)
})
