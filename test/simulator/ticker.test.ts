// The wheel: tasks run once, in time, in any number, however far off they are.
import { test } from 'tap'
import { type Task, Ticker } from '../../src/simulator/ticker.js'

function setUp() {
  let nowMs = 1000
  const ran: string[] = []
  const ticker = new Ticker(() => nowMs)
  const task = (name: string, run: () => void = () => undefined): Task => ({
    dueMs: 0,
    run: () => {
      ran.push(name)
      run()
    },
  })
  const goTo = (ms: number, stepMs = 1) => {
    for (; nowMs < ms; nowMs += stepMs) ticker.turn()
    nowMs = ms
    ticker.turn()
  }
  return { ticker, ran, task, goTo }
}

test('runs a task once, not before its time and soon after', (t) => {
  const { ticker, ran, task, goTo } = setUp()
  t.teardown(() => ticker.stop())
  ticker.add(task('a'), 1050)
  goTo(1049)
  t.same(ran, [])
  goTo(1058)
  t.same(ran, ['a'])
  goTo(1100)
  t.same(ran, ['a'])
  t.equal(ticker.size, 0)
  t.end()
})

test('runs what lies more than a turn of the wheel ahead', (t) => {
  const { ticker, ran, task, goTo } = setUp()
  t.teardown(() => ticker.stop())
  ticker.add(task('far'), 11_000)
  goTo(10_999)
  t.same(ran, [])
  goTo(11_010)
  t.same(ran, ['far'])
  t.end()
})

test('catches up after the loop was blocked for longer than a turn of the wheel', (t) => {
  const { ticker, ran, task, goTo } = setUp()
  t.teardown(() => ticker.stop())
  ticker.add(task('a'), 1010)
  ticker.add(task('b'), 3000)
  goTo(60_000, 59_000)
  t.same(new Set(ran), new Set(['a', 'b']))
  t.equal(ticker.size, 0)
  t.end()
})

test('a task may put itself in again', (t) => {
  const { ticker, ran, task, goTo } = setUp()
  t.teardown(() => ticker.stop())
  const self = task('again', () => {
    if (ran.length < 3) ticker.add(self, ticker.now() + 10)
  })
  ticker.add(self, 1000)
  goTo(1200)
  t.equal(ran.length, 3)
  t.end()
})

test('the timer runs only while something waits', async (t) => {
  const ticker = new Ticker(() => performance.now())
  await new Promise<void>((resolve) => ticker.add({ dueMs: 0, run: () => resolve() }, performance.now() + 20))
  t.equal(ticker.size, 0)
})
