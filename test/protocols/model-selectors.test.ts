// Members from which a provider may take another model.
import { test } from 'tap'
import { type JsonValue } from '../../src/model/json.js'
import { createCodec } from '../../src/protocols/contract/codec.js'
import { PROTOCOLS } from '../../src/protocols/index.js'
import { findSelector, findSelectorIn } from '../../src/protocols/model-selectors.js'

test('finds what may select another model, in any case of letters, unless it is null', async (t) => {
  t.equal(findSelector({ model: 'a', messages: [], provider: { order: [] } }), null)
  for (const member of ['models', 'route', 'preset', 'fallbacks', 'fallback_models', 'Models', 'Model', 'MODEL']) {
    t.equal(findSelector({ model: 'a', [member]: ['b'] }), member)
    t.equal(findSelector({ model: 'a', [member]: null }), null, `${member} is null`)
  }
})

test('in a body that nobody has checked a list, a doubled member and too many of them count as well', async (t) => {
  const find = (text: string) => findSelectorIn(JSON.parse(text) as JsonValue, Buffer.from(text))
  t.equal(find('{"model":"a"}'), null)
  t.equal(find('{"model":"a","models":["b"]}'), 'models')
  t.equal(find('[{"model":"a"}]'), 'model')
  t.equal(find('{"model":"a","model":"b"}'), 'model')
  t.equal(find('{"mod\\u0065l":"a","model":"b"}'), 'model')
  t.equal(find('"text"'), null)
  const many = JSON.stringify(Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [`m${i}`, 1])))
  t.equal(find(many), 'model')
})

test('a decoded body bears the path of its selector, in the upstream’s own words too', async (t) => {
  const codec = createCodec(PROTOCOLS)
  const decode = (surface: string, body: object) =>
    codec.decodeBody(surface, new Uint8Array(Buffer.from(JSON.stringify(body))))
  const chat = { model: 'a', messages: [{ role: 'user', content: 'hi' }] }
  t.notOk('selector' in decode('openai-chat', chat))
  t.equal(decode('openai-chat', { ...chat, models: ['b'] }).selector, 'models')
  const raw = { provider: 'p', path: '/x' }
  t.notOk('selector' in decode('raw-passthrough', { ...raw, body: chat }))
  t.equal(decode('raw-passthrough', { ...raw, body: { ...chat, route: 'fallback' } }).selector, 'body.route')
})
