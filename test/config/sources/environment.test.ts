// Each environment name, alone and in its conflicts: ours, the vendors', and those of the systems that are replaced.
import { createHash } from 'node:crypto'
import { test } from 'tap'
import { loadConfig } from '../../../src/config/load.js'
import { type Config } from '../../../src/config/types.js'
import { load, refusalOf, sources } from '../sources.js'

function from(env: Readonly<Record<string, string>>): Config {
  return loadConfig(sources({ env })).config
}
const sha256 = (key: string): string => createHash('sha256').update(key).digest('hex')

test('PORT and HOST set the listener', (t) => {
  t.match(from({ PORT: '8080', HOST: '::1' }).server, { port: 8080, host: '::1' })
  t.equal(
    refusalOf(() => from({ PORT: 'http' })),
    'server.port: must be an integer from 0 to 65535, not that string (from PORT)',
  )
  t.end()
})

test('ADMIN_KEY turns the admin API on, with a key of role write; ADMIN_PORT sets its port', (t) => {
  const key = 'admin-key-0123456789'
  t.same(from({ ADMIN_KEY: key, ADMIN_PORT: '4001' }).admin, {
    ...{ host: '127.0.0.1', port: 4001, allowedHosts: [], tls: null, maxKeptBytes: 0 },
    keys: [{ name: 'admin', keySha256: sha256(key), role: 'write' }],
  })
  t.same(from({}).admin.keys, [])
  t.end()
})

test('an empty variable counts as not set', (t) => {
  t.match(from({ PORT: '', API_KEY: '', OPENAI_API_KEY: '', LOG_LEVEL: '' }), {
    server: { port: 3000 },
    keys: [],
    providers: [],
  })
  t.end()
})

test('API_KEYS, API_KEY and API_TOKEN hold together, as hashes alone', (t) => {
  const { keys } = from({ API_KEYS: ' one , two,', API_KEY: 'three', API_TOKEN: 'your_secure_token' })
  t.same(
    keys.map((key) => [key.name, key.keySha256]),
    [
      ['key-1', sha256('one')],
      ['key-2', sha256('two')],
      ['api-key', sha256('three')],
      ['api-token', sha256('your_secure_token')],
    ],
  )
  t.match(keys[0], { models: ['*'], limits: { requestsPerMinute: null, tokensPerMinute: null, concurrency: null } })
  t.end()
})

test('one secret under several names is one key', (t) => {
  t.same(
    from({ API_KEYS: 'k,k', API_KEY: 'k', API_TOKEN: 'k' }).keys.map((key) => key.name),
    ['key-1'],
  )
  const { config } = load('keys: [ { name: team, key: k } ]', { API_KEY: 'k' })
  t.same(
    config.keys.map((key) => key.name),
    ['team'],
  )
  t.end()
})

test('each vendor is configured by its key variable', (t) => {
  const vendors: readonly (readonly [string, string])[] = [
    ['OPENAI_API_KEY', 'openai'],
    ['ANTHROPIC_API_KEY', 'anthropic'],
    ['GOOGLE_API_KEY', 'google'],
    ['GEMINI_API_KEY', 'google'],
    ['OPENROUTER_API_KEY', 'openrouter'],
    ['GROQ_API_KEY', 'groq'],
    ['MISTRAL_API_KEY', 'mistral'],
    ['DEEPSEEK_API_KEY', 'deepseek'],
    ['XAI_API_KEY', 'xai'],
    ['TOGETHER_API_KEY', 'together'],
    ['FIREWORKS_API_KEY', 'fireworks'],
    ['OLLAMA_API_KEY', 'ollama'],
  ]
  for (const [variable, name] of vendors) {
    const { providers, simulator } = from({ [variable]: 'sk-x' })
    t.match(providers, [{ name, profile: name, apiKey: 'sk-x' }], variable)
    t.equal(simulator, null)
  }
  t.match(from({ GOOGLE_API_KEY: 'a', GEMINI_API_KEY: 'b' }).providers, [{ apiKey: 'a' }])
  t.end()
})

test('each base URL variable sets the address, with or without the version', (t) => {
  const rows: readonly (readonly [Readonly<Record<string, string>>, string])[] = [
    [{ OPENAI_API_KEY: 'k', OPENAI_BASE_URL: 'http://h' }, 'http://h/v1'],
    [{ OPENAI_API_KEY: 'k', OPENAI_API_BASE_URL: 'http://h/v1/' }, 'http://h/v1'],
    [{ OPENAI_API_KEY: 'k', OPENAI_BASE_URL: 'http://a', OPENAI_API_BASE_URL: 'http://b' }, 'http://a/v1'],
    [{ ANTHROPIC_API_KEY: 'k', ANTHROPIC_BASE_URL: 'http://h' }, 'http://h/v1'],
    [{ GOOGLE_API_KEY: 'k', GOOGLE_BASE_URL: 'http://h/v1beta' }, 'http://h/v1beta'],
    [{ OPENROUTER_API_KEY: 'k', OPENROUTER_BASE_URL: 'http://h' }, 'http://h/api/v1'],
    [{ OLLAMA_BASE_URL: 'http://h:1' }, 'http://h:1'],
    [{ OLLAMA_BASE_URL: 'http://h:1/v1' }, 'http://h:1'],
    [{ VLLM_BASE_URL: 'http://h:1/v1' }, 'http://h:1/v1'],
    [
      { AZURE_OPENAI_API_KEY: 'k', AZURE_OPENAI_ENDPOINT: 'https://r.openai.azure.com/' },
      'https://r.openai.azure.com/openai/v1',
    ],
  ]
  for (const [env, baseUrl] of rows) t.match(from(env).providers, [{ baseUrl }], JSON.stringify(env))
  t.end()
})

test('an address alone configures a keyless server, not one that needs a key', (t) => {
  t.match(from({ VLLM_BASE_URL: 'http://h' }).providers, [{ name: 'vllm', apiKey: null, auth: { kind: 'bearer' } }])
  t.same(from({ OPENAI_BASE_URL: 'http://h' }).providers, [])
  t.end()
})

test('a vendor without a common address is left out until it has one', (t) => {
  const config = from({ AZURE_OPENAI_API_KEY: 'sk-secret', GROQ_API_KEY: 'k' })
  t.match(config.providers, [{ name: 'groq' }])
  t.match(config.warnings, [
    /AZURE_OPENAI_API_KEY is set, but azure-openai also requires AZURE_OPENAI_ENDPOINT or AZURE_RESOURCE_NAME/,
  ])
  t.notMatch(JSON.stringify(config.warnings), /sk-secret/)
  t.end()
})

test('ANTHROPIC_VERSION sets the header of that provider', (t) => {
  t.match(from({ ANTHROPIC_API_KEY: 'k', ANTHROPIC_VERSION: '2024-01-01' }).providers, [
    { headers: { 'anthropic-version': '2024-01-01' } },
  ])
  t.same(from({ ANTHROPIC_VERSION: '2024-01-01' }).providers, [])
  t.end()
})

test('the environment fills and overrides the entry of that name', (t) => {
  const filled = load('providers: { openai: { limits: { concurrency: 2 } } }', { OPENAI_API_KEY: 'k' }).config
  t.match(filled.providers, [{ name: 'openai', apiKey: 'k', limits: { concurrency: 2 } }])
  const overridden = load('providers: { openai: { apiKey: old } }', { OPENAI_API_KEY: 'new' }).config
  t.match(overridden.providers, [{ apiKey: 'new' }])
  t.end()
})

test('a key is never sent to an address that it was not meant for', (t) => {
  const { providers, warnings } = load('providers: { openai: { apiKey: proxy, baseUrl: "http://proxy" } }', {
    OPENAI_API_KEY: 'sk-real',
  }).config
  t.match(providers, [{ apiKey: 'proxy', baseUrl: 'http://proxy/v1' }])
  t.match(warnings, [/OPENAI_API_KEY is ignored/])
  t.end()
})

test('an entry of that name that is another vendor, or none, never gets the key', (t) => {
  const env = { OPENAI_API_KEY: 'sk-real' }
  const other = load('providers: { openai: { profile: groq, apiKey: g } }', env).config.providers
  t.match(other, [{ name: 'openai', profile: 'groq', apiKey: 'g' }])
  t.equal(other.length, 1)
  const bare = load('providers: { openai: { protocol: openai-chat, baseUrl: "http://h" } }', env).config.providers
  t.match(bare, [{ name: 'openai', profile: null, apiKey: null }])
  t.end()
})

test('an entry of another name gets the key if it says nothing of key or address', (t) => {
  const env = { OPENAI_API_KEY: 'sk-real' }
  t.match(load('providers: { prod: { profile: openai } }', env).config.providers, [{ name: 'prod', apiKey: 'sk-real' }])
  const text =
    'providers: { prod: { profile: openai, baseUrl: "http://h" }, dev: { profile: openai, apiKey: "${DEV}" } }'
  const { providers, warnings } = load(text, env).config
  t.match(providers, [{ name: 'prod', apiKey: null }])
  t.same(warnings, ['provider dev is ignored: DEV is not set'])
  t.end()
})

test('an entry that uses the profile under another name is not doubled', (t) => {
  const { providers } = load('providers: { prod: { profile: openai, apiKey: "${OPENAI_API_KEY}" } }', {
    OPENAI_API_KEY: 'k',
  }).config
  t.match(providers, [{ name: 'prod', profile: 'openai', apiKey: 'k' }])
  t.equal(providers.length, 1)
  t.end()
})

test('HTTP_TIMEOUT_SECONDS bounds the silence of providers, LLM_PROXY_API_TIMEOUT the total time', (t) => {
  const timeouts = (env: Readonly<Record<string, string>>) =>
    from({ OPENAI_API_KEY: 'k', ...env }).providers[0]?.timeouts
  const short = { firstTokenMs: 1500, betweenTokensMs: 1500, wholeMs: 1500, totalMs: 600_000, connectMs: 5000 }
  t.same(timeouts({ HTTP_TIMEOUT_SECONDS: '1.5' }), short, 'a stream may go on for longer')
  t.match(timeouts({ HTTP_TIMEOUT_SECONDS: '900' }), { firstTokenMs: 900_000, totalMs: 900_000 })
  t.match(timeouts({ LLM_PROXY_API_TIMEOUT: '300' }), { totalMs: 300_000, wholeMs: null })
  const both = { HTTP_TIMEOUT_SECONDS: '10', LLM_PROXY_API_TIMEOUT: '300' }
  t.match(timeouts(both), { wholeMs: 10_000, totalMs: 300_000 })
  const { providerDefaults } = loadConfig(sources({ env: both }))
  t.match(providerDefaults, { timeouts: { wholeMs: 10_000, totalMs: 300_000 } }, 'providers found later too')
  t.match(
    refusalOf(() => from({ HTTP_TIMEOUT_SECONDS: 'long' })),
    /^timeouts\.firstTokenMs: must be an integer .* \(from HTTP_TIMEOUT_SECONDS\)$/m,
  )
  t.end()
})

test('HTTP_MAX_KEEPALIVE_CONNECTIONS caps the connections of every provider that are kept', (t) => {
  const env = { OPENAI_API_KEY: 'k', HTTP_MAX_KEEPALIVE_CONNECTIONS: '0' }
  t.match(from(env).providers, [{ maxIdleConnections: 0 }])
  t.end()
})

test('HTTP_MAX_CONNECTIONS caps the connections of every provider', (t) => {
  t.match(from({ OPENAI_API_KEY: 'k', GROQ_API_KEY: 'k', HTTP_MAX_CONNECTIONS: '7' }).providers, [
    { maxConnections: 7 },
    { maxConnections: 7 },
  ])
  t.match(
    refusalOf(() => from({ OPENAI_API_KEY: 'k', HTTP_MAX_CONNECTIONS: '0' })),
    /^maxConnections: .*HTTP_MAX_CONNECTIONS\)$/,
  )
  t.end()
})

test('a system’s path prefix and debug mode set the habits that stand for them', (t) => {
  t.match(from({}).compat, { apiPrefix: '/api', errorDetails: false })
  t.match(from({ LLM_PROXY_API_EP_PREFIX: 'llm/v2/', LLM_PROXY_API_IN_DEBUG: '0' }).compat, {
    apiPrefix: '/llm/v2',
    errorDetails: true,
  })
  t.match(
    refusalOf(() => from({ LLM_PROXY_API_EP_PREFIX: '/a b' })),
    /^compat\.apiPrefix: .* \(from LLM_PROXY_API_EP_PREFIX\)$/,
  )
  t.end()
})

test('the log level is read in any system’s words, LOG_LEVEL winning', (t) => {
  const level = (env: Readonly<Record<string, string>>): string => from(env).log.level
  t.equal(level({ LOG_LEVEL: 'DEBUG' }), 'debug')
  t.equal(level({ LOG_LEVEL: 'WARNING' }), 'warn')
  t.equal(level({ LOG_LEVEL: 'critical' }), 'error')
  for (const name of ['DEBUG', 'INFO', 'WARN', 'ERROR', 'debug', 'Warn'])
    t.equal(level({ LLM_PROXY_API_LOG_LEVEL: name }), name.toLowerCase())
  t.equal(level({ LLM_PROXY_API_LOG_LEVEL: 'ERROR', LOG_LEVEL: 'info' }), 'info')
  t.equal(level({ LLM_PROXY_API_IN_DEBUG: '1', LLM_PROXY_API_LOG_LEVEL: 'INFO' }), 'debug')
  t.equal(level({ LLM_PROXY_API_IN_DEBUG: '1', LOG_LEVEL: 'warn' }), 'warn')
  t.match(
    refusalOf(() => level({ LOG_LEVEL: 'loud' })),
    /^log\.level: must be one of .* \(from LOG_LEVEL\)/,
  )
  t.end()
})

test('LLM_PROXY_API_LOG_FILENAME names the log file, below the working directory', (t) => {
  t.equal(from({ LLM_PROXY_API_LOG_FILENAME: 'proxy.log' }).log.file, '/w/proxy.log')
  t.end()
})

test('RATE_LIMIT_REQUESTS and RATE_LIMIT_WINDOW_SECONDS set each key’s requests a window', (t) => {
  const rate = (env: Readonly<Record<string, string>>) =>
    from({ API_KEYS: 'a,b', ...env }).keys.map(({ limits }) => [limits.requestsPerMinute, limits.requestWindowSeconds])
  const twice = (requests: number, seconds: number) => [
    [requests, seconds],
    [requests, seconds],
  ]
  t.same(rate({ RATE_LIMIT_REQUESTS: '10' }), twice(10, 60))
  t.same(rate({ RATE_LIMIT_REQUESTS: '10', RATE_LIMIT_WINDOW_SECONDS: '1' }), twice(10, 1))
  t.same(rate({ RATE_LIMIT_REQUESTS: '5', RATE_LIMIT_WINDOW_SECONDS: '3600' }), twice(5, 3600))
  const file = load('keys: [ { name: a, key: a, limits: { requestsPerMinute: 3, concurrency: 2 } } ]', {
    RATE_LIMIT_REQUESTS: '9',
  })
  t.match(file.config.keys, [{ limits: { requestsPerMinute: 9, concurrency: 2 } }])
  t.match(from({ RATE_LIMIT_REQUESTS: '9' }).warnings, [/none are configured/])
  t.match(from({ RATE_LIMIT_REQUESTS: 'x' }).warnings, [/must be integers above 0/])
  t.match(from({ RATE_LIMIT_REQUESTS: '9', RATE_LIMIT_WINDOW_SECONDS: '0' }).warnings, [/must be integers above 0/])
  t.end()
})

test('REDIS_URL is redis.url', (t) => {
  t.equal(from({ REDIS_URL: 'redis://:secret@h:6379/1' }).redis.url, 'redis://:secret@h:6379/1')
  const message = refusalOf(() => from({ REDIS_URL: 'sk-secret' }))
  t.match(message, /^redis\.url: .* \(from REDIS_URL\)$/)
  t.notMatch(message, 'sk-secret')
  t.end()
})

test('names of later features are accepted with a warning, unless they ask for nothing', (t) => {
  t.same(from({ LLM_PROXY_API_MINIMUM: '1' }).warnings, [])
  t.end()
})

test('jobs are named by the variables of the proxy that queued everything', (t) => {
  t.match(from({ MAX_CONCURRENT: '7' }).jobs, { concurrency: 7 })
  for (const word of ['1', 'true', 'YES', 'on']) t.equal(from({ ASYNC_BY_DEFAULT: word }).compat.asyncByDefault, true)
  for (const word of ['0', 'false', 'No', 'off']) t.equal(from({ ASYNC_BY_DEFAULT: word }).compat.asyncByDefault, false)
  t.match(
    refusalOf(() => from({ ASYNC_BY_DEFAULT: 'perhaps' })),
    /^compat\.asyncByDefault: must be a boolean/,
  )
  t.end()
})

test('the prompt library and the word of /health are named by their variables', (t) => {
  const env = { LLM_PROXY_API_PROMPTS_DIR: 'p', LLM_PROXY_API_DEFAULT_EP_LANGUAGE: 'pl', HEALTH_STATUS: 'healthy' }
  const { config } = loadConfig(sources({ env, files: { '/w/p': '' } }))
  t.match(config, {
    prompts: { dir: '/w/p', defaultLanguage: 'pl' },
    compat: { healthStatus: 'healthy' },
    warnings: [],
  })
  t.match(
    refusalOf(() => from({ LLM_PROXY_API_DEFAULT_EP_LANGUAGE: '../pl' })),
    /^prompts\.defaultLanguage: .* \(from LLM_PROXY_API_DEFAULT_EP_LANGUAGE\)$/,
  )
  t.end()
})

test('an address that is a placeholder counts as not set; another that is no URL is refused', (t) => {
  const config = from({ OPENAI_API_KEY: 'your-api-key-here', OPENAI_API_BASE_URL: 'your-endpoint-here' })
  t.match(config.providers, [{ name: 'openai', baseUrl: 'https://api.openai.com/v1', apiKey: 'your-api-key-here' }])
  t.same(config.warnings, [
    'OPENAI_API_BASE_URL contains a placeholder from documentation',
    'OPENAI_API_KEY contains a placeholder from documentation',
  ])
  const both = { OPENAI_API_KEY: 'k', OPENAI_BASE_URL: 'your-endpoint-here', OPENAI_API_BASE_URL: 'http://mine' }
  t.match(from(both).providers, [{ baseUrl: 'http://mine/v1' }])
  t.same(from({ OLLAMA_BASE_URL: 'your-endpoint-here' }).providers, [])
  t.match(
    refusalOf(() => from({ OPENAI_API_KEY: 'k', OPENAI_BASE_URL: 'myhost' })),
    /^providers\.openai\.baseUrl: is not a URL/,
  )
  t.end()
})
