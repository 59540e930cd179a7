import { readFileSync } from 'node:fs'
import { test } from 'tap'
import { parse } from 'yaml'
import { renderConfig } from '../../../src/config/check.js'
import { loadConfig } from '../../../src/config/load.js'
import { refusalOf, sources } from '../sources.js'

const LIST = JSON.stringify({
  source: { name: 'mine', version: '3' },
  providers: [{ id: 'openai', models: [{ id: 'a', match: { equals: 'a' }, prices: { input_mtok: 1 } }] }],
})

function load(prices: string, files: Readonly<Record<string, string>> = {}) {
  const own = readFileSync('resources/prices.json', 'utf8')
  return loadConfig(
    sources({ files: { '/pkg/resources/prices.json': own, '/w/sluice.yaml': `prices: ${prices}`, ...files } }),
  ).config
}

test('without prices.enabled no list is read', (t) => {
  t.equal(loadConfig(sources()).config.prices.table, null)
  t.end()
})

test('the list that comes with Sluice is read, or one of the operator’s, whose version is known', (t) => {
  t.match(load('{ enabled: true }').prices.table?.version, /^genai-prices \d+\.\d+\.\d+$/)
  const { table, file } = load('{ enabled: true, file: mine.json }', { '/w/mine.json': LIST }).prices
  t.equal(file, '/w/mine.json')
  t.equal(table?.version, 'mine 3')
  const plain = JSON.stringify(JSON.parse(LIST).providers)
  t.equal(load('{ enabled: true, file: /p.json }', { '/p.json': plain }).prices.table?.version, 'unnamed')
  t.end()
})

test('another list is supplemented by what the one that comes with Sluice knows besides prices', (t) => {
  const newer = [{ id: 'openai', models: [{ id: 'gpt-4o', match: { equals: 'gpt-4o' }, prices: { input_mtok: 9 } }] }]
  const files = { '/w/l.json': JSON.stringify(newer), '/w/data/prices.json': JSON.stringify(newer) }
  for (const prices of ['{ enabled: true, file: l.json }', '{ enabled: true, url: "https://list.example/p.json" }']) {
    const row = load(prices, files).prices.table?.lists.openai?.rows[0]
    t.match(row, { model: 'gpt-4o', maxOutputTokens: 16_384, serviceTiers: { priority: 1.7 } })
    t.equal(row?.periods[0]?.rates.input.base, 9_000_000)
  }
  t.end()
})

test('a list that is missing or cannot be read is refused at start', (t) => {
  t.match(
    refusalOf(() => load('{ enabled: true, file: gone.json }')),
    /^prices\.file: \/w\/gone\.json cannot be used: The file does not exist\./,
  )
  t.match(
    refusalOf(() => load('{ enabled: true, file: l.json }', { '/w/l.json': '[]' })),
    /has no price that can be read/,
  )
  t.match(
    refusalOf(() => load('{ enabled: true, file: l.json }', { '/w/l.json': '{' })),
    /cannot be used/,
  )
  t.end()
})

test('a default price must be there where it is to apply', (t) => {
  t.match(
    refusalOf(() => load('{ enabled: true, unknown: default }')),
    /^prices\.default: must be set/,
  )
  t.match(load('{ enabled: true, unknown: default, default: { input: 1, output: 2 } }').prices.default, {
    input: 1,
    output: 2,
  })
  t.end()
})

test('a price is of a provider and a model, and never negative', (t) => {
  t.throws(() => load('{ models: { gpt-4o: { input: 1, output: 1 } } }'))
  t.throws(() => load('{ models: { "openai/gpt": { input: -1, output: 1 } } }'))
  t.throws(() => load('{ models: { "openai/gpt": { output: 1 } } }'))
  t.end()
})

test('what is shown of the configuration is without the list', (t) => {
  const text = renderConfig(load('{ enabled: true, models: { "openai/*": { input: 1, output: 2 } } }'))
  t.match(parse(text).prices, { enabled: true, models: { 'openai/*': { input: 1, output: 2 } } })
  t.notMatch(text, /table/)
  t.end()
})

test('a downloaded list has precedence while a URL is given; a damaged one is ignored with a warning', (t) => {
  const cache = '/w/data/prices.json'
  t.equal(
    load('{ enabled: true, url: "https://prices.example/list.json" }', { [cache]: LIST }).prices.table?.version,
    'mine 3',
  )
  t.match(load('{ enabled: true }', { [cache]: LIST }).prices.table?.version, /^genai-prices/)
  const damaged = load('{ enabled: true, url: "https://prices.example/list.json" }', { [cache]: '{' })
  t.match(damaged.prices.table?.version, /^genai-prices/)
  t.match(damaged.warnings, [/^prices\.cache: \/w\/data\/prices\.json is ignored: /])
  t.match(load('{ enabled: true, url: "https://prices.example/list.json" }').warnings, [])
  t.notMatch(renderConfig(load('{ url: "https://u:SECRET@prices.example/" }')), /SECRET/)
  t.end()
})
