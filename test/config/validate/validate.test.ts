// Checking against the schema: defaults, unknown options at any depth, wrong types, bounds, text from variables.
import { test } from 'tap'
import { ConfigFile } from '../../../src/config/schema/schema.js'
import { type Path, ProblemList } from '../../../src/config/validate/problem.js'
import { validate } from '../../../src/config/validate/validate.js'

function run(raw: unknown, isText: (path: Path) => boolean = () => false) {
  const problems = new ProblemList(() => ({ line: null, origin: null }))
  const checked = validate(ConfigFile, raw, { problems, isText })
  let lines: string[] = []
  try {
    problems.throwIfAny()
  } catch (error) {
    lines = error instanceof Error ? error.message.split('\n') : []
  }
  return { checked, lines }
}

test('an empty file gets every default of the contract', (t) => {
  const { checked, lines } = run({})
  t.same(lines, [])
  t.match(checked, {
    server: { host: '127.0.0.1', port: 3000, threads: 1, maxBodyBytes: 20971520, keepaliveMs: 15000, drainMs: 25000 },
    offload: { minBytes: 262144, workers: 'auto', maxQueue: 1024, taskTimeoutMs: 10000 },
    keys: [],
    limits: { requestsPerMinute: null, concurrency: 1000, queue: { max: 100, timeoutMs: 10000 } },
    jobs: { store: 'sqlite', path: './data/jobs.db', concurrency: 2, retentionMs: 3600000, attempts: 3 },
    redis: { url: null },
    prompts: { dir: 'resources/prompts', defaultLanguage: 'en' },
    metrics: { port: null, token: null },
    log: { level: 'info', file: null, format: 'json' },
    compat: {
      asyncByDefault: false,
      healthStatus: 'ok',
      apiPrefix: '/api',
      ollamaPrefix: '/ollama',
      defaultModel: null,
      errorDetails: false,
    },
  })
  t.match(checked, {
    server: {
      tls: null,
      cors: { origins: [] },
      maxResponseBytes: 33554432,
      maxReaderLagBytes: 1048576,
      readerStallMs: 30000,
      maxChatsPerSocket: 128,
    },
  })
  t.end()
})

test('a section, list or map whose lines are all comments counts as absent', (t) => {
  t.same(run({ server: null, keys: null, providers: null, models: null }).lines, [])
  t.end()
})

test('an unknown option is refused at any depth, with the nearest known one', (t) => {
  t.same(run({ sever: {} }).lines, ['sever: unknown option; did you mean "server"?'])
  t.same(run({ keys: [{ name: 'a', key: 'k', limits: { requestPerMinute: 1 } }] }).lines, [
    'keys.0.limits.requestPerMinute: unknown option; did you mean "requestsPerMinute"?',
  ])
  t.same(run({ models: { m: { targets: [{ provider: 'p', model: 'x', weigth: 1 }] } } }).lines, [
    'models.m.targets.0.weigth: unknown option; did you mean "weight"?',
  ])
  t.same(run({ server: { qqqqqq: 1 } }).lines, ['server.qqqqqq: unknown option'])
  t.end()
})

test('wrong types and values out of bounds say what is expected', (t) => {
  const cases: readonly (readonly [unknown, string])[] = [
    [{ server: { port: 'x' } }, 'server.port: must be an integer from 0 to 65535, not that string'],
    [{ server: { port: 70000 } }, 'server.port: must be an integer from 0 to 65535, not that number'],
    [{ server: { threads: 65 } }, 'server.threads: must be an integer from 1 to 64, not that number'],
    [
      { server: { readerStallMs: 960_001 } },
      'server.readerStallMs: must be an integer from 100 to 900000, not that number',
    ],
    [{ server: [] }, 'server: must be an object, not an empty list'],
    [{ server: { host: null } }, 'server.host: must be a string of at least 1 character, not empty'],
    [{ keys: {} }, 'keys: must be a list, not an object'],
    [{ keys: [{ name: 'a', key: '' }] }, 'keys.0.key: must be a string of 1 to 4096 characters, not an empty string'],
    [{ keys: [{ key: 'k' }] }, 'keys.0.name: is required'],
    [{ providers: 3 }, 'providers: must be an object, not that number'],
    [{ providers: { 'a/b': {} } }, 'providers.a/b: must be a name matching ^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'],
    [{ offload: { workers: 0 } }, 'offload.workers: must be auto or an integer from 1 to 64, not that number'],
    [
      { log: { level: 'inof' } },
      'log.level: must be one of trace, debug, info, warn, error, silent, not that string; did you mean "info"?',
    ],
    [{ models: { m: { targets: [] } } }, 'models.m.targets: must be a list of at least 1, not an empty list'],
    [{ models: { m: [1] } }, 'models.m: must be a string of at least 3 characters or an object, not a list'],
    [{ compat: { asyncByDefault: 'yes' } }, 'compat.asyncByDefault: must be a boolean, not that string'],
    [{ metrics: { port: true } }, 'metrics.port: must be an integer from 0 to 65535 or null, not that boolean'],
    [{ redis: { url: 'http://x' } }, 'redis.url: must be a redis:// or rediss:// address or null, not that string'],
  ]
  for (const [raw, line] of cases) t.same(run(raw).lines, [line])
  t.end()
})

test('header values cannot smuggle a line', (t) => {
  t.match(run({ providers: { p: { headers: { 'x-a': 'b\r\nx: y' } } } }).lines, [
    /^providers\.p\.headers\.x-a: must be/,
  ])
  t.match(run({ providers: { p: { headers: { 'X Y': 'b' } } } }).lines, [/must be a name matching/])
  t.end()
})

test('extraBody accepts any JSON and nothing else', (t) => {
  const nested = { options: { num_ctx: 4096, stop: ['a', null, true] } }
  t.same(run({ providers: { p: { extraBody: nested } } }).lines, [])
  for (const bad of [Number.NaN, [Number.POSITIVE_INFINITY], { a: new Date(0) }, new Uint8Array(1)]) {
    t.match(run({ providers: { p: { extraBody: { a: bad } } } }).lines, [
      /^providers\.p\.extraBody\.a: must be a JSON value/,
    ])
  }
  t.end()
})

test('text is read as a number, a boolean or null only if it came from a variable', (t) => {
  const raw = { server: { port: '80' }, compat: { asyncByDefault: 'TRUE' }, metrics: { port: 'null' } }
  t.match(run(raw, () => true).checked, {
    server: { port: 80 },
    compat: { asyncByDefault: true },
    metrics: { port: null },
  })
  t.equal(run(raw).lines.length, 3)
  t.equal(run({ server: { port: '80x' } }, () => true).lines.length, 1)
  t.match(run({ keys: [{ name: 'a', key: '12345' }] }, () => true).checked, { keys: [{ key: '12345' }] })
  t.end()
})

test('reports all problems at once', (t) => {
  t.equal(run({ server: { port: 'x', host: 1 }, nope: 1, log: { level: 1 } }).lines.length, 4)
  t.end()
})
