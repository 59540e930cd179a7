// The laws of the house about its own source: who may import whom, sizes, names, mirrors. The tables here are the law; a change
// of one is a decision. The laws themselves are in helpers/house-laws.ts and import-laws.ts, and each is seen to fail in laws/house.test.ts.
import { test } from 'tap'
import {
  findCrowdedFolders,
  findEmptyNames,
  findForeignNames,
  findImpurity,
  findLongFiles,
  findMirrorBreaks,
  findNodeUses,
  findSplinters,
  findSpreads,
  findUndocumented,
} from './helpers/house-laws.js'
import {
  drawTables,
  findCrossedProtocols,
  findCycles,
  findDeadImports,
  findEagerLoads,
  findForbiddenImports,
  findHeavyLoads,
  findHolders,
  findMapErrors,
  findStrayLibraries,
  findUpwardImports,
  findWholeLoads,
  type ImportTable,
  type LibraryHomes,
  protocolNames,
  type RoomOrder,
  redraw,
} from './helpers/import-laws.js'
import { listFiles, readSource, readText, writeText } from './helpers/source-tree.js'

const FILES = readSource()

const MAY_IMPORT: ImportTable = {
  model: [],
  errors: ['model/error'],
  'package-files': [],
  wire: ['model/json', 'errors'],
  prices: ['model'],
  config: ['model', 'errors', 'package-files', 'prices', 'telemetry/traces/traces-config'],
  protocols: ['model', 'wire', 'errors'],
  prompts: ['errors'],
  limit: ['redis', 'errors'],
  routing: ['model', 'errors', 'config/types'],
  upstream: ['wire', 'model', 'errors', 'config/types', 'config/credential-types'],
  offload: ['protocols', 'errors', 'package-files'],
  streams: ['redis', 'model', 'errors', 'wire'],
  responses: ['redis', 'sqlite', 'model', 'errors', 'package-files'],
  accounts: ['limit', 'redis', 'model', 'errors', 'sqlite', 'package-files'],
  redis: ['package-files'],
  sqlite: ['model', 'errors'],
  telemetry: ['model', 'errors', 'wire/mask-keys', 'wire/secret-forms', 'prices/cost'],
  pipeline: [
    ...['model', 'errors', 'wire', 'config', 'protocols', 'limit', 'routing', 'upstream', 'offload', 'streams'],
    ...['responses', 'prices', 'telemetry', 'accounts'],
  ],
  jobs: [
    ...['pipeline', 'prices/cost', 'model', 'errors', 'wire', 'config', 'protocols', 'redis', 'sqlite', 'upstream'],
    ...['package-files'],
  ],
  server: [
    ...['pipeline', 'jobs', 'streams', 'responses', 'prices/cost', 'protocols', 'wire', 'telemetry', 'config'],
    ...['model', 'errors', 'package-files'],
  ],
  admin: ['accounts', 'config', 'errors', 'model', 'pipeline', 'server', 'streams', 'telemetry'],
  simulator: ['model'],
  // It runs in the programs of others.
  client: [],
  // It runs in browsers.
  console: [],
  threads: ['config', 'errors', 'accounts/directory/memory'],
  gateway: ['*'],
  // Event loop 0 lives on the main thread.
  main: [
    ...['config', 'threads', 'simulator', 'errors', 'gateway', 'server/engine', 'jobs/webhook/command'],
    ...['model', 'prices', 'admin/command', 'package-files'],
  ],
  'workers/frontend': ['gateway', 'threads/messages', 'threads/parent'],
  'workers/codec': ['protocols'],
  'workers/accounts': ['accounts/thread', 'accounts/messages'],
  'workers/jobs': ['jobs/sqlite/thread', 'jobs/sqlite/messages'],
  'workers/answers': ['responses/sqlite/thread', 'responses/sqlite/start'],
}

/** The rooms of an area from the top down: each imports only those after it. */
const ROOMS: RoomOrder = {
  config: [
    ...[
      'banner',
      'check',
      'command-line',
      'import',
      'live',
      'read',
      'discover',
      'load',
      'resolve',
      'sources',
      'catalog',
      'schema',
    ],
    ...['types', 'credential-types', 'job-types', 'store-types', 'listener-types', 'validate'],
  ],
  limit: ['headers', 'shared', 'local', 'waiting', 'limiter', 'refusal'],
  upstream: [
    ...['upstream', 'credentials', 'call', 'conceal', 'strangers', 'auth', 'deadlines', 'decompress', 'path', 'pool'],
    ...['failure', 'proxy'],
  ],
  streams: ['redis', 'kept', 'access', 'sharing', 'log', 'reader'],
  responses: ['redis', 'sqlite', 'port', 'response-desk', 'memory-store', 'response-ids', 'store'],
  accounts: [
    'client',
    'thread',
    'troubles',
    'shared-budgets',
    'key-uses',
    'snapshot',
    'messages',
    'database',
    'store',
    'directory',
    'budgets',
    'jwt',
    'browser-tokens',
    'secret',
    'rollups',
    'types',
  ],
  telemetry: ['log', 'metrics', 'traces', 'recent', 'records'],
  pipeline: [
    ...[
      'lifecycle',
      'outside-ends',
      'outside-view',
      'settle',
      'stages',
      'dispatch',
      'attempt',
      'delivery',
      'exchange',
      'attachments',
      'outcome',
    ],
    ...['attempt-state', 'client', 'open-exchanges', 'context', 'relay', 'spending', 'sink'],
  ],
  console: [
    ...[
      'console',
      'try',
      'live',
      'requests',
      'keys',
      'budgets',
      'spend',
      'gateway',
      'trial',
      'shell',
      'playground',
      'api',
      'event-stream',
    ],
    ...['dom', 'format', 'visible-text'],
  ],
  jobs: ['redis', 'webhook', 'job-json', 'run', 'sqlite', 'store'],
  admin: [
    ...['command', 'listener', 'console', 'routes', 'context', 'pauses', 'audit', 'watch', 'loops', 'http', 'sessions'],
    'admin-keys',
  ],
  server: [
    'app',
    'routes',
    'openapi',
    'websocket',
    'sharing',
    'background',
    'kept',
    'intake',
    'passing-sink',
    'http',
    'context',
    'caller',
    'inflate',
    'engine',
  ],
}

/** Big libraries and where they may be imported. */
const LIBRARY_HOMES: LibraryHomes = {
  'uWebSockets.js': ['src/server/', 'src/simulator/'],
  undici: ['src/upstream/', 'src/jobs/webhook/webhook.ts'],
  aws4fetch: ['src/upstream/credentials/'],
  jose: ['src/upstream/credentials/'],
  // The worker's entry file moves its answers' buffers with it.
  piscina: ['src/offload/pool.ts', 'workers/codec.ts'],
  msgpackr: ['src/wire/pack.ts'],
  'prom-client': ['src/telemetry/metrics/'],
  pino: ['src/telemetry/log/'],
  '@opentelemetry/otlp-exporter-base': ['src/telemetry/traces/otlp.ts'],
  libsql: ['src/sqlite/'],
  kysely: ['src/accounts/database/'],
  pg: ['src/accounts/database/'],
  ioredis: ['src/redis/connection.ts'],
  yaml: ['src/config/'],
  typebox: ['src/config/', 'src/protocols/', 'src/admin/'],
}

test('imports follow the table', (t) => {
  t.ok(FILES.length > 300, 'the source is read')
  t.same(findDeadImports(FILES), [])
  t.same(findForbiddenImports(FILES, MAY_IMPORT), [])
  t.same(findUpwardImports(FILES, ROOMS), [])
  t.end()
})

test('no import cycles, imports of types included', (t) => {
  t.same(findCycles(FILES), [])
  t.end()
})

test('a protocol imports no other, and only the registry imports protocols by name', (t) => {
  t.same(findCrossedProtocols(FILES), [])
  t.end()
})

test('each big library is imported in its own place', (t) => {
  t.same(findStrayLibraries(FILES, LIBRARY_HOMES), [])
  t.end()
})

test('the map in src/README.md draws these tables, no more and no less', (t) => {
  const heading = '## Who may import whom'
  const drawn = drawTables(MAY_IMPORT, ROOMS, LIBRARY_HOMES)
  if (process.env.UPDATE_GOLDEN === '1') writeText('src/README.md', redraw(readText('src/README.md'), heading, drawn))
  t.same(findMapErrors(readText('src/README.md'), heading, drawn), [], 'UPDATE_GOLDEN=1 draws it anew')
  t.end()
})

test('what is imported for its types alone is not loaded', (t) => {
  const compiled = listFiles('dist/src').filter((path) => /\.js$/.test(path))
  // What browsers load is bundled from the source.
  const ours = FILES.filter(({ path }) => path.startsWith('src/') && !path.startsWith('src/console/'))
  t.ok(compiled.length >= ours.length, 'the build is read')
  t.same(
    compiled.filter((path) => /^import \{\} from/m.test(readText(path))),
    [],
  )
  t.end()
})

test('the engine is loaded by its loader alone, after its environment is set: elsewhere its types are no statement', (t) => {
  const statements = FILES.filter(({ code }) => /\bfrom 'uWebSockets\.js'/.test(code))
  t.same(
    statements.map(({ path }) => path),
    [],
  )
  t.end()
})

test('a codec worker loads the pure core alone', (t) => {
  const core = /^(workers\/codec|src\/errors|src\/(model|wire|protocols)\/.*)\.ts$/
  t.same(findHeavyLoads(FILES, 'workers/codec.ts', { files: core, packages: ['piscina', 'msgpackr', 'typebox'] }), [])
  t.end()
})

test('the database of accounts is loaded by its own thread alone', (t) => {
  t.same(
    findEagerLoads(FILES, 'src/accounts/thread').filter((line) => !line.startsWith('workers/accounts.ts ')),
    [],
  )
  t.end()
})

test('what PostgreSQL needs is loaded only where accounts are in PostgreSQL, and SQLite only where they are not', (t) => {
  const own = (line: string): boolean => line.startsWith('src/accounts/database/postgres.ts ')
  t.same(
    findEagerLoads(FILES, 'src/accounts/database/postgres').filter((line) => !own(line)),
    [],
  )
  t.same(findEagerLoads(FILES, 'src/accounts/database/sqlite'), [])
  t.end()
})

test('what streams in Redis need is loaded only where streams are in Redis', (t) => {
  t.same(findEagerLoads(FILES, 'src/streams/redis/'), [])
  t.end()
})

test('what obtains credentials is loaded only where a provider has credentials', (t) => {
  t.same(findEagerLoads(FILES, 'src/upstream/credentials/authorizers'), [])
  t.end()
})

test('undici is loaded in parts: its index has fetch, caches and mocks, for whoever asks for credentials alone', (t) => {
  t.same(findWholeLoads(FILES, 'undici', ['src/upstream/credentials/issuer-request.ts']), [])
  t.end()
})

test('the admin API is loaded only where it has a key', (t) => {
  t.same(findEagerLoads(FILES, 'src/gateway/admin/'), [])
  t.end()
})

test('the pure core touches no clock, randomness, thread or process', (t) => {
  t.same(findImpurity(FILES, /^src\/(model|wire|protocols|errors)/), [])
  t.end()
})

test('the client library runs in a browser: nothing of Node, no package', (t) => {
  t.same(findNodeUses(FILES, /^src\/client\//), [])
  t.same(findHeavyLoads(FILES, 'src/client/index.ts', { files: /^src\/client\//, packages: [] }), [])
  t.end()
})

test('the pages run in a browser: nothing of Node, no package', (t) => {
  // The code that it copies is run elsewhere.
  t.same(findNodeUses(FILES, /^src\/console\/(?!playground\/copy-as)/), [])
  t.same(findHeavyLoads(FILES, 'src/console/try.ts', { files: /^src\/console\//, packages: [] }), [])
  t.same(findHeavyLoads(FILES, 'src/console/console.ts', { files: /^src\/console\//, packages: [] }), [])
  t.end()
})

test('the lifecycle alone holds an exchange whole; every other room has a view of it', (t) => {
  const rule = { name: 'Exchange', home: 'src/pipeline/exchange.ts', holders: ['src/pipeline/lifecycle.ts'] }
  t.same(findHolders(FILES, rule), [])
  t.end()
})

test('what every request passes spreads no object into another', (t) => {
  // The functions that are named serve some requests alone: of an endpoint, of a surface that tells its time,
  // stored, failed, with a time limit, with a key of the caller's, or on a connection that is one too many.
  const law = {
    'src/server/http/http.ts': [],
    'src/server/http/sharing-request.ts': [],
    'src/pipeline/exchange.ts': [],
    'src/pipeline/lifecycle.ts': [],
    'src/pipeline/attempt/attempt.ts': ['echoOf'],
    'src/pipeline/attempt/attempt-outlet.ts': ['#makingTask'],
    'src/pipeline/attempt/relay-options.ts': ['relayOptions', 'rawOptions'],
    'src/pipeline/attempt/upstream-request.ts': ['timeoutsFor'],
    'src/pipeline/delivery/begin-stream.ts': [],
    'src/pipeline/relay/passthrough.ts': [],
    'src/pipeline/relay/transcode.ts': [],
    'src/pipeline/relay/whole.ts': [],
    'src/upstream/upstream.ts': ['#directly'],
    'src/upstream/call.ts': [],
    'src/upstream/auth.ts': ['withCallerKey'],
  }
  t.same(findSpreads(FILES, law), [])
  t.end()
})

test('files keep to their sizes', (t) => {
  const breaches = findLongFiles(FILES, {
    maxLines: 350,
    special: [
      [/^workers\//, 40],
      [/^src\/(main|pipeline\/lifecycle)\.ts$/, 80],
    ],
  })
  t.same(breaches, [])
  t.end()
})

test('a file of a few lines with one importer is a part of that', (t) => {
  const reasons = {
    'src/jobs/run/backoff.ts': 'a rule with its source, pure beside a class with a store',
    'src/jobs/webhook/body.ts': 'a wire format, to the member',
    'src/protocols/anthropic-messages/dialect/counting.ts': 'a path of the vendor beside that of its chats',
    'src/protocols/google-gemini/dialect/counting.ts': 'a path of the vendor beside that of its chats',
    'src/protocols/anthropic-messages/dialect/limit-output.ts': 'the rule of one wire, beside those of the others',
    'src/protocols/ollama-chat/dialect/limit-output.ts': 'the rule of one wire, beside those of the others',
    'src/protocols/openai-chat/dialect/limit-output.ts': 'the rule of one wire, beside those of the others',
    'src/protocols/openai-responses/dialect/limit-output.ts': 'the rule of one wire, beside those of the others',
    'src/threads/collector.ts': 'a measured setting of the process, with its test of the flags',
    'src/admin/http/csv.ts': 'a format, with its rule against formulas',
    'src/upstream/path.ts': 'a check against attacks, with their list as its test',
  }
  t.same(findSplinters(FILES, 25, reasons), [])
  t.end()
})

test('a folder holds what one sees at a glance', (t) => {
  const reasons = {
    'src/model': 'the vocabulary, one file a word',
  }
  t.same(findCrowdedFolders(FILES, 12, reasons), [])
  t.end()
})

test('no name says nothing', (t) => {
  t.same(findEmptyNames(FILES), [])
  t.end()
})

test('every file says what it is, and every exported function what it does', (t) => {
  t.same(findUndocumented(FILES), [])
  t.end()
})

/** Where vendors and protocols may be called by name: what speaks their APIs, the last in a browser; prefixes of their keys, to be masked. */
const NAMING_HOMES = ['src/protocols/', 'src/simulator/', 'src/wire/mask-keys.ts', 'src/console/playground/apis/']
/** The one option that is called after the API whose paths it moves. */
const OPTION_NAME = 'ollamaPrefix'
const OPTION_DEFAULT = "default: '/ollama'"
/** Names that are words of ours or of the language: the simulator is part of the house; prompts, conversations, providers are its trade. */
const COMMON_WORDS = new Set(['sim', 'simulator', 'together', 'prompt', 'conversation', 'provider', 'raw'])

/** Names of protocol folders, vendor profiles, and the firms in them (`azure-openai` -> azure, openai). */
function foreignNames(): string[] {
  const protocols = protocolNames(FILES)
  const vendors = listFiles('resources/providers').map((path) => path.replace(/^.*\/(.+)\.json$/, '$1'))
  const firms = [...protocols, ...vendors].map((name) => name.split('-')[0] ?? name)
  return [...new Set([...protocols, ...vendors, ...firms])].filter((name) => !COMMON_WORDS.has(name))
}

test('no vendor or protocol is called by name outside its home', (t) => {
  const names = foreignNames()
  t.ok(names.length > 15, 'names are read')
  t.ok(FILES.some(({ path, code }) => path === 'src/config/schema/schema.ts' && code.includes(OPTION_NAME)))
  const withoutOption = (code: string): string => code.replaceAll(OPTION_NAME, '').replace(OPTION_DEFAULT, '')
  const files = FILES.map((file) =>
    file.path.startsWith('src/config/') ? { ...file, code: withoutOption(file.code) } : file,
  )
  t.same(findForeignNames(files, names, NAMING_HOMES), [])
  t.end()
})

/** Files with logic whose tests are elsewhere, and the test that covers each. */
const TESTED_ELSEWHERE: readonly (readonly [source: string, test: string])[] = [
  // The client library by what its users call.
  ['src/client/chat-failed-error.ts', 'test/client/sluice-socket.test.ts'],
  ['src/client/listeners.ts', 'test/client/sluice-socket.test.ts'],
  ['src/client/resumed-body.ts', 'test/client/resuming-fetch.test.ts'],
  ['src/client/socket-chat.ts', 'test/client/sluice-socket.test.ts'],
  ['src/client/stream-lost-error.ts', 'test/client/resuming-fetch.test.ts'],
  // The pages in a browser, by what their users do.
  ...['dom', 'try', 'playground/answer-view', 'playground/playground'].map(
    (name) => [`src/console/${name}.ts`, 'test/e2e/try-page.test.ts'] as const,
  ),
  ...[
    ...['console', 'live/live-screen', 'live/stream-entry', 'live/watch-dialog', 'live/trouble-view'],
    ...['shell/dialogs', 'shell/login'],
    ...['shell/rows', 'shell/shell', 'shell/table', 'shell/ticker'],
  ].map((name) => [`src/console/${name}.ts`, 'test/e2e/console-live.test.ts'] as const),
  ...['gateway/providers-screen', 'requests/request-page', 'requests/requests-screen', 'shell/parts'].map(
    (name) => [`src/console/${name}.ts`, 'test/e2e/console-requests.test.ts'] as const,
  ),
  ...['gateway/config-screen', 'keys/key-form', 'keys/key-page', 'keys/keys-screen', 'keys/secret-dialog'].map(
    (name) => [`src/console/${name}.ts`, 'test/e2e/console-keys.test.ts'] as const,
  ),
  ['src/server/routes/try-page.ts', 'test/e2e/try-page.test.ts'],
  ['src/server/http/browser-file.ts', 'test/e2e/try-page.test.ts'],
  // The configuration file is declared in sections and tested as a whole.
  ['src/config/schema/jobs.ts', 'test/config/schema/schema.test.ts'],
  ['src/config/schema/model.ts', 'test/config/schema/schema.test.ts'],
  ['src/config/schema/parts.ts', 'test/config/schema/schema.test.ts'],
  ['src/config/schema/provider.ts', 'test/config/schema/schema.test.ts'],
  // Credentials by the requests that need them.
  ['src/upstream/credentials/authorized-call.ts', 'test/upstream/upstream.test.ts'],
  ['src/upstream/credentials/authorizers.ts', 'test/upstream/upstream.test.ts'],
  ['src/upstream/credentials/credentials.ts', 'test/upstream/upstream.test.ts'],
  ['src/limit/shared/shared-refusals.ts', 'test/limit/shared/redis-limiter.test.ts'],
  ['src/limit/shared/shared-state.ts', 'test/limit/shared/redis-limiter.test.ts'],
  ['src/streams/kept/port-holder.ts', 'test/streams/kept/port-reader.test.ts'],
  ['src/streams/kept/kept-reader.ts', 'test/streams/kept/kept-stream.test.ts'],
  ['src/streams/kept/readable-log.ts', 'test/streams/kept/kept-stream.test.ts'],
  ['src/streams/redis/stored-log.ts', 'test/streams/redis/stream-store.test.ts'],
  ['src/streams/redis/stored-reader.ts', 'test/streams/redis/stored-readers.test.ts'],
  ['src/telemetry/metrics/labels.ts', 'test/telemetry/metrics/table.test.ts'],
  ['src/telemetry/metrics/series.ts', 'test/telemetry/metrics/scrape.test.ts'],
  // What happens between several requests, over all parts that it takes.
  ['src/pipeline/stages/share.ts', 'test/server/sharing/request-desk.test.ts'],
  ['src/server/sharing/asked.ts', 'test/server/sharing/request-desk.test.ts'],
  ['src/server/sharing/ground.ts', 'test/e2e/sharing.test.ts'],
  ['src/server/sharing/open.ts', 'test/server/sharing/request-desk.test.ts'],
  ['src/server/sharing/reader-sink.ts', 'test/server/sharing/request-desk.test.ts'],
  ['src/server/sharing/shared-sink.ts', 'test/server/sharing/request-desk.test.ts'],
  ['src/server/sharing/handle-sink.ts', 'test/server/sharing/own-run.test.ts'],
  ['src/server/sharing/answers.ts', 'test/server/sharing/share-lead.test.ts'],
  ['src/server/routes/paths.ts', 'test/server/routes/add-routes.test.ts'],
  ['src/gateway/loop.ts', 'test/e2e/nodes.test.ts'],
  ['src/gateway/loop-server.ts', 'test/e2e/start.test.ts'],
  ['src/gateway/streams/keep-policy.ts', 'test/e2e/kept-streams.test.ts'],
  ['src/gateway/jobs.ts', 'test/compat/queue-and-webhook-proxy/jobs.test.ts'],
  ['src/jobs/job-json.ts', 'test/compat/queue-and-webhook-proxy/jobs.test.ts'],
  ['src/gateway/job-thread.ts', 'test/compat/queue-and-webhook-proxy/jobs.test.ts'],
  // The admin API by its requests.
  ['src/admin/http/admin-exchange.ts', 'test/admin/listener.test.ts'],
  ['src/admin/http/admin-route.ts', 'test/admin/listener.test.ts'],
  ['src/admin/http/answers.ts', 'test/admin/routes/all-routes.test.ts'],
  ['src/admin/loops/loop-calls.ts', 'test/admin/loops/all-loops.test.ts'],
  ['src/admin/loops/serve-port.ts', 'test/admin/loops/port-loop.test.ts'],
  ['src/admin/routes/configuration.ts', 'test/admin/routes/all-routes.test.ts'],
  ['src/admin/routes/records.ts', 'test/admin/routes/keys.test.ts'],
  ['src/admin/routes/openapi.ts', 'test/admin/routes/all-routes.test.ts'],
  ['src/admin/routes/requests.ts', 'test/admin/routes/all-routes.test.ts'],
  ['src/admin/routes/console/try.ts', 'test/e2e/trials.test.ts'],
  ['src/gateway/admin/trials.ts', 'test/e2e/trials.test.ts'],
  ...['budgets/budget-dialog', 'budgets/budget-page', 'budgets/budgets-screen', 'shell/record-page'].map(
    (name) => [`src/console/${name}.ts`, 'test/e2e/console-budgets.test.ts'] as const,
  ),
  ['src/console/spend/spend-chart.ts', 'test/e2e/console-spend.test.ts'],
  ['src/console/spend/spend-screen.ts', 'test/e2e/console-spend.test.ts'],
  ['src/console/trial/trial-screen.ts', 'test/e2e/console-playground.test.ts'],
  ['src/console/playground/client-door.ts', 'test/e2e/console-playground.test.ts'],
  ['src/console/shell/filtered-screen.ts', 'test/e2e/console-requests.test.ts'],
  ['src/console/requests/replay.ts', 'test/e2e/replay.test.ts'],
  ['src/gateway/admin/loop-admin.ts', 'test/e2e/admin.test.ts'],
  ['src/offload/record.ts', 'test/offload/inline.test.ts'],
  ['workers/codec.ts', 'test/laws/offload.test.ts'],
  // The embedded store is tested as a whole, by the suite of all stores.
  ['src/jobs/sqlite/file.ts', 'test/sqlite/database-file.test.ts'],
  ['src/jobs/sqlite/job-row.ts', 'test/jobs/sqlite/store.test.ts'],
  ['src/jobs/run/job-run.ts', 'test/jobs/run/runner.test.ts'],
  // The same of keys and teams, by the suite of all databases.
  ['src/accounts/thread.ts', 'test/accounts/client.test.ts'],
  ['src/accounts/database/calls.ts', 'test/accounts/client.test.ts'],
  ['src/accounts/database/changes.ts', 'test/accounts/client.test.ts'],
  ['src/accounts/database/feed.ts', 'test/accounts/client.test.ts'],
  ['src/accounts/database/keys.ts', 'test/accounts/client.test.ts'],
  ['src/accounts/database/postgres-line.ts', 'test/accounts/database/postgres.test.ts'],
  ['src/accounts/database/rows.ts', 'test/accounts/client.test.ts'],
  ['src/accounts/database/rollups/report-columns.ts', 'test/accounts/database/rollups/spend-reports.test.ts'],
  ['src/accounts/database/rollups/report-parts.ts', 'test/accounts/database/rollups/spend-reports.test.ts'],
  ['src/accounts/database/rollups/user-reports.ts', 'test/accounts/database/rollups/spend-reports.test.ts'],
  ['src/accounts/database/rollups/user-names.ts', 'test/accounts/database/rollups/add-rollups.test.ts'],
  ['src/accounts/database/sqlite.ts', 'test/accounts/client.test.ts'],
  ['src/accounts/database/rollups/tables.ts', 'test/accounts/database/schema.test.ts'],
  ['src/accounts/rollups/types.ts', 'test/accounts/rollups/loop-rollups.test.ts'],
  ['src/accounts/database/teams.ts', 'test/accounts/client.test.ts'],
  ['src/jobs/sqlite/deliveries.ts', 'test/jobs/sqlite/store.test.ts'],
  ['src/jobs/sqlite/jobs.ts', 'test/jobs/sqlite/store.test.ts'],
  ['src/jobs/sqlite/repeats.ts', 'test/jobs/sqlite/store.test.ts'],
  ['src/jobs/sqlite/statements.ts', 'test/jobs/sqlite/store.test.ts'],
  ['src/jobs/sqlite/thread.ts', 'test/jobs/sqlite/store.test.ts'],
  ['src/protocols/openai-responses/stored/items.ts', 'test/protocols/openai-responses/stored.test.ts'],
  ['src/responses/sqlite/file.ts', 'test/responses/sqlite/responses.test.ts'],
  ['src/responses/sqlite/start.ts', 'test/responses/sqlite/responses.test.ts'],
  ['src/responses/sqlite/thread.ts', 'test/responses/sqlite/responses.test.ts'],
  ['src/sqlite/serve-file.ts', 'test/jobs/sqlite/store.test.ts'],
  ['src/sqlite/store-thread.ts', 'test/jobs/sqlite/store.test.ts'],
  // The process as a whole, started as its users start it.
  ['src/main.ts', 'test/e2e/start.test.ts'],
  ['src/main/launch.ts', 'test/e2e/start.test.ts'],
  ['src/gateway.ts', 'test/e2e/start.test.ts'],
  ['workers/frontend.ts', 'test/e2e/limits.test.ts'],
  // What the API's document says, tested as a whole with all surfaces.
  ['src/protocols/anthropic-messages/surface/describe.ts', 'test/server/openapi/openapi.test.ts'],
  ['src/protocols/openai-chat/surface/describe.ts', 'test/server/openapi/openapi.test.ts'],
  ['src/protocols/google-gemini/surface/describe.ts', 'test/server/openapi/openapi.test.ts'],
  ['src/protocols/ollama-chat/surface/describe.ts', 'test/server/openapi/openapi.test.ts'],
  ['src/protocols/openai-responses/surface/describe.ts', 'test/server/openapi/openapi.test.ts'],
  ['src/protocols/conversation/describe.ts', 'test/server/openapi/openapi.test.ts'],
  ['src/protocols/prompt-stream/describe.ts', 'test/server/openapi/openapi.test.ts'],
  ['src/protocols/provider-chat/describe.ts', 'test/server/openapi/openapi.test.ts'],
  ['src/protocols/raw-passthrough/describe.ts', 'test/server/openapi/openapi.test.ts'],
  ['src/server/openapi/resource-operations.ts', 'test/server/openapi/openapi.test.ts'],
  ['src/server/openapi/openapi-components.ts', 'test/server/openapi/openapi.test.ts'],
  ['src/server/openapi/plain-operations.ts', 'test/server/openapi/openapi.test.ts'],
  ['src/protocols/ollama-chat/dialect/reply.ts', 'test/protocols/ollama-chat/dialect/stream-decoder.test.ts'],
  ['src/simulator/lorem.ts', 'test/simulator/simulator.test.ts'],
  ['src/simulator/player.ts', 'test/simulator/simulator.test.ts'],
  ['src/simulator/wires/wire.ts', 'test/simulator/simulator.test.ts'],
]

/** Tests that look at several files of an area together. */
const SUITES: Readonly<Record<string, string>> = {
  'test/config/fuzz.test.ts': 'drawn configurations through the whole of loading',
  'test/accounts/database/migration-kill.test.ts': 'tables that are made by a process that is killed',
  'test/accounts/kill.test.ts': 'the store, its process killed',
  'test/accounts/budget-kill.test.ts': 'budgets, their process killed',
  'test/jobs/kill.test.ts': 'both stores, their process killed',
  'test/jobs/nodes.test.ts': 'two nodes on one store',
  'test/jobs/set-clock.test.ts': 'both stores under clocks that are set',
  'test/limit/threads.test.ts': 'the cells from several threads',
  'test/pipeline/rejected-caps.test.ts': 'caps that providers refuse, over several attempts',
  'test/pipeline/retries.test.ts': 'dispatch over several attempts',
  'test/wire.test.ts': 'details of all wires over every surface and dialect',
  'test/server/websocket/chats.test.ts': 'chats over all parts of a socket, with a real client',
  'test/server/websocket/slow-readers.test.ts': 'the same with clients that do not read',
  'test/server/http-sink-timers.test.ts': 'the HTTP sink with its clock',
}

test('every file with logic has the test that mirrors it, and every test its file', (t) => {
  t.same(findMirrorBreaks(FILES, { tests: listFiles('test'), testedElsewhere: TESTED_ELSEWHERE, suites: SUITES }), [])
  t.end()
})
