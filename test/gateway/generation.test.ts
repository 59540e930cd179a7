// What a configuration decides, and what it finds again after a reload. The parts at work are in test/e2e/reload.test.ts.
import { test } from 'tap'
import { continueLedger, openLedger } from '../../src/config/live/slot-table.js'
import { type Config } from '../../src/config/types.js'
import { limiterPlaces, reachableProviders, withKnownProviders } from '../../src/gateway/generation.js'
import { load } from '../config/sources.js'

const yaml = (path: string) => `
keys: [{ name: a, key: "key-of-a-0123456789" }]
providers:
  same: { protocol: openai-chat, baseUrl: "http://127.0.0.1:1/v1" }
  changed: { protocol: openai-chat, baseUrl: "http://127.0.0.1:1/${path}" }
`
const RUNNING = load(yaml('one')).config

test('a provider that is the same is the same object, so that its connections go on; a changed one is not', (t) => {
  const next = load(yaml('two')).config
  const { providers } = withKnownProviders(next, RUNNING)
  t.equal(providers[0], RUNNING.providers[0])
  t.equal(providers[1], next.providers[1])
  t.end()
})

test('so are vendors that nobody configured, and one that is configured from now on keeps nothing of it', (t) => {
  const named = (config: Config, name: string) => reachableProviders(config).find((provider) => provider.name === name)
  const same = withKnownProviders(load(yaml('two')).config, RUNNING)
  t.ok(named(same, 'openai'))
  t.equal(named(same, 'openai'), named(RUNNING, 'openai'))
  const configured = withKnownProviders(load(`${yaml('one')}  openai: { apiKey: a-key }`).config, RUNNING)
  t.equal(named(configured, 'openai')?.apiKey, 'a-key')
  t.not(named(configured, 'openai'), named(RUNNING, 'openai'))
  t.end()
})

test('limits lie where the ledger says, whatever the order', (t) => {
  const ledger = openLedger(RUNNING)
  const next = load(
    `keys: [{ name: b, key: "key-of-b-0123456789" }, { name: a, key: "key-of-a-0123456789" }]${yaml('one').split(']')[1]}`,
  )
  const later = continueLedger(ledger, next.config)
  t.match(limiterPlaces(next.config, later), { keys: [1, 0], providers: [0, 1], room: ledger.room })
  t.end()
})
