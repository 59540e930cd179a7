// Local discovery: what answers is added, what is configured or something else is not, and nothing waits long.
import { test } from 'tap'
import { discoverLocal, withProviders, withSimulator } from '../../src/config/discover.js'
import { simulatorProvider } from '../../src/config/resolve/providers.js'
import { CATALOG, load } from './sources.js'

const OLLAMA = 'http://127.0.0.1:11434/v1/models'
const VLLM = 'http://127.0.0.1:8000/v1/models'
const LIST = JSON.stringify({
  object: 'list',
  data: [{ id: 'llama3', owned_by: 'library' }, { id: 'x/y', owned_by: 'vllm' }, { id: 5 }],
})

/** Answers by URL; the asked URLs are kept. */
function answering(answers: Readonly<Record<string, string>>) {
  const asked: string[] = []
  const timeouts: number[] = []
  const getLocal = async (url: string, timeoutMs: number): Promise<string | null> => {
    asked.push(url)
    timeouts.push(timeoutMs)
    return answers[url] ?? null
  }
  return { asked, timeouts, getLocal }
}

test('servers that answer are added with the models they have', async (t) => {
  const { getLocal, timeouts } = answering({ [OLLAMA]: LIST, [VLLM]: LIST })
  const found = await discoverLocal(CATALOG, load('', { HTTP_TIMEOUT_SECONDS: '9' }), getLocal)
  t.match(found, [
    {
      name: 'ollama',
      baseUrl: 'http://127.0.0.1:11434',
      knownModels: ['llama3', 'x/y'],
      apiKey: null,
      timeouts: { wholeMs: 9000 },
    },
    { name: 'vllm', baseUrl: 'http://127.0.0.1:8000/v1', knownModels: ['llama3', 'x/y'] },
  ])
  t.same(timeouts, [300, 300])
})

test('silence, other servers and rubbish add nothing', async (t) => {
  const none = async (answers: Readonly<Record<string, string>>) =>
    discoverLocal(CATALOG, load(''), answering(answers).getLocal)
  t.same(await none({}), [])
  t.same(await none({ [OLLAMA]: '<html>', [VLLM]: '[]' }), [])
  t.same(await none({ [OLLAMA]: '{"ok":true}', [VLLM]: '{"data":[{"id":"a","owned_by":"me"}]}' }), [])
  t.match(await none({ [OLLAMA]: '{"object":"list","data":null}' }), [{ name: 'ollama', knownModels: [] }])
})

test('what is configured is not asked, by name, profile or address', async (t) => {
  const texts = [
    'providers: { ollama: {}, vllm: {} }',
    'providers: { a: { profile: ollama, baseUrl: "http://h" }, b: { profile: vllm } }',
    'providers: { a: { protocol: openai-chat, baseUrl: "http://localhost:11434" }, b: { protocol: openai-chat, baseUrl: "http://127.0.0.1:8000/v1" } }',
  ]
  for (const text of texts) {
    const { asked, getLocal } = answering({ [OLLAMA]: LIST, [VLLM]: LIST })
    t.same(await discoverLocal(CATALOG, load(text), getLocal), [], text)
    t.same(asked, [], text)
  }
})

test('found providers stand behind the configured ones, frozen, and replace the simulator', async (t) => {
  const { config, providerDefaults } = load('')
  const found = await discoverLocal(CATALOG, { config, providerDefaults }, answering({ [OLLAMA]: LIST }).getLocal)
  const more = withProviders(config, found)
  t.match(more, { simulator: null, providers: [{ name: 'ollama' }] })
  t.ok(Object.isFrozen(more.providers[0]?.quirks))
  t.same(config.providers, [], 'the first one is left as it was')
  const simulated = withProviders(config, [simulatorProvider(CATALOG, 'http://127.0.0.1:1', providerDefaults)])
  t.match(simulated, { simulator: 'stand-in', providers: [{ name: 'sim' }] })
  const keyed = load('', { OPENAI_API_KEY: 'k' }).config
  t.match(
    withProviders(keyed, found).providers.map((provider) => provider.name),
    ['openai', 'ollama'],
  )
})

test('a simulator that is asked for gets its address in its place, and stays beside whatever is found', async (t) => {
  const loaded = load('providers: { sim: { limits: { concurrency: 3 } }, openai: { apiKey: k } }')
  t.equal(loaded.config.simulator, 'asked')
  const found = await discoverLocal(CATALOG, loaded, answering({ [OLLAMA]: LIST }).getLocal)
  const { providerDefaults } = loaded
  const facts = { catalog: CATALOG, origin: 'http://127.0.0.1:4010', providerDefaults }
  const config = withSimulator(withProviders(loaded.config, found), facts)
  t.match(config, {
    simulator: 'asked',
    providers: [
      { name: 'sim', baseUrl: 'http://127.0.0.1:4010/v1', limits: { concurrency: 3 } },
      { name: 'openai' },
      { name: 'ollama' },
    ],
  })
  t.ok(Object.isFrozen(config.providers[0]))
})

test('a simulator that serves without providers comes last', async (t) => {
  const { config, providerDefaults } = load('')
  const facts = { catalog: CATALOG, origin: 'http://127.0.0.1:4010', providerDefaults }
  t.match(withSimulator(config, facts), { simulator: 'stand-in', providers: [{ name: 'sim' }] })
})
