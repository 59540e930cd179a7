// The queue of those who wait for other nodes: order, keys that hold up nobody else, deadlines, one turn at a time.
import { test } from 'tap'
import { type LimitScope } from '../../src/limit/refusal.js'
import { SharedQueue } from '../../src/limit/shared-queue.js'
import { type Teardown } from '../helpers/gateway.js'

type Entry = { readonly keyIndex: number; readonly name: string }

/** A queue in front of slots that the test fills and frees. */
function createRig(t: Teardown, options: { max?: number; timeoutMs?: number } = {}) {
  // The poll alone keeps no process alive.
  const alive = setInterval(() => {}, 1000)
  t.teardown(() => clearInterval(alive))
  const rig = { free: 0, fullKeys: new Set<number>(), tries: 0, running: 0, most: 0, log: [] as string[], nowMs: 0 }
  const watchers: (() => void)[] = []
  const told = (line: string) => {
    rig.log.push(line)
    for (const watch of watchers) watch()
  }
  const queue = new SharedQueue<Entry>({
    max: options.max ?? 10,
    timeoutMs: options.timeoutMs ?? 1000,
    nowMs: () => rig.nowMs,
    tryEnter: async ({ keyIndex, name }): Promise<LimitScope | null> => {
      rig.tries += 1
      rig.running += 1
      rig.most = Math.max(rig.most, rig.running)
      await null
      rig.running -= 1
      if (rig.fullKeys.has(keyIndex)) return 'key'
      if (rig.free === 0) return 'gateway'
      rig.free -= 1
      told(name)
      return null
    },
    onTimeout: ({ name }, blockedBy) => told(`${name} timed out by ${blockedBy}`),
  })
  const until = (count: number) =>
    new Promise<void>((resolve) => {
      const look = () => rig.log.length >= count && resolve()
      watchers.push(look)
      look()
    })
  return { rig, queue, until }
}

test('first come first served; a key at its cap holds up nobody else', async (t) => {
  const { rig, queue, until } = createRig(t)
  for (const [keyIndex, name] of [
    [0, 'a'],
    [1, 'b'],
    [0, 'c'],
    [2, 'd'],
  ] as const)
    queue.push({ keyIndex, name }, 'gateway')
  rig.fullKeys.add(0)
  rig.free = 9
  queue.poke()
  await until(2)
  t.same(rig.log, ['b', 'd'])
  rig.fullKeys.clear()
  queue.poke()
  await until(4)
  t.same(rig.log, ['b', 'd', 'a', 'c'])
  await new Promise(setImmediate)
  t.notOk(queue.mustWait(0))
})

test('a newcomer waits behind those who wait for the same', (t) => {
  const { queue } = createRig(t)
  t.notOk(queue.mustWait(0))
  const blocked = { keyIndex: 0, name: 'a' }
  queue.push(blocked, 'key')
  t.ok(queue.mustWait(0))
  t.notOk(queue.mustWait(1))
  queue.push({ keyIndex: 1, name: 'b' }, 'gateway')
  t.ok(queue.mustWait(2))
  t.end()
})

test('a slot that another node frees is found by the poll', async (t) => {
  const { rig, queue, until } = createRig(t)
  queue.push({ keyIndex: 0, name: 'a' }, 'gateway')
  rig.free = 1
  await until(1)
  t.same(rig.log, ['a'])
})

test('while the gateway is full one is asked for, not all, and never two at once', async (t) => {
  const { rig, queue, until } = createRig(t)
  for (let i = 0; i < 10; i++) queue.push({ keyIndex: i, name: String(i) }, 'gateway')
  for (let i = 0; i < 5; i++) queue.poke()
  await new Promise(setImmediate)
  t.ok(rig.tries <= 2, `${rig.tries} tries`)
  rig.free = 10
  queue.poke()
  await until(10)
  t.equal(rig.most, 1)
})

test('waiting ends, and a full queue takes nobody', async (t) => {
  const { rig, queue, until } = createRig(t, { max: 2, timeoutMs: 100 })
  t.ok(queue.push({ keyIndex: 0, name: 'a' }, 'gateway'))
  rig.nowMs = 50
  const second = { keyIndex: 1, name: 'b' }
  t.ok(queue.push(second, 'key'))
  t.notOk(queue.push({ keyIndex: 2, name: 'c' }, 'gateway'))
  queue.remove(second)
  t.ok(queue.push({ keyIndex: 2, name: 'd' }, 'gateway'))
  rig.nowMs = 100
  await until(1)
  t.same(rig.log, ['a timed out by gateway'])
  rig.nowMs = 150
  await until(2)
  t.same(rig.log[1], 'd timed out by gateway')
})
