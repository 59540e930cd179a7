// What is written down is true: the tables of README and docs, .env.example, the dashboard, compose and Dockerfile against the code.
import { type Test, test } from 'tap'
import { type TSchema } from 'typebox'
import { parse } from 'yaml'
import { createAdminRoutes } from '../src/admin/routes/all-routes.js'
import { documentedAdminPath } from '../src/admin/routes/openapi.js'
import { parseCommandLine } from '../src/config/command-line.js'
import { readCatalog } from '../src/config/read.js'
import { ConfigFile } from '../src/config/schema/schema.js'
import { ERROR_CATALOGUE, errorData } from '../src/errors.js'
import { RESOURCE_IDS } from '../src/model/endpoint.js'
import { OUTCOMES } from '../src/model/event.js'
import { isJsonObject, type JsonObject } from '../src/model/json.js'
import { ENDPOINTS, PROTOCOLS } from '../src/protocols/index.js'
import { documentedPath } from '../src/server/openapi/openapi.js'
import { parseFault } from '../src/simulator/faults.js'
import { MODELS } from '../src/simulator/persona.js'
import { createExchangeLine } from '../src/telemetry/log/exchange-line.js'
import { createRedactor } from '../src/telemetry/log/redact.js'
import { labelNames, METRIC_LIST } from '../src/telemetry/metrics/table.js'
import { adminContext } from './helpers/admin.js'
import { exchangeRecord } from './helpers/exchange-record.js'
import { closedJobDoor, startFront } from './helpers/front.js'
import { codeWords, DOCS, fencedBlocks, section, tableRows } from './helpers/markdown.js'
import { listFiles, readSource, readText, writeText } from './helpers/source-tree.js'

/** First cells of a section's tables, without their backticks. */
function namesIn(heading: string): string[] {
  return tableRows(section(DOCS, heading)).flatMap((row) => codeWords(row[0] ?? ''))
}

// --- tables that are made from the code

/** A page with what stands between two of its markers replaced. @throws when it has no such markers */
function withTable(page: string, name: string, lines: readonly string[]): string {
  const [begin, end] = [`<!-- ${name}: begin -->\n\n`, `\n\n<!-- ${name}: end -->`]
  const [from, to] = [page.indexOf(begin), page.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`no markers of the table ${name}`)
  return page.slice(0, from + begin.length) + lines.join('\n') + page.slice(to)
}

/** Compares a page's table with the lines that the code makes; UPDATE_GOLDEN=1 writes them into the page. */
function checkTable(t: Test, path: string, name: string, lines: readonly string[]): void {
  const made = withTable(readText(path), name, lines)
  if (process.env.UPDATE_GOLDEN === '1' && made !== readText(path)) writeText(path, made)
  t.equal(readText(path), made, `${path}: UPDATE_GOLDEN=1 writes the table ${name} anew`)
}

test('a table is written between its markers, and nothing around it', async (t) => {
  const page = 'before\n\n<!-- x: begin -->\n\n| old |\n\n<!-- x: end -->\n\nafter\n'
  t.equal(withTable(page, 'x', ['| a |', '| b |']), page.replace('| old |', '| a |\n| b |'))
  t.throws(() => withTable(page, 'y', []), /no markers of the table y/)
})

// --- errors and outcomes

const ERROR_HEAD = [
  '| Error | Status | Whose fault | Retry | OpenAI `type` | OpenAI `code` | Anthropic `type` |',
  '| --- | --- | --- | --- | --- | --- | --- |',
]

function errorRow(code: keyof typeof ERROR_CATALOGUE): string {
  const data = errorData(code)
  const fault = code.startsWith('upstream_') ? 'upstream' : data.status < 500 ? 'client' : 'gateway'
  const shown = PROTOCOLS.flatMap(({ id, surface }) => {
    const error = surface?.encodeError(data, 'r').body.error
    if (!isJsonObject(error)) return []
    return [id.startsWith('openai') ? [error.type, error.code ?? 'null'] : [error.type]]
  })
  // Both APIs of one vendor say the same: the table has them once.
  const rows = [...new Set(shown.map((words) => words.join(' ')))].map((words) => words.split(' '))
  if (rows.filter((words) => words.length === 2).length !== 1) throw new Error(`${code}: ${rows.join(', ')}`)
  const [type, errorCode, other] = rows
    .sort((a, b) => b.length - a.length)
    .flat()
    .map((word) => `\`${word}\``)
  return `| \`${code}\` | ${data.status} | ${fault} | ${data.retryable ? 'yes' : 'no'} | ${type} | ${errorCode} | ${other} |`
}

test('the error table has every code with its status and what each API says, and no other', async (t) => {
  const codes = Object.keys(ERROR_CATALOGUE) as (keyof typeof ERROR_CATALOGUE)[]
  checkTable(t, 'docs/reference/errors.md', 'errors', [...ERROR_HEAD, ...codes.map(errorRow)])
  t.same(namesIn('Errors').sort(), [...codes].sort(), 'one table of them')
})

test('the outcome table has every outcome and no other', async (t) => {
  t.same(namesIn('Outcomes').sort(), [...OUTCOMES].sort())
})

// --- configuration

type Node = {
  readonly properties?: Readonly<Record<string, TSchema & Node>>
  readonly patternProperties?: Readonly<Record<string, TSchema & Node>>
  readonly items?: TSchema & Node
  readonly anyOf?: readonly (TSchema & Node)[]
  readonly default?: unknown
  readonly description?: string
}

/** Every option with its row; `*` stands for any name or position. */
function optionRows(schema: Node, path: string): string[] {
  const object = schema.properties ?? schema.anyOf?.find((branch) => branch.properties !== undefined)?.properties
  if (object !== undefined) {
    return Object.entries(object).flatMap(([key, member]) => optionRows(member, path === '' ? key : `${path}.${key}`))
  }
  const [record] = Object.values(schema.patternProperties ?? {})
  const inner = [record, schema.items].find((member) => member?.properties !== undefined || member?.anyOf !== undefined)
  if (inner !== undefined) return optionRows(inner, `${path}.*`)
  const value = schema.default === undefined ? '' : `\`${JSON.stringify(schema.default)}\``
  return [`| \`${path}\` | ${value} | ${schema.description} |`]
}

test('the configuration table has every option with its default and meaning, and no other', async (t) => {
  const rows = optionRows(ConfigFile, '')
  t.ok(rows.length > 70)
  const head = ['| Option | Default | Meaning |', '| --- | --- | --- |']
  checkTable(t, 'docs/reference/configuration.md', 'options', [...head, ...rows])
  const paths = rows.map((row) => codeWords(row)[0])
  t.same(namesIn('Configuration').sort(), paths.sort())
})

test('options named elsewhere in the documentation exist', async (t) => {
  const paths = new Set(optionRows(ConfigFile, '').map((row) => codeWords(row)[0] ?? ''))
  const known = [...paths].flatMap((path) => path.split('.').map((_, i, parts) => parts.slice(0, i + 1).join('.')))
  const named = codeWords(DOCS).filter((word) =>
    /^(server|offload|keys|limits|routing|providers|models|jobs|redis|prompts|metrics|log|compat)\.[\w.*]+$/.test(word),
  )
  t.ok(named.length > 20)
  for (const name of named) t.ok(known.includes(name), name)
})

// --- environment

/** Set by users of a system that Sluice replaces, with nothing here that it could say: documented, not read. */
const IGNORED_VARIABLES = ['LLM_PROXY_API_MINIMUM']

/** Names that the code reads: those of environment.ts, load.ts, proxies.ts and telemetry.ts, and those of the vendors' profiles. */
function environmentNames(): string[] {
  const code = ['sources/environment', 'load', 'resolve/proxies', 'resolve/telemetry']
    .map((name) => readText(`src/config/${name}.ts`))
    .join('')
  const patterns = [/'([A-Z][A-Z0-9_]{3,})'/g, /variables\.([A-Z][A-Z0-9_]+)/g, /^ {2}([A-Z][A-Z0-9_]{3,}):/gm]
  const own = patterns.flatMap((pattern) => Array.from(code.matchAll(pattern), (match) => match[1] ?? ''))
  const vendors = readCatalog().profiles.flatMap((profile) => [
    ...profile.keyVariables,
    ...profile.baseUrlVariables,
    ...Object.keys(profile.headerVariables ?? {}),
    ...Object.values(profile.address ?? {}).flat(),
    ...Object.values(profile.credentials?.variables ?? {}).flat(),
  ])
  return [...new Set([...own, ...vendors, ...IGNORED_VARIABLES])].sort()
}

test('the environment table and .env.example have every variable that is read, and no other', async (t) => {
  const names = environmentNames()
  t.ok(names.length > 50)
  t.same(namesIn('Environment').sort(), names, 'docs/reference/environment.md')
  const example = Array.from(readText('.env.example').matchAll(/^#?([A-Z][A-Z0-9_]+)=/gm), (match) => match[1] ?? '')
  t.same(example.sort(), names, '.env.example')
})

test('the profiles and protocols that the documentation lists are those there are', async (t) => {
  const catalog = readCatalog()
  const words = codeWords(section(DOCS, 'Configuration'))
  for (const { name } of catalog.profiles) if (name !== 'sim') t.ok(words.includes(name), name)
  for (const protocol of Object.keys(catalog.protocols)) t.ok(words.includes(protocol), protocol)
  t.match(DOCS, `profiles for ${catalog.profiles.length - 1} vendors`)
  const patterns = catalog.profiles.flatMap((profile) => profile.modelPatterns ?? [])
  for (const pattern of patterns) t.ok(codeWords(section(DOCS, 'Model names')).includes(pattern), pattern)
})

// --- promises

test('each promise names tests or scripts that exist', async (t) => {
  const tests = new Set(listFiles('test'))
  const { scripts } = JSON.parse(readText('package.json')) as { scripts: Record<string, string> }
  const rows = tableRows(section(DOCS, 'What Sluice promises'))
  t.ok(rows.length > 15)
  for (const [promise = '', proof = ''] of rows) {
    const named = codeWords(proof)
    t.ok(named.length > 0, promise)
    for (const name of named) {
      const isThere = name.startsWith('npm run ') ? name.slice('npm run '.length) in scripts : tests.has(name)
      t.ok(isThere, name)
    }
  }
})

// --- routes

test('the route table has every route and no other', async (t) => {
  const surfaces = [...PROTOCOLS.flatMap(({ surface }) => surface ?? []), ...ENDPOINTS]
  const { server } = await startFront(t, {
    options: { surfaces, jobDoor: closedJobDoor(surfaces), usage: async () => ({}), issuesTokens: true },
  })
  const routes = server.routes.map(({ method, path }) => `${method} ${documentedPath(path)}`)
  t.same(namesIn('Routes').sort(), [...new Set(routes)].sort())
})

test('the route table of the admin API has every route and no other', async (t) => {
  const routes = createAdminRoutes(adminContext([]).context)
  const served = routes.map(({ method, path }) => `${method} ${documentedAdminPath(path)}`)
  t.same(namesIn('Admin routes').sort(), served.sort())
  const roles = tableRows(section(DOCS, 'Admin routes')).map(([, , role]) => role)
  t.same(
    roles,
    routes.filter(({ path }) => path !== '').map(({ role }) => role),
    'each with its role, in the order of the table of the code',
  )
})

// --- endpoints

test('the table of providers is made from the profiles', async (t) => {
  const code = (text: string) => `\`${text}\``
  const rows = readCatalog().profiles.flatMap((profile) => {
    const { name, title, protocol, baseUrl, auth, keyVariables, keyless, credentials, doors = {} } = profile
    if (name === 'sim') return []
    const header = auth.kind === 'bearer' ? 'bearer' : code(auth.name)
    const [variable] = keyVariables
    const keys = [
      ...(variable === undefined ? [] : [`${code(variable)}, ${header}${keyless === true ? ', optional' : ''}`]),
      ...(credentials === undefined ? [] : [`credentials of kind ${code(credentials.kind)}`]),
    ]
    const others = Object.entries(doors).map(([id, door]) =>
      door.baseUrl === undefined ? code(id) : `${code(id)} at ${code(door.baseUrl)}`,
    )
    const cells = [title, code(name), code(protocol), code(baseUrl ?? ''), keys.join('; '), others.join(', ')]
    return [`| ${cells.join(' | ')} |`]
  })
  const head = ['| Vendor | Profile | API | Base URL | Key | Doors |', '| --- | --- | --- | --- | --- | --- |']
  checkTable(t, 'docs/reference/providers.md', 'providers', [...head, ...rows])
})

test('the tables of endpoints are made from the profiles and the dialects', async (t) => {
  const cells = (ids: readonly string[]) => (ids.length === 0 ? 'none' : ids.map((id) => `\`${id}\``).join(', '))
  const dialects = PROTOCOLS.flatMap(({ id, dialect }) => (dialect === null ? [] : [{ id, dialect }]))
  const all = (protocol: string) => Object.keys(dialects.find(({ id }) => id === protocol)?.dialect.endpoints ?? {})
  const isAssumed = (id: string) => !RESOURCE_IDS.some((each) => each === id)
  const has = (protocol: string) => all(protocol).filter(isAssumed)
  const { profiles } = readCatalog()
  const rows = profiles.map(({ name, title, protocol, endpoints }) => {
    const named = endpoints ?? has(protocol)
    t.same(
      named.filter((id) => !all(protocol).includes(id)),
      [],
      `${name} names what its protocol has`,
    )
    return `| ${title} | \`${name}\` | ${cells(named)} |`
  })
  checkTable(t, 'docs/reference/endpoints.md', 'endpoints', [
    '| Vendor | Profile | Endpoints |',
    '| --- | --- | --- |',
    ...rows,
  ])
  const protocols = dialects.map(({ id }) => `| \`${id}\` | ${cells(has(id))} |`)
  const head = ['| Protocol | Endpoints |', '| --- | --- |']
  checkTable(t, 'docs/reference/endpoints.md', 'endpoints of protocols', [...head, ...protocols])
})

// --- metrics

/** Name -> type and labels of every metric, from the recorded page (telemetry/metrics/scrape.test.ts), where each has counted. */
function metricLabels(): Map<string, string[]> {
  const page = readText('test/fixtures/metrics/page.txt')
  const found = new Map<string, string[]>()
  for (const [, name = '', type] of page.matchAll(/^# TYPE (\w+) (\w+)$/gm)) {
    const suffix = type === 'histogram' ? '_count' : ''
    const labels = new RegExp(`^${name}${suffix}(?:\\{(.*)\\})? `, 'm').exec(page)
    if (labels === null) throw new Error(`${name} has no series`)
    found.set(name, [type ?? '', ...Array.from((labels[1] ?? '').matchAll(/(\w+)="/g), (match) => match[1] ?? '')])
  }
  return found
}

const METRIC_HEAD = ['| Metric | Type | Labels | Meaning |', '| --- | --- | --- | --- |']

test('the metrics table is made from the table of the code', async (t) => {
  const rows = METRIC_LIST.map(([, descriptor]) => {
    const labels = labelNames(descriptor).map((label) => `\`${label}\``)
    return `| ${[`\`${descriptor.name}\``, descriptor.type, labels.join(' '), descriptor.help].join(' | ')} |`
  })
  checkTable(t, 'docs/reference/metrics.md', 'metrics', [...METRIC_HEAD, ...rows])
})

test('the metrics table has every metric with type and labels, and no other', async (t) => {
  const metrics = metricLabels()
  const rows = tableRows(section(DOCS, 'Metrics'))
  const written = rows.map(([name = '', type = '', labels = '']) => [codeWords(name)[0], type, ...codeWords(labels)])
  t.same(written.map(sorted).sort(), [...metrics].map(([name, rest]) => sorted([name, ...rest])).sort())
})

function sorted([name, type, ...labels]: (string | undefined)[]): string {
  return `${name} ${type} ${labels.sort().join(' ')}`
}

test('the dashboard has a panel for each metric, and asks for metrics and labels that exist', async (t) => {
  const metrics = metricLabels()
  const dashboard = parse(readText('resources/grafana/dashboards/sluice.json')) as JsonObject
  const queries = Array.from(
    JSON.stringify(dashboard).matchAll(/"expr":"((?:\\.|[^"\\])*)"/g),
    (match) => match[1] ?? '',
  )
  t.ok(queries.length > 15)
  const shown = new Set(queries.flatMap((query) => query.match(/\bsluice_\w+/g) ?? []))
  for (const [, { name, type }] of METRIC_LIST) {
    t.ok(shown.has(type === 'histogram' ? `${name}_bucket` : name), `a panel shows ${name}`)
  }
  for (const query of queries) {
    const names = Array.from(query.matchAll(/\b(sluice_\w+|process_\w+|nodejs_\w+)/g), (match) => match[1] ?? '')
    t.ok(names.length > 0, query)
    t.equal(query.split('instance=~\\"$instance\\"').length - 1, names.length, `for the chosen instances: ${query}`)
    const own = names
      .filter((name) => name.startsWith('sluice_'))
      .map((name) => name.replace(/_(bucket|sum|count)$/, ''))
    for (const name of own) t.ok(metrics.has(name), `${name} in ${query}`)
    const grouped = /\bby \(([^)]*)\)/.exec(query)?.[1]?.split(',') ?? []
    const labels = own.flatMap((name) => metrics.get(name) ?? [])
    for (const label of grouped.map((word) => word.trim())) t.ok(label === 'le' || labels.includes(label), query)
  }
})

// --- simulator, commands, links

test('the simulator tables have its models and its faults, and no other', async (t) => {
  const names = namesIn('Simulator')
  const faults = names.map((name) => /^[a-z-]+/.exec(name)?.[0] ?? '').filter((name) => parseFault(name) !== null)
  const known = Array.from(
    /const NAMES = \[([\s\S]*?)\]/.exec(readText('src/simulator/faults.ts'))?.[1]?.matchAll(/'([\w-]+)'/g) ?? [],
    (match) => match[1] ?? '',
  )
  t.ok(known.length > 10)
  t.same(faults.sort(), known.sort())
  for (const model of MODELS) t.ok(names.includes(model), model)
})

test('the commands in the documentation exist', async (t) => {
  const scripts = (parse(readText('package.json')) as { scripts: Record<string, string> }).scripts
  const commands = [...fencedBlocks(DOCS).map((block) => block.text), ...codeWords(DOCS)].join('\n')
  for (const [, name = ''] of commands.matchAll(/\bnpm run ([\w:]+)/g)) t.ok(name in scripts, `npm run ${name}`)
  for (const name of ['start', 'test']) t.ok(name in scripts)
  const lines = Array.from(
    commands.matchAll(/\bsluice ((?:start|check|simulate|webhook verify --|--)[^\n]*)$/gm),
    (match) => match[1] ?? '',
  )
  t.ok(lines.length > 4)
  for (const line of lines) t.ok(parseCommandLine(line.split(' ').filter((word) => word !== '')), line)
})

test('the YAML beside the gateway parses', async (t) => {
  const isTemplate = (file: string) => file.startsWith('resources/helm/sluice/templates/')
  const yamls = listFiles('resources').filter((file) => /\.ya?ml$/.test(file) && !isTemplate(file))
  const files = ['compose.yaml', ...yamls]
  t.ok(files.length >= 6)
  for (const file of files) t.type(parse(readText(file)), 'object', file)
})

test('compose mounts files that exist and gives Prometheus the token of the gateway', async (t) => {
  const compose = parse(readText('compose.yaml')) as { services: Record<string, { volumes?: string[] }> }
  const mounted = Object.values(compose.services).flatMap((service) => service.volumes ?? [])
  const ours = mounted.filter((volume) => volume.startsWith('./')).map((volume) => volume.slice(2).split(':')[0] ?? '')
  t.ok(ours.length >= 3)
  for (const path of ours) t.ok(/\.\w+$/.test(path) ? readText(path) : listFiles(path).length > 0, path)
  const token = /METRICS_TOKEN:-([\w-]+)/.exec(readText('compose.yaml'))?.[1] ?? 'none'
  t.match(readText('resources/prometheus/prometheus.yml'), `credentials: ${token} `)
})

test('the log page names every field of a request’s line, and no other', async (t) => {
  const page = readText('docs/reference/log.md')
  const [shown = ''] = fencedBlocks(page)
    .filter(({ language }) => language === 'json')
    .map(({ text }) => text)
  const write = createExchangeLine({ redactor: createRedactor([]), ownIdSeed: null, timestamp: () => ',"time":"now"' })
  const said = { param: 'p', upstreamStatus: 400, upstreamType: 't', upstreamCode: 'c' }
  const failed = {
    provider: 'p',
    model: 'm',
    result: 'timeout',
    error: errorData('upstream_timeout', said),
    ms: 1,
  } as const
  const socket = { connection: 'c', chat: 'd' }
  const origin = { method: 'POST', path: '/', address: '127.0.0.1', agent: 'a', socket }
  const line = write(
    'info',
    exchangeRecord({
      error: failed.error,
      cause: new Error('why'),
      tries: [failed, failed],
      dropped: ['x'],
      upstreamRequestId: 'u',
      stream: 'str_00abcdef',
      origin,
    }),
  )
  const written = new Set(memberNames(JSON.parse(line)))
  const named = new Set([...memberNames(JSON.parse(shown)), ...codeWords(page)])
  t.same(
    Array.from(written).filter((name) => !named.has(name)),
    [],
    'written, and not named',
  )
  t.same(
    memberNames(JSON.parse(shown)).filter((name) => !written.has(name)),
    [],
    'shown, and never written',
  )
})

test('the messages that the log page names are logged', async (t) => {
  const messages = codeWords(readText('docs/reference/log.md')).filter((word) => /^[a-z]+(?: [a-z-]+)+$/.test(word))
  t.ok(messages.length > 5)
  const source = readSource().map(({ text }) => text)
  for (const message of messages)
    t.ok(
      source.some((text) => text.includes(`'${message}'`)),
      message,
    )
})

/** All names of members, at every depth. */
function memberNames(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(memberNames)
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, member]) => [name, ...memberNames(member)])
}

test('the image holds everything that the package lists', async (t) => {
  const { files } = parse(readText('package.json')) as { files: string[] }
  const [, image = ''] = readText('Dockerfile').split(/^FROM .*slim$/m)
  const copied = Array.from(image.matchAll(/^COPY (?:--from=\w+ )?(.+) \S+$/gm), (match) => match[1] ?? '')
  const paths = copied.flatMap((list) => list.split(' ')).map((path) => path.replace(/^\/app\//, ''))
  for (const path of [...files, 'package.json', 'node_modules']) t.ok(paths.includes(path), path)
  const ignored = readText('.dockerignore').split('\n')
  for (const path of ['src', 'workers', 'resources', 'package.json', 'tsconfig.json', '.npmrc', 'LICENSE']) {
    t.notOk(ignored.includes(path), path)
  }
})
