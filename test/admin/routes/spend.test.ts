// Spend by the admin API, over the real listener and a real database. The sums themselves are test/helpers/rollup-suite.ts.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { createDirectoryMemory } from '../../../src/accounts/directory/memory.js'
import { noCounts, type RollupRow } from '../../../src/accounts/rollups/types.js'
import { openNode } from '../../helpers/accounts-rig.js'
import { adminContext, READ_KEY, startAdmin } from '../../helpers/admin.js'

const HOUR = Date.UTC(2026, 10, 3, 7) / 3_600_000

function row(hour: number, model: string, members: Partial<RollupRow['source']> = {}): RollupRow {
  const source = { owner: 'key_a', keyName: 'app', team: 'blue', provider: 'north', tags: [], ...members, model }
  return { hour, source, counts: { ...noCounts(), requests: 1, attempts: 1, inputTokens: 9, costNano: 1_500_000_001 } }
}

async function setUp(t: Test) {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-spend-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const node = await openNode(t, {
    database: { store: 'sqlite', path: join(folder, 'accounts.db') },
    ...{ directory: createDirectoryMemory(10), fileKeys: [], clockOffset: null },
  })
  const { context } = adminContext([], { accounts: () => node.store })
  const { url, ask } = await startAdmin(t, context)
  const text = async (query: string, headers: Record<string, string> = {}) => {
    const answer = await fetch(`${url}/admin/v1/spend?${query}`, {
      headers: { authorization: `Bearer ${READ_KEY}`, ...headers },
    })
    return { type: answer.headers.get('content-type'), next: answer.headers.get('x-next'), text: await answer.text() }
  }
  return { store: node.store, ask, text }
}

const NOVEMBER = 'from=2026-11-01&to=2026-12-01'

test('a report is by what is asked for, in dollars, in pages, with the total of all', async (t) => {
  const { store, ask } = await setUp(t)
  const rows = ['a', 'b', 'c'].map((model) => row(HOUR, model))
  await store.addRollups({ writer: 'w', sequence: 1, rows: [...rows, row(HOUR + 24, 'c')], users: [] })
  const first = await ask('GET', `/spend?${NOVEMBER}&by=model,day&limit=3`, { key: READ_KEY })
  t.match(first, {
    status: 200,
    json: {
      ...{ from: '2026-11-01T00:00:00.000Z', to: '2026-12-01T00:00:00.000Z', by: ['model', 'day'] },
      data: [
        { model: 'a', day: '2026-11-03', requests: 1, usd: 1.500000001 },
        { model: 'b', day: '2026-11-03', inputTokens: 9, unpriced: 0 },
        { model: 'c', day: '2026-11-03' },
      ],
      total: { requests: 4, usd: 6.000000004 },
    },
  })
  const second = await ask('GET', `/spend?${NOVEMBER}&by=model,day&limit=3&after=${first.json.next}`)
  t.match(second.json, { data: [{ model: 'c', day: '2026-11-04' }], next: null, total: { requests: 4 } })
  const hours = await ask('GET', '/spend?from=2026-11-03T07:00:00Z&to=2026-11-03T08:00:00Z&by=team')
  t.match(hours.json.data, [{ team: 'blue', requests: 3 }])
})

test('without more it is this month by day', async (t) => {
  const { store, ask } = await setUp(t)
  await store.addRollups({ writer: 'w', sequence: 1, rows: [row(Math.floor(Date.now() / 3_600_000), 'a')], users: [] })
  const { json } = await ask('GET', '/spend')
  t.match(json, { by: ['day'], data: [{ day: new Date().toISOString().slice(0, 10), requests: 1 }] })
})

test('as CSV where the format or the Accept header says so, with texts that are no formulas', async (t) => {
  const { store, text } = await setUp(t)
  const rows = [row(HOUR, '=1+1'), row(HOUR, 'b')]
  await store.addRollups({ writer: 'w', sequence: 1, rows, users: [] })
  const lines = [
    'key,keyId,model,requests,attempts,errors,inputTokens,outputTokens,cachedTokens,usd,unpriced',
    "app,key_a,'=1+1,1,1,0,9,0,0,1.500000001,0",
    'app,key_a,b,1,1,0,9,0,0,1.500000001,0',
  ]
  const whole = { type: 'text/csv; charset=utf-8', next: null, text: `${lines.join('\r\n')}\r\n` }
  t.same(await text(`${NOVEMBER}&by=key,model&format=csv`), whole)
  t.same(await text(`${NOVEMBER}&by=key,model`, { accept: 'text/csv' }), whole)
  t.match((await text(`${NOVEMBER}&by=key`, { accept: 'text/csv, application/json' })).type, 'text/csv')
  t.match((await text(`${NOVEMBER}&format=json`, { accept: 'text/csv' })).type, 'application/json')
  const { next } = await text(`${NOVEMBER}&by=key,model&format=csv&limit=1`)
  t.match(await text(`${NOVEMBER}&by=key,model&format=csv&after=${next}`), { next: null, text: /key_a,b,1/ })
})

test('what makes no report is refused, naming the parameter', async (t) => {
  const { ask } = await setUp(t)
  const cursor = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  for (const [query, param] of [
    ['by=colour', 'by'],
    ['by=', 'by'],
    ['by=user,model', 'by'],
    [`by=user&from=2026-11-03T07:00:00Z&to=2026-11-04`, 'by'],
    ['from=yesterday', 'from'],
    ['from=2026-11-03T07:30:00Z', 'from'],
    ['from=2026-11-03&to=2026-11-03', 'from'],
    ['after=x', 'after'],
    [`by=day&after=${cursor(['a'])}`, 'after'],
    [`by=model&after=${cursor(['a', 'b'])}`, 'after'],
    [`by=model&after=${cursor(['a\0'])}`, 'after'],
    ['limit=0', 'limit'],
    ['format=xml', 'format'],
  ] as const) {
    const refused = await ask('GET', `/spend?${query}`)
    t.match(refused, { status: 400, json: { error: { code: 'invalid_request', param } } }, query)
  }
})

test('without a database of accounts there is no spend', async (t) => {
  const { ask } = await startAdmin(t, adminContext([]).context)
  t.match(await ask('GET', '/spend'), { status: 409, json: { error: { code: 'conflict' } } })
})
