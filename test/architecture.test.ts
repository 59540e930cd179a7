// The laws of the house about its own source: who may import whom, sizes, names, mirrors. The tables here are the law; a change
// of one is a decision, to be written down in src/README.md.
import { test } from 'tap'
import {
  findCycles,
  findSpecifiers,
  listFiles,
  readSource,
  readText,
  type SourceFile,
  stripComments,
} from './helpers/source-tree.js'

const FILES = readSource()

/**
 * Area -> areas it may import; `area/file` allows that one file only. `*` is anything but main and threads. An area is the first
 * folder below src, or a file there, or a worker entry.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  model: [],
  errors: ['model/error'],
  wire: ['model/json', 'errors'],
  config: ['model', 'errors'],
  protocols: ['model', 'wire', 'errors'],
  prompts: ['model', 'errors'],
  limit: ['errors'],
  routing: ['model', 'errors', 'config/types'],
  upstream: ['wire', 'model', 'errors', 'config/types'],
  offload: ['protocols', 'model', 'wire', 'errors'],
  stream: ['wire', 'model', 'errors'],
  telemetry: ['model', 'errors', 'config/types', 'wire/mask-keys', 'wire/secret-forms'],
  pipeline: [
    ...['model', 'errors', 'wire', 'config', 'protocols', 'prompts', 'limit', 'routing', 'upstream', 'offload'],
    ...['stream', 'telemetry'],
  ],
  jobs: [
    ...['pipeline', 'model', 'errors', 'wire', 'config', 'protocols', 'prompts', 'limit', 'routing', 'upstream'],
    ...['offload', 'stream', 'telemetry'],
  ],
  // The drawing leaves model out; its sinks speak of ErrorData all the same.
  server: ['pipeline', 'jobs', 'stream', 'protocols', 'wire', 'telemetry', 'config', 'errors', 'model'],
  simulator: ['protocols', 'wire', 'model', 'errors'],
  threads: ['config', 'telemetry', 'errors'],
  gateway: ['*'],
  // Event loop 0 lives on the main thread.
  main: ['config', 'threads', 'simulator', 'errors', 'gateway', 'server/engine', 'jobs/webhook-command'],
  'workers/frontend': ['gateway', 'threads/messages'],
  'workers/codec': ['protocols', 'model', 'wire', 'errors'],
  'workers/jobs': ['jobs/sqlite-thread', 'jobs/sqlite-messages'],
}

/** Big libraries and where they may be imported. */
const LIBRARY_HOMES: Readonly<Record<string, readonly string[]>> = {
  'uWebSockets.js': ['src/server/', 'src/simulator/'],
  undici: ['src/upstream/', 'src/jobs/webhook.ts'],
  // The worker's entry file moves its answers' buffers with it.
  piscina: ['src/offload/pool.ts', 'workers/codec.ts'],
  msgpackr: ['src/wire/pack.ts'],
  'prom-client': ['src/telemetry/'],
  pino: ['src/telemetry/'],
  libsql: ['src/jobs/'],
  ioredis: ['src/limit/redis.ts'],
  yaml: ['src/config/', 'src/prompts/'],
  typebox: ['src/config/', 'src/protocols/'],
}

function areaOf(path: string): string {
  const [root, first = ''] = path.split('/')
  const name = first.replace(/\.ts$/, '')
  return root === 'src' ? name : `${root}/${name}`
}

function isAllowed(from: string, to: string): boolean {
  const source = areaOf(from)
  const target = areaOf(to)
  if (source === target) return true
  const file = to.replace(/^src\//, '').replace(/\.ts$/, '')
  return (MAY_IMPORT[source] ?? []).some(
    (rule) => rule === target || rule === file || (rule === '*' && target !== 'main' && target !== 'threads'),
  )
}

/** `folder/` stands for all in it. */
function isUnder(path: string, homes: readonly string[]): boolean {
  return homes.some((home) => path === home || (home.endsWith('/') && path.startsWith(home)))
}

test('imports follow the table', async (t) => {
  const known = FILES.filter((file) => !(areaOf(file.path) in MAY_IMPORT)).map((file) => file.path)
  t.same(known, [], 'every file is in an area of the table')
  const breaches = FILES.flatMap(({ path, imports }) =>
    imports.filter((target) => !isAllowed(path, target)).map((target) => `${path} -> ${target}`),
  )
  t.same(breaches, [])
})

test('no import cycles, imports of types included', async (t) => {
  t.same(
    findCycles(FILES).map((cycle) => cycle.join(' -> ')),
    [],
  )
})

test('a protocol imports no other, and only the registry imports protocols by name', async (t) => {
  const folderOf = (path: string) => /^src\/protocols\/([^/]+)\//.exec(path)?.[1] ?? null
  const breaches = FILES.flatMap(({ path, imports }) =>
    imports
      .filter((target) => folderOf(target) !== null && folderOf(target) !== folderOf(path))
      .filter((target) => !(path === 'src/protocols/index.ts' && target.endsWith('/index.ts')))
      .map((target) => `${path} -> ${target}`),
  )
  t.same(breaches, [])
})

test('each big library is imported in its own place', async (t) => {
  const breaches = FILES.flatMap(({ path, packages }) =>
    packages.filter((name) => !isUnder(path, LIBRARY_HOMES[name] ?? [])).map((name) => `${path} -> ${name}`),
  )
  t.same(breaches, [])
})

test('what is imported for its types alone is not loaded', (t) => {
  const loaded = listFiles('dist/src').filter((path) => /\.js$/.test(path) && /^import \{\} from/m.test(readText(path)))
  t.same(loaded, [])
  t.end()
})

test('the engine is loaded by its loader alone, after its environment is set: elsewhere its types are no statement', (t) => {
  const statements = FILES.filter(({ text }) => /\bfrom 'uWebSockets\.js'/.test(text))
  t.same(
    statements.map(({ path }) => path),
    [],
  )
  t.end()
})

test('a codec worker loads the pure core alone', async (t) => {
  const byPath = new Map(FILES.map((file) => [file.path, file]))
  const loaded = new Set<string>()
  const packages = new Set<string>()
  const load = (path: string): void => {
    if (loaded.has(path)) return
    loaded.add(path)
    for (const name of byPath.get(path)?.packages ?? []) packages.add(name)
    for (const next of byPath.get(path)?.imports ?? []) load(next)
  }
  load('workers/codec.ts')
  t.same(
    [...loaded].filter((path) => !/^(workers\/codec|src\/errors|src\/(model|wire|protocols)\/.*)\.ts$/.test(path)),
    [],
  )
  t.same(
    [...packages].filter((name) => !['piscina', 'msgpackr', 'typebox'].includes(name)),
    [],
  )
})

/** What touches the world; the pure core must not. */
const IMPURE = [
  /\bfrom 'node:(?!buffer')/,
  /\bprocess\.|\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bperformance\.|\bcrypto\./,
  /\bset(Timeout|Interval|Immediate)\b|\bfetch\(|\bqueueMicrotask\b/,
]

test('the pure core touches no clock, randomness, thread or process', async (t) => {
  const breaches = FILES.filter(({ path }) => /^src\/(model|wire|protocols|errors)/.test(path)).flatMap(
    ({ path, text }) =>
      IMPURE.filter((pattern) => pattern.test(stripComments(text))).map((pattern) => `${path} ${pattern}`),
  )
  t.same(breaches, [])
})

const MAX_LINES = 350
/** Type files and tables that are one thing however long. */
const LONG_FILES = /^src\/(errors|config\/schema|telemetry\/metrics|protocols\/[^/]+\/wire)\.ts$/
const SHORT_FILES: readonly (readonly [RegExp, number])[] = [
  [/^workers\//, 40],
  [/^src\/(main|pipeline\/lifecycle)\.ts$/, 80],
]

test('files keep to their sizes', async (t) => {
  const breaches = FILES.filter(({ path, lines }) => {
    const limit = SHORT_FILES.find(([pattern]) => pattern.test(path))?.[1] ?? MAX_LINES
    return lines > limit && !LONG_FILES.test(path)
  })
  t.same(
    breaches.map(({ path, lines }) => `${path}: ${lines} lines`),
    [],
  )
})

const BANNED_WORDS = new Set(
  'util utils helper helpers common manager service services data info process do any'.split(' '),
)
/** Exported names: a banned word at the end, or `do`, `process`, `any` in front. */
const BANNED_NAME = /^(?:do|process|any)[A-Z]|(?:Utils?|Helpers?|Common|Manager|Services?|Info)$/

test('no name says nothing', async (t) => {
  const paths = FILES.map((file) => file.path).filter((path) =>
    path.split(/[/.-]/).some((word) => BANNED_WORDS.has(word)),
  )
  t.same(paths, [])
  const names = FILES.flatMap(({ path, text }) =>
    Array.from(
      text.matchAll(/^export (?:async )?(?:function|class|const|type|interface) (\w+)/gm),
      (match) => match[1] ?? '',
    )
      .filter((name) => BANNED_NAME.test(name))
      .map((name) => `${path}: ${name}`),
  )
  t.same(names, [])
})

test('file names are in kebab-case', async (t) => {
  t.same(
    FILES.map((file) => file.path).filter((path) => !/^[a-z0-9/-]+\.ts$/.test(path)),
    [],
  )
})

test('every file opens with a comment on what it is', async (t) => {
  const bare = FILES.filter(({ text }) => /\bfrom 'uWebSockets\.js'/.test(text))
  t.same(bare, [])
})

test('every export that acts has a docstring', async (t) => {
  const bare = FILES.flatMap(({ path, text }) =>
    Array.from(text.matchAll(/(^|\n)([^\n]*)\nexport (?:async )?function (\w+)/g))
      .filter((match) => !/\*\/$|^\/\/ biome-ignore/.test(match[2] ?? ''))
      .map((match) => `${path}: ${match[3]}`),
  )
  t.same(bare, [])
})

/** Where vendors and protocols may be called by name. */
const NAMING_HOMES = ['src/protocols/', 'src/simulator/']
/** The same, with a reason. */
const NAMING_EXCEPTIONS = new Set([
  // Prefixes of vendors' keys, to be masked.
  'src/wire/mask-keys.ts',
])
/** Names that are words of ours or of the language: the simulator is part of the house; prompts, conversations, providers are its trade. */
const COMMON_WORDS = new Set(['sim', 'simulator', 'together', 'prompt', 'conversation', 'provider', 'raw'])

/** Names of protocol folders, vendor profiles, and the firms in them (`azure-openai` -> azure, openai). */
function foreignNames(): string[] {
  const protocols = FILES.map((file) => /^src\/protocols\/([^/]+)\//.exec(file.path)?.[1]).filter(
    (name) => name !== undefined,
  )
  const vendors = listFiles('resources/providers').map((path) => path.replace(/^.*\/(.+)\.json$/, '$1'))
  const firms = [...protocols, ...vendors].map((name) => name.split('-')[0] ?? name)
  return [...new Set([...protocols, ...vendors, ...firms])].filter((name) => !COMMON_WORDS.has(name))
}

test('no vendor or protocol is called by name outside its home', async (t) => {
  const names = foreignNames()
  if (names.length === 0) return
  // As a word, or as a part of an identifier: groq, groqTarget, isGroq.
  const escaped = names.map((name) => name.replace(/[.]/g, '\\.')).join('|')
  const word = new RegExp(`\\b(?:${escaped})(?![a-z])`, 'i')
  const breaches = FILES.filter(({ path }) => !isUnder(path, NAMING_HOMES) && !NAMING_EXCEPTIONS.has(path)).flatMap(
    (file) => {
      const found = word.exec(stripComments(file.text))
      return found === null ? [] : [`${file.path}: ${found[0]}`]
    },
  )
  t.same(breaches, [])
})

/** Files with logic whose tests stand elsewhere: the file or `folder/`, and the test that covers it. */
const TESTED_ELSEWHERE: readonly (readonly [source: string, tested: string])[] = [
  ['src/limit/shared-state.ts', 'test/limit/redis-limiter.test.ts'],
  ['src/telemetry/families.ts', 'test/telemetry/scrape.test.ts'],
  ['src/telemetry/job-families.ts', 'test/telemetry/scrape.test.ts'],
  ['src/telemetry/series.ts', 'test/telemetry/scrape.test.ts'],
  ['src/server/paths.ts', 'test/server/app.test.ts'],
  ['src/gateway/shared-limits.ts', 'test/e2e/nodes.test.ts'],
  ['src/gateway/jobs.ts', 'test/seeds/003-jobs.test.ts'],
  ['src/jobs/job-face.ts', 'test/seeds/003-jobs.test.ts'],
  ['src/gateway/job-thread.ts', 'test/seeds/003-jobs.test.ts'],
  ['src/offload/record.ts', 'test/offload/inline.test.ts'],
  ['workers/codec.ts', 'test/laws/offload.test.ts'],
  // The embedded store is tested as a whole, by the suite of all stores.
  ['src/jobs/job-row.ts', 'test/jobs/sqlite.test.ts'],
  ['src/jobs/job-run.ts', 'test/jobs/runner.test.ts'],
  ['src/jobs/redis-script.ts', 'test/jobs/redis.test.ts'],
  ['src/jobs/redis-queue-script.ts', 'test/jobs/redis.test.ts'],
  ['src/jobs/sqlite-deliveries.ts', 'test/jobs/sqlite.test.ts'],
  ['src/jobs/sqlite-jobs.ts', 'test/jobs/sqlite.test.ts'],
  ['src/jobs/sqlite-repeats.ts', 'test/jobs/sqlite.test.ts'],
  ['src/jobs/sqlite-statements.ts', 'test/jobs/sqlite.test.ts'],
  ['src/jobs/sqlite-thread.ts', 'test/jobs/sqlite.test.ts'],
  // The process as a whole, started as its users start it.
  ['src/main.ts', 'test/e2e/start.test.ts'],
  ['src/main/launch.ts', 'test/e2e/start.test.ts'],
  ['src/gateway.ts', 'test/e2e/start.test.ts'],
  ['workers/frontend.ts', 'test/e2e/limits.test.ts'],
  // What the API's document says, tested as a whole with all surfaces.
  ['src/protocols/anthropic-messages/describe.ts', 'test/server/openapi.test.ts'],
  ['src/protocols/openai-chat/describe.ts', 'test/server/openapi.test.ts'],
  ['src/protocols/conversation/describe.ts', 'test/server/openapi.test.ts'],
  ['src/protocols/prompt-stream/describe.ts', 'test/server/openapi.test.ts'],
  ['src/protocols/provider-chat/describe.ts', 'test/server/openapi.test.ts'],
  ['src/protocols/raw-passthrough/describe.ts', 'test/server/openapi.test.ts'],
  ['src/server/openapi-components.ts', 'test/server/openapi.test.ts'],
  ['src/server/plain-operations.ts', 'test/server/openapi.test.ts'],
  ['src/protocols/ollama-chat/reply.ts', 'test/protocols/ollama-chat/stream.test.ts'],
  ['src/simulator/lorem.ts', 'test/simulator/simulator.test.ts'],
  ['src/simulator/player.ts', 'test/simulator/simulator.test.ts'],
  ['src/simulator/reply.ts', 'test/simulator/simulator.test.ts'],
  ['src/simulator/wires/wire.ts', 'test/simulator/simulator.test.ts'],
]

test('every file with logic has the test that mirrors it', async (t) => {
  const tests = new Set(listFiles('test'))
  const mirrorOf = (path: string) => path.replace(/^src\//, 'test/').replace(/\.ts$/, '.test.ts')
  const bare = FILES.filter(hasLogic)
    .map((file) => file.path)
    .filter((path) => !tests.has(mirrorOf(path)))
    .filter((path) => !TESTED_ELSEWHERE.some(([source, tested]) => isUnder(path, [source]) && tests.has(tested)))
  t.same(bare, [])
  const stale = TESTED_ELSEWHERE.filter(([source]) =>
    FILES.some((file) => file.path === source && tests.has(mirrorOf(source))),
  )
  t.same(stale, [], 'no exception outlives its reason')
})

/** Functions or classes; types, constants and the joining of halves need no test of their own. */
function hasLogic({ text }: SourceFile): boolean {
  return /^(?:export )?(?:async )?(?:function|class)\b/m.test(stripComments(text))
}

test('no test is left behind by a file that is gone', async (t) => {
  const paths = new Set(FILES.map((file) => file.path))
  const folders = new Set(FILES.map((file) => areaOf(file.path)))
  const orphans = listFiles('test')
    .filter((path) => path.endsWith('.test.ts') && folders.has(path.split('/')[1] ?? ''))
    .filter((path) => {
      const source = path.replace(/^test\//, 'src/').replace(/\.test\.ts$/, '.ts')
      // More than one test may look at a folder's files together; a test for a file by name must have that file.
      return !paths.has(source) && !FILES.some((file) => file.path.startsWith(source.replace(/[^/]+$/, '')))
    })
  t.same(orphans, [])
})

test('the map in src/README.md shows this table', async (t) => {
  let map: string
  try {
    map = readText('src/README.md')
  } catch {
    t.pass('there is no map yet')
    return
  }
  for (const area of Object.keys(MAY_IMPORT)) t.match(map, new RegExp(`\\b${area}\\s+->`), area)
})

test('the reader of source sees what it must', async (t) => {
  t.same(
    findSpecifiers(
      "import a from 'x'\nexport { b } from './y.js'\nimport 'z'\ntype T = import('u').T\nawait import('v')",
    ),
    [...['x', './y.js', 'z', 'u', 'v']],
  )
  t.equal(stripComments("a // b 'c\n'// d' /* e\n */ `/* f */`").replace(/\s+/g, ' '), "a '// d' `/* f */`")
  const file = (path: string, ...imports: string[]): SourceFile => ({ path, text: '', lines: 0, imports, packages: [] })
  t.same(findCycles([file('a', 'b'), file('b', 'c'), file('c', 'b')]), [['b', 'c', 'b']])
  t.equal(isAllowed('src/model/a.ts', 'src/errors.ts'), false)
  t.equal(isAllowed('src/routing/a.ts', 'src/config/types.ts'), true)
  t.equal(isAllowed('src/routing/a.ts', 'src/config/load.ts'), false)
  t.equal(isAllowed('src/gateway.ts', 'src/threads/messages.ts'), false)
  t.equal(isAllowed('workers/codec.ts', 'src/offload/pool.ts'), false)
})
