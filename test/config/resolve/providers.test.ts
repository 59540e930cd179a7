// Providers: profile, protocol and entry joined; left out without a key; refused when they name what does not exist.
import { test } from 'tap'
import { loadConfig } from '../../../src/config/load.js'
import { simulatorProvider } from '../../../src/config/resolve/providers.js'
import { CATALOG, load, refusalOf, sources } from '../sources.js'

test('an entry named after a profile needs nothing but a key', (t) => {
  const [provider] = load('providers: { openai: { apiKey: sk-x } }').config.providers
  t.match(provider, {
    name: 'openai',
    profile: 'openai',
    protocol: 'openai-chat',
    baseUrl: 'https://api.openai.com/v1',
    apiKey: 'sk-x',
    auth: { kind: 'bearer' },
    headers: {},
    limits: { concurrency: null },
    timeouts: { connectMs: 5000, firstTokenMs: 60000, betweenTokensMs: 60000, totalMs: 600000 },
    quirks: { maxTokensField: 'max_completion_tokens', developerRole: true, doneMarker: true, maxTemperature: 2 },
    modelPatterns: ['gpt*', 'chatgpt*', 'o1*', 'o3*', 'o4*'],
    extraBody: {},
    maxConnections: null,
  })
  t.ok(provider?.knownModels.includes('gpt-4o-mini'))
  t.end()
})

test('each vendor’s key travels in its own header', (t) => {
  const { providers } = load(
    'providers: { anthropic: { apiKey: a }, google: { apiKey: b }, azure-openai: { apiKey: c, baseUrl: "https://r.x" } }',
  ).config
  t.match(providers, [
    { auth: { kind: 'header', name: 'x-api-key' } },
    { auth: { kind: 'header', name: 'x-goog-api-key' } },
    { auth: { kind: 'header', name: 'api-key' }, baseUrl: 'https://r.x/openai/v1' },
  ])
  t.end()
})

test('the entry wins over the profile, the profile over the protocol', (t) => {
  const { providers } = load(`
providers:
  mine:
    profile: groq
    apiKey: k
    headers: { x-team: a }
    quirks: { refusedFields: [], maxTemperature: 1 }
    models: [ one ]
    extraBody: { options: { num_ctx: 1 } }
    maxConnections: 3
    keepAliveMs: 2000
    limits: { concurrency: 4 }
`).config
  t.match(providers, [
    {
      name: 'mine',
      profile: 'groq',
      headers: { 'x-team': 'a' },
      quirks: { refusedFields: [], maxTemperature: 1, reasoningField: 'reasoning', streamOptions: true },
      knownModels: ['one'],
      extraBody: { options: { num_ctx: 1 } },
      maxConnections: 3,
      keepAliveMs: 2000,
      limits: { concurrency: 4 },
    },
  ])
  t.end()
})

test('a key that no header can hold is refused by its path, and not shown', (t) => {
  for (const key of ['two words', 'kłucz', 'line\\nbreak']) {
    const message = refusalOf(() => load(`providers: { openai: { apiKey: "${key}" } }`))
    t.equal(message, 'providers.openai.apiKey: must be printable ASCII without spaces (line 1)')
  }
  t.end()
})

test('a server without a profile needs protocol and address, and no key', (t) => {
  const { providers } = load('providers: { local: { protocol: openai-chat, baseUrl: "http://127.0.0.1:8000" } }').config
  t.match(providers, [
    {
      profile: null,
      apiKey: null,
      auth: { kind: 'bearer' },
      baseUrl: 'http://127.0.0.1:8000/v1',
      modelPatterns: [],
      knownModels: [],
    },
  ])
  const keyed = load('providers: { local: { protocol: anthropic-messages, baseUrl: "http://h", apiKey: k } }').config
    .providers
  t.match(keyed, [
    { auth: { kind: 'header', name: 'x-api-key' }, quirks: { maxTemperature: 1, defaultMaxTokens: 8192 } },
  ])
  t.match(
    refusalOf(() => load('providers: { local: { protocol: openai-chat } }')),
    /^providers\.local\.baseUrl: is required/,
  )
  t.end()
})

test('a vendor may be spoken to over another wire, whose defaults then hold', (t) => {
  const text =
    'providers: { d: { profile: deepseek, protocol: anthropic-messages, baseUrl: "https://api.deepseek.com/anthropic", apiKey: k } }'
  t.match(load(text).config.providers, [
    {
      protocol: 'anthropic-messages',
      baseUrl: 'https://api.deepseek.com/anthropic/v1',
      auth: { kind: 'header', name: 'x-api-key' },
      quirks: { jsonSchema: 'tool' },
    },
  ])
  t.end()
})

test('a version segment of its own can be given, also none', (t) => {
  const text = 'providers: { p: { protocol: openai-chat, baseUrl: "https://h/inference", versionSegment: "" } }'
  t.match(load(text).config.providers, [{ baseUrl: 'https://h/inference' }])
  t.end()
})

test('a dated API stands below the path without the version', (t) => {
  const text =
    'providers: { azure-openai: { apiKey: k, baseUrl: "https://r.openai.azure.com", quirks: { deploymentApiVersion: "2024-10-21" } } }'
  t.match(load(text).config.providers, [
    { baseUrl: 'https://r.openai.azure.com/openai', quirks: { deploymentApiVersion: '2024-10-21' } },
  ])
  t.end()
})

test('a provider whose key variable is missing is left out with a warning while another one serves', (t) => {
  const { config } = load(
    'providers: { ollama: {}, openai: { apiKey: "${MY_KEY}" }, x: { protocol: openai-chat, baseUrl: "http://h", apiKey: "${X_KEY}" } }',
  )
  t.match(config.providers, [{ name: 'ollama' }])
  t.same(config.warnings, ['provider openai is ignored: MY_KEY is not set', 'provider x is ignored: X_KEY is not set'])
  t.equal(config.simulator, null)
  t.match(load('providers: { ollama: {}, openai: {} }').config.warnings, [
    /ignored: it has no apiKey, and OPENAI_API_KEY is not set/,
  ])
  const empty = load('providers: { ollama: {}, openai: { apiKey: "" } }')
  t.match(empty.config.warnings, [/ignored: it has no apiKey/])
  t.end()
})

test('a keyless server does without its key, and uses one that it is given', (t) => {
  t.match(load('providers: { ollama: { apiKey: "${OLLAMA}" } }').config.providers, [
    { apiKey: null, auth: { kind: 'bearer' } },
  ])
  t.match(load('providers: { vllm: { apiKey: k } }').config.providers, [{ apiKey: 'k', auth: { kind: 'bearer' } }])
  t.end()
})

test('a vendor behind an address of its own may ask for no key', (t) => {
  t.match(load('providers: { openai: { baseUrl: "http://proxy" } }').config.providers, [
    { apiKey: null, auth: { kind: 'bearer' } },
  ])
  t.end()
})

test('unknown profiles and protocols are refused with the nearest name', (t) => {
  t.equal(
    refusalOf(() => load('providers: { opnai: { apiKey: k } }')),
    'providers.opnai: is not a known profile, so profile or protocol is required (line 1); did you mean "openai"?',
  )
  t.match(
    refusalOf(() => load('providers: { p: { profile: groqq } }')),
    /^providers\.p\.profile: is not a known profile \(line 1\); did you mean "groq"\?$/,
  )
  t.match(
    refusalOf(() => load('providers: { p: { protocol: openai-chta, baseUrl: "http://h" } }')),
    /^providers\.p\.protocol: must be one of .*did you mean "openai-chat"\?$/,
  )
  t.end()
})

test('headers that the gateway sets itself are refused', (t) => {
  for (const name of ['host', 'content-length', 'transfer-encoding', 'connection']) {
    t.match(
      refusalOf(() => load(`providers: { openai: { apiKey: k, headers: { ${name}: x } } }`)),
      /is set by the gateway itself/,
    )
  }
  t.end()
})

test('the simulator is a provider like others', (t) => {
  const { providerDefaults } = load('')
  t.match(simulatorProvider(CATALOG, 'http://127.0.0.1:4010', providerDefaults), {
    name: 'sim',
    profile: 'sim',
    baseUrl: 'http://127.0.0.1:4010/v1',
    apiKey: null,
    auth: { kind: 'bearer' },
    knownModels: ['echo', 'lorem', 'tools', 'reason'],
  })
  t.match(
    refusalOf(() => simulatorProvider(CATALOG, 'nowhere', providerDefaults)),
    /is not a URL/,
  )
  t.match(
    refusalOf(() => simulatorProvider({ ...CATALOG, profiles: [] }, 'http://h', providerDefaults)),
    /is not a known profile/,
  )
  t.end()
})

test('what accounts hold is offered at the vendor’s own address, and elsewhere only if the entry says so', (t) => {
  const own = 'https://api.openai.com/v1'
  for (const [entry, offered] of [
    ['openai: { apiKey: k }', ['files', 'batches']],
    [`openai: { apiKey: k, baseUrl: "${own}" }`, ['files', 'batches']],
    ['openai: { apiKey: k, baseUrl: "http://proxy.local/v1" }', []],
    ['openai: { apiKey: k, baseUrl: "http://proxy.local/v1", endpoints: [ embeddings, files ] }', ['files']],
    ['openai: { apiKey: k, endpoints: [ embeddings ] }', []],
    ['groq: { apiKey: k }', ['files', 'batches']],
    ['deepseek: { apiKey: k }', []],
    ['mine: { protocol: openai-chat, baseUrl: "http://mine.local/v1" }', []],
    ['mine: { protocol: openai-chat, baseUrl: "http://mine.local/v1", endpoints: [ batches ] }', ['batches']],
  ] as const) {
    t.same(load(`providers: { ${entry} }`).config.providers[0]?.resources, offered, entry)
  }
  const { providerDefaults } = load('')
  t.same(simulatorProvider(CATALOG, 'http://127.0.0.1:5', providerDefaults).resources, ['files', 'batches'])
  const environment = { env: { OPENAI_BASE_URL: 'http://proxy.local/v1' } }
  const { wellKnown } = loadConfig(sources(environment)).config
  t.same(wellKnown.find(({ provider }) => provider.name === 'openai')?.provider.resources, [])
  t.same(wellKnown.find(({ provider }) => provider.name === 'groq')?.provider.resources, ['files', 'batches'])
  t.end()
})
