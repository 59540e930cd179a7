// How a configuration asks for the built-in simulator, and what is only named like it.
import { test } from 'tap'
import { isBuiltIn, markBuiltIn } from '../../../src/config/resolve/built-in.js'
import { load } from '../sources.js'

test('an entry of the simulator without an address asks for the built-in one, whatever its name', (t) => {
  for (const text of ['providers: { sim: {} }', 'providers: { demo: { profile: sim } }', 'models: { m: sim/echo }']) {
    const { config } = load(text)
    t.equal(config.simulator, 'asked', text)
    t.ok(config.providers.every(isBuiltIn), text)
  }
  t.end()
})

test('an address or another protocol makes it a server like others', (t) => {
  for (const text of [
    'providers: { sim: { baseUrl: "http://127.0.0.1:3100" } }',
    'providers: { sim: { protocol: openai-chat, baseUrl: "http://h" } }',
  ]) {
    const { config } = load(text)
    t.equal(config.simulator, null, text)
    t.notOk(config.providers.some(isBuiltIn), text)
  }
  t.end()
})

test('other entries stay as they are', (t) => {
  const { providerDefaults } = load('')
  const entries = { openai: { ...providerDefaults, apiKey: 'k' } }
  t.same(markBuiltIn(entries), entries)
  t.end()
})
