import { test } from 'tap'
import { BackgroundRuns } from '../../../src/server/background/background-runs.js'
import { createRun, turn } from '../../helpers/background.js'

const CAPS = { concurrency: 1, maxPending: 3, maxPendingPerKey: 2 }

function setUp() {
  const runs = new BackgroundRuns()
  const add = (id: string, owner = 'a') => {
    const made = createRun(id, { owner })
    runs.add(made.run, CAPS)
    void made.accept()
    return made
  }
  return { runs, add }
}

test('one after the other, in the order in which they came', async (t) => {
  const { runs, add } = setUp()
  const [first, second] = [add('r1'), add('r2')]
  runs.enqueue(first.run, CAPS)
  runs.enqueue(second.run, CAPS)
  await turn()
  t.same([first.told, second.told], [['started'], []])
  first.settle(null)
  await turn()
  await turn()
  t.same(second.told, ['started'])
  t.equal(runs.size, 1)
  second.settle(null)
  await turn()
  await turn()
  t.equal(runs.size, 0)
})

test('only its owner finds one', (t) => {
  const { runs, add } = setUp()
  const { run } = add('r1')
  t.equal(runs.find('a', 'r1'), run)
  t.equal(runs.find('b', 'r1'), null)
  t.equal(runs.find('a', 'r2'), null)
  runs.remove(run)
  t.equal(runs.find('a', 'r1'), null)
  t.end()
})

test('as many as may run or wait: of one key, and of all', (t) => {
  const { runs, add } = setUp()
  add('r1')
  const { run } = add('r2')
  t.throws(() => add('r3'), { message: /maxPendingPerKey/, data: { code: 'rate_limited', retryAfterMs: 5000 } })
  add('r4', 'b')
  t.throws(() => add('r5', 'c'), { message: /background.maxPending\)/, data: { code: 'overloaded' } })
  runs.remove(run)
  add('r5', 'c')
  t.equal(runs.size, 3)
  t.end()
})

test('one that is cancelled while it waits makes room, and takes no turn', async (t) => {
  const { runs, add } = setUp()
  const [first, second] = [add('r1'), add('r2')]
  const third = add('r3', 'b')
  for (const { run } of [first, second, third]) runs.enqueue(run, CAPS)
  await second.run.cancel()
  first.settle(null)
  for (let i = 0; i < 5; i++) await turn()
  t.same(second.told, ['stream stopped'])
  await turn()
  first.settle(null)
  for (let i = 0; i < 5; i++) await turn()
  t.same(third.told, ['started'])
  third.settle(null)
})

test('one owner’s many do not hold up the few of others', async (t) => {
  const runs = new BackgroundRuns()
  const caps = { concurrency: 2, maxPending: 10, maxPendingPerKey: 10 }
  const made = ['a1', 'a2', 'a3', 'a4', 'b1', 'b2'].map((id) => createRun(id, { owner: id.slice(0, 1) }))
  for (const { run, accept } of made) {
    runs.add(run, caps)
    void accept()
    runs.enqueue(run, caps)
  }
  const started: string[] = []
  for (let i = 0; i < made.length; i++) {
    for (let turns = 0; turns < 5; turns++) await turn()
    for (const { run, told } of made) if (told.length > 0 && !started.includes(run.id)) started.push(run.id)
    made.find(({ run }) => run.id === started[i])?.settle(null)
  }
  t.same(started, ['a1', 'a2', 'b1', 'a3', 'b2', 'a4'])
})
