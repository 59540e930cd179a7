// Which models a key is shown, and which it finds by name.
import { test } from 'tap'
import { findModel, listModels } from '../../src/gateway/model-list.js'
import { Router } from '../../src/routing/router.js'
import { load } from '../config/sources.js'

const { config } = load(
  'keys: [ { name: all, key: k1 }, { name: some, key: k2, models: [ "fast", "local/*" ] } ]\n' +
    'providers: { local: { protocol: openai-chat, baseUrl: "http://h", models: [ llama ] }, openai: { apiKey: k } }\n' +
    'models: { fast: local/llama }',
)
const PARTS = { config, router: new Router(config) }
const ALL = { index: 0, name: 'all', owner: null }
const SOME = { index: 1, name: 'some', owner: null }

test('lists what the key may use', (t) => {
  t.same(
    listModels(PARTS, SOME).map(({ id, owned_by }) => [id, owned_by]),
    [
      ['fast', 'local'],
      ['local/llama', 'local'],
    ],
  )
  t.ok(listModels(PARTS, ALL).length > 2)
  t.end()
})

test('finds every model that a chat would reach, listed or not', (t) => {
  for (const id of ['fast', 'local/llama', 'local/new', 'local/org/new']) {
    t.same(findModel(PARTS, SOME, id), { id, object: 'model', created: 1_700_000_000, owned_by: 'local' }, id)
  }
  t.match(findModel(PARTS, ALL, 'gpt-4o-unlisted'), { owned_by: 'openai' }, 'by the pattern of a vendor')
  t.end()
})

test('refuses what a chat would be refused', (t) => {
  t.throws(() => findModel(PARTS, ALL, 'nowhere/x'), { name: 'GatewayError', message: /nowhere\/x/ })
  t.throws(() => findModel(PARTS, SOME, 'openai/gpt-4o'), { message: /not permitted to use this model/ })
  t.end()
})
