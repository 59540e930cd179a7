import { test } from 'tap'
import { LoopRollups, type Spending } from '../../../src/accounts/rollups/loop-rollups.js'
import { HOUR_MS, noCounts } from '../../../src/accounts/rollups/types.js'

const APP: Spending = {
  ...{ owner: 'key_a', keyName: 'app', team: 'blue', model: 'm', provider: 'north', tags: ['x'], user: null },
}
const counts = (requests: number, costNano = 0) => ({ ...noCounts(), requests, costNano })

function rollups() {
  const clock = { ms: 10 * HOUR_MS }
  return { rollups: new LoopRollups('loop', () => clock.ms), clock }
}

test('the same source in the same hour is one row, and a batch is the same until it is written', (t) => {
  const { rollups: loop, clock } = rollups()
  t.equal(loop.take(), null)
  loop.add(APP, counts(1, 5))
  loop.add(APP, counts(1, 7))
  loop.add({ ...APP, provider: 'south' }, counts(1))
  clock.ms += HOUR_MS
  loop.add(APP, counts(1))
  const batch = loop.take()
  t.match(batch, { writer: 'loop', sequence: 1, users: [] })
  t.same(
    batch?.rows.map(({ hour, source, counts: sum }) => [hour, source.provider, sum.requests, sum.costNano]),
    [
      [10, 'north', 2, 12],
      [10, 'south', 1, 0],
      [11, 'north', 1, 0],
    ],
  )
  loop.add(APP, counts(1))
  t.equal(loop.take(), batch)
  loop.written()
  t.match(loop.take(), { sequence: 2, rows: [{ counts: { requests: 1 } }] })
  loop.written()
  t.equal(loop.take(), null)
  t.end()
})

test('what is added later never changes a batch that was taken', (t) => {
  const { rollups: loop } = rollups()
  const given = counts(1)
  loop.add(APP, given)
  loop.add({ ...APP, user: 'u' }, given)
  given.requests = 100
  const batch = loop.take()
  loop.add({ ...APP, user: 'u' }, counts(1))
  t.match(batch, { rows: [{ counts: { requests: 2 } }], users: [{ user: 'u', counts: { requests: 1 } }] })
  t.end()
})

test('a key whose team, name or tags have changed has another row; equal tags are no change', (t) => {
  const { rollups: loop } = rollups()
  const [first, second] = [
    { ...APP, user: 'u' },
    { ...APP, team: 'red', keyName: 'new', user: 'u' },
  ]
  for (const each of [first, second, { ...APP, tags: ['x', 'y'] }, { ...APP, tags: ['x'] }, first, second])
    loop.add(each, counts(1))
  const { rows = [], users = [] } = loop.take() ?? {}
  t.same(
    rows.map(({ source: { keyName, team, tags }, counts: { requests } }) => [keyName, team, tags, requests]),
    [
      ['app', 'blue', ['x'], 3],
      ['new', 'red', ['x'], 2],
      ['app', 'blue', ['x', 'y'], 1],
    ],
  )
  t.same(
    users.map(({ keyName, counts: { requests } }) => [keyName, requests]),
    [
      ['app', 2],
      ['new', 2],
    ],
  )
  t.end()
})

test('beyond 200 model names of a key in an hour the others are one, and texts are what a database takes', (t) => {
  const { rollups: loop, clock } = rollups()
  for (let n = 0; n < 300; n++) loop.add({ ...APP, model: `m${n}` }, counts(1))
  loop.add({ ...APP, model: 'm7' }, counts(1))
  loop.add({ ...APP, model: 'm250', owner: 'key_b' }, counts(1))
  loop.add({ ...APP, model: '' }, counts(1))
  const rows = loop.take()?.rows ?? []
  t.equal(rows.length, 203)
  t.match(
    rows.find(({ source }) => source.model === 'other'),
    { counts: { requests: 100 } },
  )
  loop.written()
  clock.ms += HOUR_MS
  loop.add({ ...APP, model: `\0\ud800${'é'.repeat(300)}`, user: 'a\0b' }, counts(1))
  t.match(loop.take(), { rows: [{ source: { model: 'é'.repeat(254) } }], users: [{ user: 'ab' }] })
  t.end()
})

test('however long no batch is taken, memory is bounded and nothing is lost', (t) => {
  const { rollups: loop } = rollups()
  for (let n = 0; n < 100_500; n++)
    loop.add({ ...APP, owner: `key_${n % 600}`, model: `m${n}`, user: `u${n}` }, counts(1))
  const { rows = [], users = [] } = loop.take() ?? {}
  t.ok(rows.length <= 100_600, `${rows.length} rows`)
  t.ok(users.length <= 100_600, `${users.length} users`)
  for (const all of [rows, users])
    t.equal(
      all.reduce((sum, row) => sum + row.counts.requests, 0),
      100_500,
    )
  t.end()
})
