// Reports of places: which, when, and that nothing runs without a watcher.
import { mock } from 'node:test'
import { test } from 'tap'
import { type QueuePlace } from '../../../src/limit/limiter.js'
import { MIN_INTERVAL_MS, PlaceWatch } from '../../../src/limit/waiting/place-watch.js'

function setUp() {
  mock.timers.enable({ apis: ['setInterval', 'setImmediate'] })
  const state = { nowMs: 5000, order: ['a', 'b', 'c'], paceMs: null as number | null, walks: 0 }
  const watch = new PlaceWatch<string>({
    places: () => {
      state.walks += 1
      return state.order.map((name, index) => [name, index + 1] as const)
    },
    paceMs: () => state.paceMs,
    nowMs: () => state.nowMs,
  })
  const told: string[] = []
  const add = (name: string): void =>
    watch.add(name, ({ position, etaMs }: QueuePlace) => told.push(`${name} ${position} ${etaMs}`))
  const pass = (ms: number): string[] => {
    for (let left = ms; left > 0; left -= 50) {
      state.nowMs += 50
      mock.timers.tick(50)
    }
    return told.splice(0)
  }
  return { state, watch, told, add, pass }
}

test('the first report comes at once, one walk for all that came in this turn', async (t) => {
  t.teardown(() => mock.timers.reset())
  const { state, told, add, pass } = setUp()
  add('b')
  add('c')
  t.same(told, [], 'not within the call')
  mock.timers.tick(0)
  t.same(told.splice(0), ['b 2 null', 'c 3 null'])
  t.equal(state.walks, 1)
  t.same(pass(10_000), [], 'nothing has changed')
})

test('a change is reported at most once a second, and the last one is not lost', async (t) => {
  t.teardown(() => mock.timers.reset())
  const { state, add, pass } = setUp()
  add('c')
  mock.timers.tick(0)
  pass(50)
  state.order = ['b', 'c']
  t.same(pass(MIN_INTERVAL_MS - 100), [], 'too soon')
  state.order = ['c']
  state.paceMs = 333.4
  t.same(pass(300), ['c 1 333'], 'the state of now, not each step')
  state.paceMs = 200
  t.same(pass(MIN_INTERVAL_MS - 300), [])
  t.same(pass(300), ['c 1 200'], 'another pace is a change, too')
})

test('a waiter that has left the queue gets no report, not even one that is due', async (t) => {
  t.teardown(() => mock.timers.reset())
  const { state, watch, told, add, pass } = setUp()
  watch.add('a', () => {
    told.push('a leaves with c')
    watch.remove('a')
    watch.remove('c')
  })
  add('b')
  add('c')
  mock.timers.tick(0)
  t.same(told.splice(0), ['a leaves with c', 'b 2 null'])
  watch.remove('b')
  const { walks } = state
  state.order = ['b']
  t.same(pass(5000), [])
  t.equal(state.walks, walks, 'no timer runs without a watcher')
  watch.remove('b')
  add('c')
  watch.remove('c')
  t.same(pass(5000), [], 'gone before its first report')
  t.equal(state.walks, walks)
})
