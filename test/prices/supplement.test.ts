import { test } from 'tap'
import { readPrices } from '../../src/prices/read-prices.js'
import { supplement } from '../../src/prices/supplement.js'

function model(id: string, more: object = {}) {
  return { id, match: { equals: id }, prices: { input_mtok: 1 }, ...more }
}

test('a list gets what only Sluice’s own knows of its models, and none of its prices', (t) => {
  const own = readPrices(
    [
      { id: 'v', models: ['a', 'b', 'c'].map((id) => model(id, { max_output: 100, service_tiers: { flex: 0.5 } })) },
      { id: 'other', models: [model('x')] },
    ],
    'own',
  )
  const newer = readPrices(
    [
      {
        id: 'v',
        models: [model('a', { prices: { input_mtok: 7 } }), model('b', { max_output: 5, service_tiers: { flex: 2 } })],
      },
      { id: 'w', models: [model('a')] },
    ],
    'newer',
  )
  const { version, lists } = supplement(newer, own)
  t.equal(version, 'newer')
  t.same(Object.keys(lists), ['v', 'w'])
  t.match(lists.v?.rows, [
    {
      model: 'a',
      maxOutputTokens: 100,
      serviceTiers: { flex: 0.5 },
      periods: [{ rates: { input: { base: 7_000_000 } } }],
    },
    { model: 'b', maxOutputTokens: 5, serviceTiers: { flex: 2 } },
  ])
  t.equal(lists.v?.rows.length, 2)
  t.match(lists.w?.rows, [{ model: 'a', maxOutputTokens: null }])
  t.end()
})
