// Loading as a whole: the order of the sources, the files, all problems at once, and what the result is made of.
import { test } from 'tap'
import { loadConfig } from '../../src/config/load.js'
import { load, refusalOf, sources } from './sources.js'

test('defaults < file < environment < command line', (t) => {
  const files = { '/w/sluice.yaml': 'server: { port: 1, threads: 2, drainMs: 5 }\nlog: { level: warn }\n' }
  const env = { PORT: '3', LOG_LEVEL: 'error' }
  const overrides = { port: '4', host: 'localhost', threads: '8' }
  t.match(loadConfig(sources()).config.server, { port: 3000, threads: 1 })
  t.match(loadConfig(sources({ files })).config.server, { port: 1, threads: 2, drainMs: 5 })
  t.match(loadConfig(sources({ files, env })).config, { server: { port: 3, threads: 2 }, log: { level: 'error' } })
  t.match(loadConfig(sources({ files, env, overrides })).config.server, {
    port: 4,
    host: 'localhost',
    threads: 8,
    drainMs: 5,
  })
  t.equal(loadConfig(sources({ env, overrides: { logLevel: 'debug' } })).config.log.level, 'debug')
  t.match(
    refusalOf(() => loadConfig(sources({ overrides: { port: 'x' } }))),
    /^server\.port: .* \(from --port\)$/,
  )
  t.end()
})

test('the real environment wins over .env', (t) => {
  const files = { '/w/.env': '# comment\nPORT=1\nHOST="127.0.0.2"\nexport LOG_LEVEL=debug\n' }
  t.match(loadConfig(sources({ files, env: { PORT: '2' } })).config, {
    server: { port: 2, host: '127.0.0.2' },
    log: { level: 'debug' },
  })
  t.end()
})

test('the file is --config, else SLUICE_CONFIG, else sluice.yaml if it is there', (t) => {
  const files = {
    '/w/a.yaml': 'server: { port: 1 }',
    '/w/b.json': '{"server":{"port":2}}',
    '/w/sluice.yaml': 'server: { port: 3 }',
  }
  const env = { SLUICE_CONFIG: 'b.json' }
  const named = loadConfig(sources({ files, env, overrides: { config: 'a.yaml' } }))
  t.match(named, { configFile: '/w/a.yaml', config: { server: { port: 1 } } })
  t.match(loadConfig(sources({ files, env })), { configFile: '/w/b.json', config: { server: { port: 2 } } })
  t.match(loadConfig(sources({ files })), { configFile: '/w/sluice.yaml', config: { server: { port: 3 } } })
  t.equal(loadConfig(sources()).configFile, null)
  t.end()
})

test('a file that was named must be there', (t) => {
  t.equal(
    refusalOf(() => loadConfig(sources({ overrides: { config: 'no.yaml' } }))),
    'the configuration file no.yaml does not exist (from --config)',
  )
  t.match(
    refusalOf(() => loadConfig(sources({ env: { SLUICE_CONFIG: '/x/no' } }))),
    /\/x\/no does not exist \(from SLUICE_CONFIG\)/,
  )
  t.end()
})

test('a syntax error names its line', (t) => {
  t.match(
    refusalOf(() => load('server:\n  port: 1\n bad: [\n')),
    /^syntax error: .* \(line \d\)/,
  )
  t.match(
    refusalOf(() => load('- a\n- b\n')),
    /must contain sections/,
  )
  t.match(
    refusalOf(() => load('just text')),
    /must contain sections/,
  )
  t.end()
})

test('reports all problems at once, each with its line', (t) => {
  const text = [
    'server:',
    '  prot: 1',
    '  host: 5',
    'keys:',
    '  - name: a',
    '    key: "${NOPE}"',
    '    limits:',
    '      concurency: 1',
  ].join('\n')
  t.same(refusalOf(() => load(text)).split('\n'), [
    'keys.0.key: environment variable NOPE is not set (line 6)',
    'server.prot: unknown option (line 2); did you mean "port"?',
    'server.host: must be a string of at least 1 character, not that number (line 3)',
    'keys.0.limits.concurency: unknown option (line 8); did you mean "concurrency"?',
  ])
  t.end()
})

test('numbers and booleans may come from variables', (t) => {
  const { config } = load('server: { port: "${P}" }\nlimits: { concurrency: "${C:-7}" }', { P: '81' })
  t.match(config, { server: { port: 81 }, limits: { concurrency: 7 } })
  t.match(
    refusalOf(() => load('server: { port: "81" }')),
    /not that string \(line 1\)/,
  )
  t.end()
})

test('the result is frozen to the bottom and survives structured clone', (t) => {
  const { config } = load(
    'providers: { openai: { apiKey: k, extraBody: { a: { b: [1] } } } }\nkeys: [ { name: a, key: k } ]',
  )
  const isFrozen = (value: unknown): boolean =>
    typeof value !== 'object' || value === null || (Object.isFrozen(value) && Object.values(value).every(isFrozen))
  t.ok(isFrozen(config))
  t.same(structuredClone(config), config)
  t.same(JSON.parse(JSON.stringify(config)), config)
  t.end()
})

test('names of the prototype are names like others, or refused; nothing is polluted', (t) => {
  t.match(
    refusalOf(() => load('{"server":{"__proto__":{"port":1}}}')),
    /server\.__proto__: is not an allowed name/,
  )
  t.match(
    refusalOf(() => load('constructor: 1')),
    /^constructor: unknown option/,
  )
  t.match(
    refusalOf(() => load('providers: { toString: {} }')),
    /providers\.toString: is not a known profile/,
  )
  t.match(
    refusalOf(() => load('providers: { p: { protocol: toString, baseUrl: "http://h" } }')),
    /protocol: must be one of/,
  )
  t.equal(Object.hasOwn(Object.prototype, 'port'), false)
  t.end()
})

test('never prints a secret, wherever it is and whatever is wrong with it', (t) => {
  const canary = 'sk-CANARY-0123456789'
  const texts = [
    `keys: "${canary}"`,
    `keys: ["${canary}"]`,
    `keys: [ { name: a, key: ["${canary}"] } ]`,
    `keys: [ { name: a, keySha256: "${canary}" } ]`,
    `keys: [ { name: "${canary} x", key: b } ]`,
    `keys: [ { name: a, key: "${canary} b" } ]`,
    `keys: [ { name: a, key: "${canary}" }, { name: b, key: "${canary}" } ]`,
    `keys: [ { name: a, key: "${canary}", keySha256: "${canary}" } ]`,
    `providers: { openai: { apiKey: "${canary}\\n" } }`,
    `providers: { openai: { apiKey: { a: "${canary}" } } }`,
    `providers: { openai: { apiKey: k, baseUrl: "https://${canary}@h" } }`,
    `providers: { openai: { apiKey: k, baseUrl: "https://h?key=${canary}" } }`,
    `providers: { openai: { apiKey: k, baseUrl: "${canary}" } }`,
    `providers: { openai: { apiKey: k, headers: { authorization: "${canary}\\n" } } }`,
    `providers: { openai: "${canary}" }`,
    `metrics: { port: "${canary}" }`,
    `redis: { url: "${canary}" }`,
    `jobs: { webhook: { secret: ["${canary}"] } }`,
    `server: { tls: { certFile: a, keyFile: b, passphrase: ["${canary}"] } }`,
    `log: { level: "${canary}" }`,
    `models: { m: "${canary}" }`,
    `keys: *${canary}`,
    `keys: [ { name: a, key: "${canary}`,
    `keys:\n  - name: a\n   key: ${canary}\n`,
  ]
  for (const text of texts)
    t.notMatch(
      refusalOf(() => load(text)),
      /CANARY/,
      text,
    )
  for (const name of ['PORT', 'LOG_LEVEL', 'HTTP_TIMEOUT_SECONDS', 'HTTP_MAX_CONNECTIONS', 'HOST']) {
    t.notMatch(
      refusalOf(() => load('', { [name]: canary })),
      /CANARY/,
      name,
    )
  }
  t.notMatch(
    refusalOf(() => load('', { API_KEY: `${canary} x` })),
    /CANARY/,
  )
  t.notMatch(
    refusalOf(() => load('', { OPENAI_API_KEY: `${canary} x` })),
    /CANARY/,
  )
  t.notMatch(
    refusalOf(() => load('server: { port: "${X}" }', { X: canary })),
    /CANARY/,
  )
  t.end()
})

test('where each value was set is told: file and line, variable or option; never a value', (t) => {
  const files = {
    '/w/my.yaml': 'server:\n  drainMs: 5\n  port: 1\nkeys: [ { name: a, key: CANARY-key-0123456789 } ]\n',
  }
  const env = { PORT: '3', API_KEY: 'CANARY-other-0123456', ADMIN_KEY: 'CANARY-admin-0123456' }
  const { origins } = loadConfig(sources({ files, env, overrides: { config: 'my.yaml', threads: '2' } }))
  t.match(origins, {
    ...{ 'server.drainMs': 'my.yaml:2', 'server.port': 'PORT', 'server.threads': '--threads' },
    ...{ 'keys.0.name': 'my.yaml:4', 'keys.1.key': 'API_KEY', 'admin.key': 'ADMIN_KEY' },
  })
  t.notMatch(JSON.stringify(origins), /CANARY/)
  t.same(loadConfig(sources({ files, env: {} })).origins, {}, 'where nobody asks')
  t.end()
})

test('a text that a program gives takes the place of every file; the environment applies all the same', (t) => {
  const files = { '/w/sluice.yaml': 'server: { port: 1 }', '/w/.env': 'LOG_LEVEL=debug' }
  const overrides = { text: '{"server":{"port":2}}' }
  const loaded = loadConfig(sources({ files, env: { SLUICE_CONFIG: '/no' }, overrides }))
  t.match(loaded, { configFile: null, config: { server: { port: 2 }, log: { level: 'debug' } } })
  t.end()
})
