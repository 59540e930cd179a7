// A configuration of LiteLLM, as one of this gateway.
import { test } from 'tap'
import { parse } from 'yaml'
import { importLitellm, runImport } from '../../../src/config/import/litellm.js'
import { type LitellmNames } from '../../../src/config/import/litellm-providers.js'
import { loadConfig } from '../../../src/config/load.js'
import { readCatalog, readImportNames } from '../../../src/config/read.js'
import { type JsonObject } from '../../../src/model/json.js'
import { thrownBy } from '../../helpers/thrown.js'

const NAMES = readImportNames('litellm') as LitellmNames
const VENDORS = {
  keyVariables: (profile: string) => (profile === 'ollama' ? [] : [`${profile.toUpperCase()}_API_KEY`]),
  providerOf: (model: string) => (model.startsWith('gpt') ? 'openai' : null),
}

function imported(source: object) {
  const { yaml, notes } = importLitellm(JSON.stringify(source), NAMES, VENDORS)
  return { config: parse(yaml) as JsonObject & { models: Record<string, JsonObject> }, yaml, notes }
}
const deployment = (name: string, params: object, facts?: object) => ({
  ...{ model_name: name, litellm_params: params },
  ...(facts === undefined ? {} : { model_info: facts }),
})

test('deployments of one name are targets of one model, and those with the same address and key share a provider', async (t) => {
  const { config, notes } = imported({
    model_list: [
      deployment('fast', { model: 'openai/gpt-4o-mini', api_key: 'os.environ/KEY_A', weight: 2 }),
      deployment('fast', { model: 'openai/gpt-4o-mini', api_key: 'os.environ/KEY_B', max_parallel_requests: 5 }),
      deployment('smart', { model: 'openai/gpt-4o', api_key: 'os.environ/KEY_A', temperature: 0.2, timeout: 30 }),
      deployment(
        'bare',
        { model: 'gpt-4o', api_key: 'os.environ/KEY_A', stream_timeout: 5 },
        { max_input_tokens: 9000, max_output_tokens: 500 },
      ),
      deployment('claude', { model: 'anthropic/claude-opus-4-8' }),
    ],
  })
  t.same(config.providers, {
    openai: { apiKey: `\${KEY_A}` },
    'openai-2': { profile: 'openai', apiKey: `\${KEY_B}` },
    anthropic: { apiKey: `\${ANTHROPIC_API_KEY}` },
  })
  t.same(config.models, {
    fast: {
      targets: [
        { provider: 'openai', model: 'gpt-4o-mini', weight: 2 },
        { provider: 'openai-2', model: 'gpt-4o-mini', concurrency: 5 },
      ],
    },
    smart: {
      targets: [{ provider: 'openai', model: 'gpt-4o', extraBody: { temperature: 0.2 } }],
      timeouts: { totalMs: 30_000 },
    },
    bare: {
      targets: [{ provider: 'openai', model: 'gpt-4o', contextTokens: 9000, maxOutputTokens: 500 }],
      timeouts: { firstTokenMs: 5000 },
    },
    claude: { targets: [{ provider: 'anthropic', model: 'claude-opus-4-8' }] },
  })
  t.same(notes, [])
})

test('a secret in the file is neither copied nor shown', async (t) => {
  const { config, yaml, notes } = imported({
    model_list: [
      deployment('a', { model: 'openai/gpt-4o', api_key: 'sk-secret-1' }),
      deployment('b', { model: 'openai/gpt-4o', api_key: 'sk-secret-2' }),
      deployment('c', { model: 'openai/gpt-4o', api_key: 'sk-secret-1' }),
    ],
    general_settings: { master_key: 'sk-secret-3' },
    router_settings: { redis_host: 'redis.example.com', redis_port: 6380, redis_password: 'sk-secret-4' },
    environment_variables: { LANGFUSE_SECRET: 'sk-secret-5' },
  })
  t.notMatch(yaml + notes.join('\n'), /sk-secret/)
  t.same(config.providers, {
    openai: { apiKey: `\${OPENAI_API_KEY}` },
    'openai-2': { profile: 'openai', apiKey: `\${OPENAI_API_KEY_2}` },
  })
  t.same(config.keys, [{ name: 'master', key: `\${LITELLM_MASTER_KEY}` }])
  t.same(config.redis, { url: `redis://:\${REDIS_PASSWORD}@redis.example.com:6380` })
  t.match(notes, [/api_key: .*OPENAI_API_KEY /, /OPENAI_API_KEY_2/])
  t.ok(notes.includes('environment_variables.LANGFUSE_SECRET: set it in the environment, or in .env'))
})

test('addresses of clouds and of servers of one’s own are carried over', async (t) => {
  const { config, notes } = imported({
    model_list: [
      deployment('azure', {
        ...{ model: 'azure/my-deployment', api_base: 'https://r.openai.azure.com/', api_version: '2024-10-21' },
        api_key: 'os.environ/AZURE_API_KEY',
      }),
      deployment('sonnet', { model: 'bedrock/anthropic.claude-sonnet-5' }),
      deployment('nova', { model: 'bedrock/amazon.nova-pro-v1:0', aws_region_name: 'eu-central-1' }),
      deployment('opus', {
        ...{ model: 'bedrock/converse/anthropic.claude-opus-4-8', aws_region_name: 'os.environ/AWS_REGION' },
        ...{ aws_access_key_id: 'os.environ/ID', aws_secret_access_key: 'os.environ/SECRET' },
      }),
      deployment('gemini', {
        ...{ model: 'vertex_ai/gemini-3.8-flash', vertex_project: 'p', vertex_location: 'eu' },
        vertex_credentials: 'account.json',
      }),
      deployment('local', { model: 'ollama_chat/llama3', api_base: 'http://127.0.0.1:11434' }),
      deployment('own', {
        model: 'openai_like/m',
        api_base: 'http://127.0.0.1:8000/v1',
        extra_headers: { 'X-A': '1' },
      }),
    ],
  })
  t.same(config.providers, {
    'azure-openai': {
      ...{ baseUrl: 'https://r.openai.azure.com/', apiKey: `\${AZURE_API_KEY}` },
      quirks: { deploymentApiVersion: '2024-10-21' },
    },
    bedrock: { profile: 'bedrock', protocol: 'anthropic-messages', credentials: { kind: 'aws' } },
    'bedrock-2': { profile: 'bedrock', address: { region: 'eu-central-1' }, credentials: { kind: 'aws' } },
    'bedrock-3': {
      ...{ profile: 'bedrock', protocol: 'anthropic-messages', address: { region: `\${AWS_REGION}` } },
      credentials: { kind: 'aws', accessKeyId: `\${ID}`, secretAccessKey: `\${SECRET}` },
    },
    vertex: { address: { project: 'p', location: 'eu' }, credentials: { kind: 'gcp', file: 'account.json' } },
    ollama: { baseUrl: 'http://127.0.0.1:11434' },
    openai_like: { protocol: 'openai-chat', baseUrl: 'http://127.0.0.1:8000/v1', headers: { 'x-a': '1' } },
  })
  t.same(config.models.opus, { targets: [{ provider: 'bedrock-3', model: 'anthropic.claude-opus-4-8' }] })
  t.same(notes.length, 1, 'the headers, which may hold a secret')
})

test('fallbacks, aliases, retries, prices and the cache are carried over', async (t) => {
  const { config, notes } = imported({
    model_list: [
      deployment(
        'a',
        { model: 'openai/a', input_cost_per_token: 0.00000015, output_cost_per_token: 6e-7 },
        { cache_read_input_token_cost: 7.5e-8, input_cost_per_audio_token: 1e-5 },
      ),
      deployment('b', { model: 'openai/b' }),
      deployment('c', { model: 'openai/c' }),
    ],
    litellm_settings: {
      ...{ fallbacks: [{ a: ['b', 'gone'] }], context_window_fallbacks: [{ a: ['c'] }], default_fallbacks: ['c'] },
      ...{ num_retries: 3, request_timeout: 600, cache: true, cache_params: { type: 'local', ttl: 120 } },
      success_callback: ['langfuse', 'prometheus'],
    },
    router_settings: {
      ...{ model_group_alias: { alias: 'b', lost: 'gone' }, allowed_fails: 3, cooldown_time: 30 },
      ...{ routing_strategy: 'latency-based-routing', enable_pre_call_checks: true },
    },
    general_settings: { global_max_parallel_requests: 50, database_url: 'os.environ/DATABASE_URL' },
    guardrails: [{}],
  })
  const shared = { timeouts: { totalMs: 600_000 }, cache: { ttlMs: 120_000, scope: 'key' } }
  t.same(config.models, {
    a: { targets: [{ provider: 'openai', model: 'a' }], fallbacks: ['b'], contextFallbacks: ['c'], ...shared },
    b: { targets: [{ provider: 'openai', model: 'b' }], fallbacks: ['c'], ...shared },
    c: { targets: [{ provider: 'openai', model: 'c' }], ...shared },
    alias: { targets: [{ provider: 'openai', model: 'b' }], fallbacks: ['c'], ...shared },
  })
  t.same(config.routing, { retries: { max: 3 }, breaker: { consecutiveFailures: 4, openMs: 30_000 } })
  t.same(config.prices, {
    enabled: true,
    models: { 'openai/a': { input: 0.15, output: 0.6, cacheRead: 0.075, audioInput: 10 } },
  })
  t.same(config.limits, { concurrency: 50 })
  const named = notes.map((note) => note.split(':')[0])
  t.same(
    named.toSorted(),
    [
      ...['file.guardrails', 'fallbacks.a', 'general_settings.database_url', 'litellm_settings.cache'],
      ...['litellm_settings.callbacks.langfuse', 'litellm_settings.callbacks.prometheus'],
      ...['router_settings.enable_pre_call_checks', 'router_settings.model_group_alias.lost'],
      'router_settings.routing_strategy',
    ].toSorted(),
  )
})

test('what cannot be reached is left out and named', async (t) => {
  const { config, notes } = imported({
    model_list: [
      deployment('a', { model: 'replicate/meta/llama' }),
      deployment('b', { model: 'mystery' }),
      deployment('c', { model: 'openai_like/m' }),
      deployment('*', { model: 'anthropic/*' }),
      deployment('*', { model: '*' }),
      deployment('d', { model: 'openai/x', rpm: 5 }),
    ],
  })
  t.same(Object.keys(config.models), ['d'])
  t.same(Object.keys(config.providers as object), ['anthropic', 'openai'])
  t.match(notes, [
    /replicate/,
    /model_list\[1\]/,
    /api_base: is required/,
    /anthropic\/<model>/,
    /every model as provider/,
    /\.rpm: not carried over/,
  ])
})

test('anything else is refused with a reason', async (t) => {
  for (const text of ['[', '[]', 'a: 1', 'model_list: 3']) {
    const thrown = thrownBy(() => importLitellm(text, NAMES, VENDORS))
    t.match(thrown, { code: 'misconfigured' }, text)
  }
})

test('what comes out is a configuration that loads', async (t) => {
  const source = `
model_list:
  - { model_name: gpt-4o, litellm_params: { model: gpt-4o, api_key: os.environ/OPENAI_API_KEY } }
  - { model_name: gpt-4o, litellm_params: { model: azure/d, api_base: "https://r.openai.azure.com", api_key: os.environ/K } }
  - { model_name: claude, litellm_params: { model: bedrock/anthropic.claude-opus-4-8, aws_region_name: eu-central-1 } }
  - { model_name: g, litellm_params: { model: vertex_ai/gemini-3.8-flash, vertex_project: p-1, vertex_location: eu } }
  - { model_name: odd, litellm_params: { model: "hosted_vllm/a\${b}", api_base: "http://127.0.0.1:8000/v1" } }
litellm_settings: { fallbacks: [{ gpt-4o: [claude] }], cache: true }
router_settings: { redis_host: 127.0.0.1, num_retries: 2 }
general_settings: { master_key: sk-1234567890123456 }
`
  const folder = t.testdir({ 'config.yaml': source })
  const { yaml } = runImport(`${folder}/config.yaml`)
  const env = { OPENAI_API_KEY: 'sk-a', K: 'sk-b', LITELLM_MASTER_KEY: 'sk-1234567890123456' }
  const { config } = loadConfig({
    ...{
      env,
      overrides: { config: 'sluice.yaml' },
      cwd: folder,
      packageRoot: folder,
      catalog: readCatalog(),
      cores: 2,
    },
    ...{ nowMs: 0, readFile: (file: string) => (file.endsWith('sluice.yaml') ? yaml : null), isReadable: () => true },
    onFile: () => {},
  })
  t.same(
    config.models.map(({ name }) => name),
    ['gpt-4o', 'claude', 'g', 'odd'],
  )
  t.same(config.models.at(-1)?.targets[0]?.model, `a\${b}`)
})

test('a model without a provider is one that this version knows, by name or by pattern', async (t) => {
  const model = (name: string) => `  - { model_name: ${name}, litellm_params: { model: ${name} } }\n`
  const folder = t.testdir({ 'config.yaml': `model_list:\n${['gpt-4o', 'claude-new', 'x'].map(model).join('')}` })
  const { yaml, notes } = runImport(`${folder}/config.yaml`)
  t.match(parse(yaml), { providers: { openai: { apiKey: '${OPENAI_API_KEY}' } } })
  t.same(Object.keys(parse(yaml).models), ['gpt-4o', 'claude-new'])
  t.equal(notes.length, 1)
})

test('a file that is not there is named', async (t) => {
  t.match(
    thrownBy(() => runImport('/nowhere/config.yaml')),
    { code: 'misconfigured', message: /nowhere/ },
  )
})
