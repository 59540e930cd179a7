// Rules that span sections: who may listen where, certificates, workers, and warnings of what is still to come.
import { test } from 'tap'
import { loadConfig } from '../../../src/config/load.js'
import { isLoopback } from '../../../src/config/resolve/addresses.js'
import { load, refusalOf, sources } from '../sources.js'

test('without gateway keys only loopback is listened on, and the refusal says why', (t) => {
  for (const host of [
    '0.0.0.0',
    '::',
    '192.168.1.1',
    'example.com',
    '127.evil.com',
    '127.1',
    'localhost.evil.com',
    '::ffff:127.0.0.1',
  ]) {
    const message = refusalOf(() => load('', { HOST: host }))
    t.match(
      message,
      /^server\.host: must be a loopback address unless gateway keys are configured, .*provider keys.* \(from HOST\)$/,
      host,
    )
  }
  for (const host of ['127.0.0.1', '127.9.9.9', 'localhost', '::1'])
    t.equal(load('', { HOST: host }).config.server.host, host)
  t.match(
    refusalOf(() => load('server:\n  host: 0.0.0.0\n')),
    /\(line 2\)$/,
  )
  t.end()
})

test('with a gateway key any address may be listened on', (t) => {
  t.equal(load('', { HOST: '0.0.0.0', API_KEY: 'k' }).config.server.host, '0.0.0.0')
  t.ok(isLoopback('127.0.0.1'))
  t.end()
})

test('auto workers leave one core to the event loop', (t) => {
  const workers = (cores: number) => loadConfig(sources({ cores })).config.offload.workers
  t.same([1, 2, 8].map(workers), [1, 1, 7])
  t.equal(load('offload: { workers: 3 }').config.offload.workers, 3)
  t.end()
})

test('the prefix of the conversation API is a path without a slash at its end, and takes no other API’s routes', (t) => {
  t.equal(load('compat: { ollamaPrefix: "/a/b/" }').config.compat.ollamaPrefix, '/a/b')
  t.equal(load('compat: { ollamaPrefix: "", apiPrefix: "/talk" }').config.compat.ollamaPrefix, '')
  for (const compat of ['ollamaPrefix: ""', 'ollamaPrefix: /x, apiPrefix: /x/api', 'ollamaPrefix: /v1']) {
    t.throws(() => load(`compat: { ${compat} }`), /compat\.ollamaPrefix/, compat)
  }
  const prefixOf = (written: string) => load(`compat: { apiPrefix: "${written}" }`).config.compat.apiPrefix
  t.same(['/api', 'api', '/api/', 'a/b', '/', '', '/v1x'].map(prefixOf), [
    '/api',
    '/api',
    '/api',
    '/a/b',
    '',
    '',
    '/v1x',
  ])
  for (const written of ['/v1', 'v1/', '/v1/llm'])
    t.match(
      refusalOf(() => prefixOf(written)),
      /^compat\.apiPrefix: must not begin with \/v1/,
    )
  for (const written of ['/a b', '//a', '/a?b', '/*', '/:x'])
    t.match(
      refusalOf(() => prefixOf(written)),
      /^compat\.apiPrefix/,
    )
  t.end()
})

test('jobs: the path is absolute, and a shared store needs a Redis', (t) => {
  t.equal(load('').config.jobs.path, '/w/data/jobs.db')
  t.match(load('jobs: { timeoutMs: 5000 }\ncompat: { asyncByDefault: true }').config, {
    ...{ jobs: { timeoutMs: 5000 }, compat: { asyncByDefault: true }, warnings: [] },
  })
  t.match(
    refusalOf(() => load('jobs: { store: redis }')),
    /^jobs\.store: requires redis\.url/,
  )
  t.match(load('jobs: { store: redis }\nredis: { url: "redis://h" }').config.jobs, { store: 'redis' })
  t.end()
})

test('stored answers: the path is absolute, and a shared store needs a Redis', (t) => {
  t.equal(load('').config.responses.path, '/w/data/responses.db')
  t.match(
    refusalOf(() => load('responses: { store: redis }')),
    /^responses\.store: requires redis\.url/,
  )
  t.match(load('responses: { store: redis }\nredis: { url: "redis://h" }').config.responses, { store: 'redis' })
  t.end()
})

test('the prompts are those of the working directory, else the package’s own; another folder may still come', (t) => {
  const prompts = (text: string, files = {}) =>
    loadConfig(sources({ files: { '/w/sluice.yaml': text, ...files } })).config
  t.equal(prompts('').prompts.dir, '/pkg/resources/prompts')
  t.equal(prompts('', { '/w/resources/prompts': '' }).prompts.dir, '/w/resources/prompts')
  t.match(prompts('prompts: { dir: mine }', { '/w/mine': '' }), { prompts: { dir: '/w/mine' }, warnings: [] })
  t.match(prompts('prompts: { dir: mine }'), { prompts: { dir: '/w/mine' }, warnings: [/^prompts\.dir: /] })
  t.end()
})

test('redis.url is where limits are shared; onRedisDown what holds without it', (t) => {
  const { config } = load('redis: { url: "rediss://h:1/2" }\nlimits: { onRedisDown: closed }')
  t.match(config, { redis: { url: 'rediss://h:1/2' }, limits: { onRedisDown: 'closed' }, warnings: [] })
  t.match(load('').config, { redis: { url: null }, limits: { onRedisDown: 'local' } })
  t.match(
    refusalOf(() => load('redis: { url: "http://h" }')),
    /^redis\.url: must be a redis:\/\/ or rediss:\/\/ address or null, not that string \(line 1\)$/,
  )
  t.end()
})

test('a webhook secret that can be guessed is refused, and not shown', (t) => {
  const wrong = [
    '',
    '0123456789abcde',
    'whsec_',
    'whsec_c2hvcnQ=',
    'whsec_not base64 at all!',
    `whsec_${'A'.repeat(20)}`,
  ]
  for (const member of ['secret', 'previousSecret']) {
    for (const secret of wrong) {
      const message = refusalOf(() => load(`jobs: { webhook: { ${member}: "${secret}" } }`))
      t.match(
        message,
        new RegExp(`^jobs\\.webhook\\.${member}: must be a secret of 16 characters or more, or whsec_ with 16 bytes`),
        `"${secret}"`,
      )
      t.notOk(message.includes('?:'), 'no pattern is shown')
      if (secret.length > 6) t.notOk(message.includes(secret))
    }
  }
  for (const secret of ['0123456789abcdef', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', `whsec_${'A'.repeat(22)}==`]) {
    t.ok(load(`jobs: { webhook: { secret: "${secret}" } }`), secret)
  }
  t.end()
})

test('the simulator serves only if nothing names a provider', (t) => {
  t.equal(load('').config.simulator, 'stand-in')
  t.equal(load('keys: [ { name: a, key: k } ]\nproviders: {}').config.simulator, 'stand-in')
  t.equal(load('', { OPENAI_API_KEY: '' }).config.simulator, 'stand-in', 'an empty variable is not set')
  t.equal(load('', { OPENAI_API_KEY: 'k' }).config.simulator, null)
  t.end()
})

test('a configuration whose providers are all left out is refused, and the refusal names each empty variable', (t) => {
  const text = 'keys: [ { name: a, key: k } ]\nproviders:\n  openai: { apiKey: "${OPENAI_KEY_TYPO}" }\n  groq: {}\n'
  t.equal(
    refusalOf(() => load(text)),
    'providers: none is usable (openai: OPENAI_KEY_TYPO is not set; groq: it has no apiKey, and GROQ_API_KEY is not set); set what is missing, or add "sim: {}" to use the built-in simulator (line 2)',
  )
  t.equal(load(text, { GROQ_API_KEY: 'k' }).config.simulator, null, 'one that is left is enough')
  t.match(
    refusalOf(() => load('', { AZURE_OPENAI_API_KEY: 'k' })),
    /^providers: none is usable \(azure-openai: it also requires AZURE_OPENAI_ENDPOINT or AZURE_RESOURCE_NAME\)/,
    'the environment names a provider as well',
  )
  t.end()
})

test('a proxy that is to be trusted is an address or a network; each that is none is named', (t) => {
  const proxies = (list: string) => `server: { trustedProxies: [ ${list} ] }`
  t.equal(
    refusalOf(() => load(proxies('"10.0.0.0/8", "10.0.0.0/33", "::1", "proxy.example"'))),
    [1, 3]
      .map((i) => `server.trustedProxies.${i}: must be an IP address or a network such as 10.0.0.0/8 (line 1)`)
      .join('\n'),
  )
  t.end()
})

test('maintenance is a warning', (t) => {
  const said = 'server.maintenance: new requests are rejected'
  t.same(load('server: { maintenance: true }').config.warnings, [said])
  t.same(load('server: { maintenance: Back at noon. }').config.warnings, [said])
  t.end()
})

test('models without any provider that can be used are refused, and the refusal names the empty variable', (t) => {
  t.equal(
    refusalOf(() => load('models: { fast: openai/gpt-4o }')),
    'models: none has a usable provider (models.fast: provider openai has no key, and OPENAI_API_KEY is not set); set what is missing, or name a model of sim to use the built-in simulator (line 1)',
  )
  t.end()
})

test('a wrong provider is one problem, not two', (t) => {
  t.equal(
    refusalOf(() => load('providers: { opnai: {} }')),
    'providers.opnai: is not a known profile, so profile or protocol is required (line 1); did you mean "openai"?',
  )
  t.end()
})

test('kept streams go on for 30 seconds without a reader, for 5 where all are kept, or as long as it says', (t) => {
  const graceOf = (text: string) => load(text).config.streams.graceMs
  t.equal(graceOf(''), 30_000)
  t.equal(graceOf('streams: { resume: always }'), 5000)
  t.equal(graceOf('streams: { resume: always, graceMs: 7 }'), 7)
  t.equal(graceOf('streams: { graceMs: 0 }'), 0)
  t.end()
})

test('a model may share its answers where keys tell one caller from another', (t) => {
  const model = (text: string, head = '') => `${head}models:\n  fast: { targets: [sim/echo], ${text} }\n`
  const KEYED = 'keys: [{ name: one, key: key-of-the-first-team }]\n'
  const sharingOf = (text: string) => {
    const [found] = load(model(text, KEYED)).config.models
    return { coalesce: found?.coalesce, cache: found?.cache }
  }
  t.same(sharingOf('fallbacks: []'), { coalesce: false, cache: null })
  t.same(sharingOf('coalesce: true'), { coalesce: true, cache: null })
  t.same(sharingOf('cache: {}'), { coalesce: false, cache: { ttlMs: 60_000, scope: 'key' } })
  t.same(sharingOf('cache: { ttlMs: 1000, scope: gateway }').cache, { ttlMs: 1000, scope: 'gateway' })
  const refused = (text: string) => refusalOf(() => load(model(text)))
  t.match(refused('coalesce: true'), 'models.fast.coalesce: requires gateway keys')
  t.match(refused('cache: {}'), 'models.fast.cache: requires gateway keys')
  t.end()
})

test('memory of kept streams that one stream does not fit into is refused by name', (t) => {
  const refused = (text: string) => refusalOf(() => load(`streams:\n  ${text}\n`))
  t.doesNotThrow(() => load('server:\n  maxReaderLagBytes: 67108864\n'), 'readers may lag by more than is kept')
  t.match(refused('maxBytes: 4194303'), 'streams.maxBytes: must be at least streams.maxStreamBytes (4194304)')
  t.match(
    refused('maxBytesPerKey: 4194303'),
    'streams.maxBytesPerKey: must be at least streams.maxStreamBytes (4194304)',
  )
  t.match(refused('store: redis'), 'streams.store: requires redis.url (or REDIS_URL)')
  t.match(refused('cacheStore: redis'), 'streams.cacheStore: requires redis.url (or REDIS_URL)')
  t.match(refused('store: redis'), 'streams.tokenSecret: is required where streams.store is redis')
  t.end()
})

test('a budget of memory that no body of the allowed size fits into is refused by name', (t) => {
  for (const option of ['maxReceivingBytes', 'maxReceivingBytesPerKey']) {
    const text = (bytes: number) => `server:\n  maxBodyBytes: 2000000\n  ${option}: ${bytes}\n`
    t.match(
      refusalOf(() => load(text(1_999_999))),
      `server.${option}: must be at least server.maxBodyBytes (2000000) (line 3)`,
    )
    t.equal(load(text(2_000_000)).config.server[option as 'maxReceivingBytes'], 2_000_000)
  }
  t.end()
})

test('a budget of what is fetched that one request may not fit into is refused, where anything is fetched', (t) => {
  for (const option of ['maxHeldBytes', 'maxHeldBytesPerKey']) {
    const text = (enabled: boolean, bytes: number) =>
      `content:\n  fetch:\n    enabled: ${enabled}\n    maxBytes: 3000000\n    maxCount: 10\n    ${option}: ${bytes}\n`
    const needed = 10 * Math.ceil(4_000_000 / 1024) * 1024
    t.match(
      refusalOf(() => load(text(true, needed - 1))),
      `content.fetch.${option}: must be at least ${needed}: what one request may have fetched (maxCount × maxBytes), in base64 (line 6)`,
    )
    t.equal(load(text(true, needed)).config.content.fetch[option as 'maxHeldBytes'], needed)
    load(text(false, needed - 1))
  }
  t.end()
})

test('a folder of the log file that is not there is a warning', (t) => {
  const text = 'log: { file: logs/sluice.log }'
  t.same(load(text).config.warnings, ['log.file: the folder /w/logs does not exist; it is created at startup'])
  const files = { '/w/sluice.yaml': text, '/w/logs': '' }
  t.same(loadConfig(sources({ files })).config.warnings, [])
  t.end()
})
