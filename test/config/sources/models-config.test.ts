// models-config.json in both of its shapes, through loading as a whole: what becomes of it, what wins over it, what is wrong.
import { test } from 'tap'
import { loadConfig } from '../../../src/config/load.js'
import { type Config } from '../../../src/config/types.js'
import { refusalOf, sources } from '../sources.js'

const FILE = '/w/resources/configs/models-config.json'
const ENV = { LLM_PROXY_API_MODELS_CONFIG: 'resources/configs/models-config.json' }

function load(models: object | string, env: Readonly<Record<string, string>> = {}, sluice = ''): Config {
  const text = typeof models === 'string' ? models : JSON.stringify(models, null, 2)
  return loadConfig(sources({ env: { ...ENV, ...env }, files: { [FILE]: text, '/w/sluice.yaml': sluice } })).config
}

test('provider -> model -> default options becomes models with these options', async (t) => {
  const { models, providers, warnings } = load(
    {
      ollama: { 'llama3:8b': { keep_alive: '30m', options: { num_ctx: 8192 }, temperature: 0.7 } },
      openai: { 'gpt-4o': { temperature: 0.2 }, 'gpt-4o-mini': {} },
    },
    { OPENAI_API_KEY: 'k' },
  )
  const rest = {
    fallbacks: [],
    contextFallbacks: [],
    affinity: 'none',
    timeouts: {},
    hedge: null,
    coalesce: false,
    cache: null,
  }
  const plain = { weight: 1, concurrency: null, thinking: null, contextTokens: null, maxOutputTokens: null }
  const ollama = { keep_alive: '30m', options: { num_ctx: 8192 }, temperature: 0.7 }
  t.same(models, [
    {
      name: 'llama3:8b',
      targets: [{ provider: 'ollama', model: 'llama3:8b', ...plain, extraBody: ollama }],
      ...rest,
    },
    {
      name: 'gpt-4o',
      targets: [{ provider: 'openai', model: 'gpt-4o', ...plain, extraBody: { temperature: 0.2 } }],
      ...rest,
    },
    {
      name: 'gpt-4o-mini',
      targets: [{ provider: 'openai', model: 'gpt-4o-mini', ...plain, extraBody: {} }],
      ...rest,
    },
  ])
  t.same(providers.map(({ name }) => name).sort(), ['ollama', 'openai'])
  t.same(warnings, [])
})

test('a group’s default options lie under the model’s own, at every depth, and overrides above both', async (t) => {
  const { models } = load({
    ollama: {
      default_options: { keep_alive: '5m', options: { num_ctx: 4096, top_k: 20 } },
      a: { options: { num_ctx: 8192 } },
      b: { default_options: { seed: 1, temperature: 0 }, overrides: { keep_alive: -1, temperature: 1 } },
    },
  })
  t.match(models, [
    { name: 'a', targets: [{ extraBody: { keep_alive: '5m', options: { num_ctx: 8192, top_k: 20 } } }] },
    { name: 'b', targets: [{ extraBody: { keep_alive: -1, seed: 1, temperature: 1, options: { num_ctx: 4096 } } }] },
  ])
})

const GROUPS = {
  google_models: {
    'google/gemma-3-12b-it': {
      api_host: 'http://10.0.0.1:7000/',
      api_token: '',
      api_type: 'vllm',
      input_size: 4096,
      model_path: '',
    },
    'google/gemma-3-27b-it': {
      api_host: 'http://10.0.0.2:7000/',
      api_token: 'secret-token-of-27b',
      api_type: 'openai',
      input_size: 8192,
      model_path: '/models/gemma-27b',
    },
    unused: { api_host: 'http://10.0.0.3', api_token: '', api_type: 'ollama', input_size: 1, model_path: '' },
  },
  qwen: { 'qwen3:8b': { api_host: 'http://10.0.0.1:11434', api_type: 'OLLAMA', keep_alive: '1h' } },
  active_models: { google_models: ['google/gemma-3-12b-it', 'google/gemma-3-27b-it'], qwen: ['qwen3:8b'] },
}

test('groups with addresses become providers; only active models are served, by their model_path', async (t) => {
  const { models, providers } = load(GROUPS, { OPENAI_API_KEY: 'sk-real' })
  t.same(
    providers.map(({ name, profile, baseUrl, apiKey }) => [name, profile, baseUrl, apiKey]),
    [
      ['google_models', 'vllm', 'http://10.0.0.1:7000/v1', null],
      ['google_models-2', 'openai', 'http://10.0.0.2:7000/v1', 'secret-token-of-27b'],
      ['qwen', 'ollama', 'http://10.0.0.1:11434', null],
    ],
    'and a key of the environment reaches none of these addresses',
  )
  t.same(
    models.map(({ name, targets }) => [name, targets[0]?.provider, targets[0]?.model, targets[0]?.extraBody]),
    [
      ['google/gemma-3-12b-it', 'google_models', 'google/gemma-3-12b-it', {}],
      ['google/gemma-3-27b-it', 'google_models-2', '/models/gemma-27b', {}],
      ['qwen3:8b', 'qwen', 'qwen3:8b', { keep_alive: '1h' }],
    ],
  )
})

test('a protocol may stand for a vendor, models of one address share a provider, a token alone is the vendor’s key', async (t) => {
  const place = { api_host: 'http://h:1', api_type: 'anthropic_messages' }
  const { providers, models } = load(
    {
      mine: { a: place, b: { ...place, top_k: 3 } },
      theirs: { api_type: 'groq', api_token: '${GROQ_TOKEN}', c: {} },
      same: { d: { api_host: 'https://api.openai.com', api_type: 'openai', api_token: '' } },
    },
    { GROQ_TOKEN: 'gsk', OPENAI_API_KEY: 'sk-real' },
  )
  t.same(
    providers.map(({ name, profile, protocol, apiKey }) => [name, profile, protocol, apiKey]),
    [
      ['mine', null, 'anthropic-messages', null],
      ['theirs', 'groq', 'openai-chat', 'gsk'],
      ['openai', 'openai', 'openai-chat', 'sk-real'],
    ],
  )
  t.same(
    models.map(({ targets }) => targets[0]?.provider),
    ['mine', 'mine', 'theirs', 'openai'],
  )
})

test('one name in two groups is one model with two targets', async (t) => {
  const { models } = load({ a: { m: { api_host: 'http://a', api_type: 'vllm' } }, ollama: { m: {} } })
  t.match(models, [{ name: 'm', targets: [{ provider: 'a' }, { provider: 'ollama' }] }])
  t.equal(models.length, 1)
})

test('the configuration file wins: its providers are used and kept, its models stay', async (t) => {
  const sluice =
    'providers: { vllm: { baseUrl: "http://mine", extraBody: { options: { a: 1, b: 1 } } } }\nmodels: { m: vllm/x }'
  const { models, providers, warnings } = load(
    { vllm: { m: { seed: 1 }, n: { options: { b: 2 } }, o: { api_host: 'http://other', api_type: 'vllm' } } },
    {},
    sluice,
  )
  t.match(models, [
    { name: 'm', targets: [{ model: 'x' }] },
    { name: 'n', targets: [{ provider: 'vllm', extraBody: { options: { a: 1, b: 2 } } }] },
    { name: 'o', targets: [{ provider: 'vllm-2' }] },
  ])
  t.match(providers, [{ baseUrl: 'http://mine/v1' }, { name: 'vllm-2', baseUrl: 'http://other/v1' }])
  t.same(warnings, [
    'resources/configs/models-config.json: m is ignored: the configuration already has a model of that name',
  ])
})

test('a model whose vendor has no key is left out with a warning', async (t) => {
  const { models, warnings } = load({ openai: { 'gpt-4o': {} }, ollama: { llama3: {} } })
  t.match(models, [{ name: 'llama3' }])
  t.match(warnings, [/models\.gpt-4o\.targets\.0 is ignored: provider openai has no key/, /model gpt-4o is ignored/])
})

test('reports all problems at once, with file, path, reason and line', async (t) => {
  const text = `{
  "olama": { "a": {} },
  "x": {
    "b": { "api_host": "http://h", "api_type": "opnai" },
    "c": { "api_host": 5, "api_type": "vllm" },
    "d": "gpt",
    "e": { "api_type": "openai-chat" }
  },
  "bad name!": {},
  "openai": ["gpt-4o"],
  "ollama": { "default_options": 1, "f": { "overrides": [] } },
  "active_models": { "x": ["b", "c", "d", "e", "bb"], "olama": ["a"], "y": [], "ollama": ["f"] }
}`
  const at = (line: number): string => `(from resources/configs/models-config.json line ${line})`
  t.same(
    refusalOf(() => load(text))
      .split('\n')
      .sort(),
    [
      `active_models.x.4: is not a model of x ${at(12)}; did you mean "b"?`,
      `active_models.y: is not a group in this file ${at(12)}; did you mean "x"?`,
      `bad name!: must be a name matching ^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$ ${at(9)}`,
      `olama: is not a known provider; name one, or set api_type and api_host on its models ${at(2)}; did you mean "ollama"?`,
      `ollama.default_options: must be an object ${at(11)}`,
      `ollama.f.overrides: must be an object ${at(11)}`,
      `openai: must be an object of models ${at(10)}`,
      `x.b.api_type: is neither a vendor profile nor a protocol ${at(4)}; did you mean "openai"?`,
      `x.c.api_host: must be a string ${at(5)}`,
      `x.d: must be an object of options ${at(6)}`,
      `x.e.api_host: is required ${at(7)}`,
    ],
  )
  t.match(
    refusalOf(() => load('{\n  "a": {\n    "b": {,}\n')),
    /^syntax error: .* \(from resources\/\S+ line \d\)/,
  )
  t.match(
    refusalOf(() => load('[]')),
    /^must be an object of providers \(from \S+ line 1\)$/,
  )
  t.match(
    refusalOf(() => load({ ollama: { a: {} }, active_models: [] })),
    /active_models: must be an object of lists/,
  )
  t.match(
    refusalOf(() => load({ ollama: { a: {} }, active_models: { ollama: 'a' } })),
    /must be a list of model names/,
  )
})

test('problems found by the final check have their line too', async (t) => {
  const place = { api_host: 'no url', api_type: 'vllm' }
  t.match(
    refusalOf(() => load({ a: { m: place } })),
    /^providers\.a\.baseUrl: is not a URL.* \(from resources\/configs\/models-config\.json line 3\)$/,
  )
  t.match(
    refusalOf(() => load({ ollama: { 'a model': {} } })),
    /^models\.a model: .* \(from \S+ line 3\)$/,
  )
})

test('no secret of the file is ever printed', async (t) => {
  const canary = 'sk-CANARY-0123456789'
  const wrong = [
    { a: { m: { api_token: [canary], api_type: 'vllm' } } },
    { a: { m: { api_token: `${canary} x`, api_type: 'vllm', api_host: 'http://h' } } },
    { a: { m: { api_token: canary, api_host: `http://${canary}@h`, api_type: 'vllm' } } },
    `{"a": {"m": {"api_token": "${canary}`,
  ]
  for (const each of wrong)
    t.notMatch(
      refusalOf(() => load(each)),
      /CANARY/,
      JSON.stringify(each),
    )
})

test('a file named by the environment may be missing, one named by the configuration may not', async (t) => {
  const { config } = loadConfig(sources({ env: ENV }))
  t.match(config.warnings, [
    /LLM_PROXY_API_MODELS_CONFIG: the file resources\/configs\/models-config\.json does not exist/,
  ])
  const files = { '/w/sluice.yaml': 'compat: { modelsConfig: models.json }' }
  t.equal(
    refusalOf(() => loadConfig(sources({ files }))),
    'compat.modelsConfig: the file models.json does not exist',
  )
  const both = { ...files, '/w/models.json': '{"ollama":{"m":{}}}' }
  t.match(loadConfig(sources({ files: both })).config.models, [{ name: 'm' }])
})
