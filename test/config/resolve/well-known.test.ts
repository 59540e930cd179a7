// Vendors that callers with a key of their own may name: which there are, and at which address.
import { test } from 'tap'
import { loadConfig } from '../../../src/config/load.js'
import { load, sources } from '../sources.js'

type Known = Readonly<
  Record<string, { readonly baseUrl: string; readonly isKeyless: boolean; readonly headers: object }>
>

function knownOf(env: Record<string, string>, yaml = ''): Known {
  const files = yaml === '' ? {} : { '/w/sluice.yaml': yaml }
  const { wellKnown } = loadConfig(sources({ env, files })).config
  return Object.fromEntries(
    wellKnown.map(({ provider, isKeyless }) => {
      const { name, baseUrl, headers } = provider
      return [name, { baseUrl, isKeyless, headers }]
    }),
  )
}

test('every vendor with an address of its own, and none of them with a key', async (t) => {
  const known = knownOf({})
  t.match(known, {
    openai: { baseUrl: 'https://api.openai.com/v1', isKeyless: false },
    anthropic: { baseUrl: 'https://api.anthropic.com/v1', isKeyless: false },
    google: { isKeyless: false },
    openrouter: { isKeyless: false },
    ollama: { baseUrl: 'http://127.0.0.1:11434', isKeyless: true },
  })
  t.notOk('sim' in known)
  t.notOk('azure-openai' in known, 'without an address there is nowhere to go')
  const { wellKnown } = loadConfig(sources()).config
  t.ok(wellKnown.every(({ provider }) => provider.apiKey === null && provider.auth.kind !== 'none'))
})

test('the environment has the address and the fixed headers', async (t) => {
  const known = knownOf({
    OPENAI_BASE_URL: 'http://h:1',
    ANTHROPIC_VERSION: '2024-01-01',
    AZURE_OPENAI_ENDPOINT: 'http://z',
  })
  t.equal(known.openai?.baseUrl, 'http://h:1/v1')
  t.same(known.anthropic?.headers, { 'anthropic-version': '2024-01-01' })
  t.ok('azure-openai' in known)
  t.notOk('openai' in knownOf({ OPENAI_BASE_URL: 'ftp://h' }), 'an address that is none is no other one instead')
})

test('what is configured is not among them; an entry that only lacks its key keeps its own address', async (t) => {
  t.notOk('openai' in knownOf({ OPENAI_API_KEY: 'sk-operator-key-1' }))
  const yaml = 'providers: { ollama: {}, openai: { baseUrl: "http://inner:9/v1", apiKey: "${NO_SUCH_KEY}" } }'
  t.equal(knownOf({}, yaml).openai?.baseUrl, 'http://inner:9/v1')
})

test('timeouts of the environment hold for them, too', async (t) => {
  const { wellKnown } = load('', { HTTP_MAX_CONNECTIONS: '7' }).config
  t.equal(wellKnown.find(({ provider }) => provider.name === 'openai')?.provider.maxConnections, 7)
})
