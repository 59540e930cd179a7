// The schema and the example file agree: every option is in it, at its default, explained, and it loads.
import { readFileSync } from 'node:fs'
import { test } from 'tap'
import { type TSchema } from 'typebox'
import { parse } from 'yaml'
import { defaultConfigFile } from '../../../src/config/load.js'
import { ConfigFile } from '../../../src/config/schema/schema.js'
import { isJsonArray, isJsonObject } from '../../../src/model/json.js'
import { load, ROOT } from '../sources.js'

const EXAMPLE = readFileSync(new URL('resources/config.example.yaml', ROOT), 'utf8')
/** Example lines are `#` without a blank. */
const UNCOMMENTED = EXAMPLE.replace(/^(\s*)#(?=\S)/gm, '$1')
const ENV = {
  TEAM_A_KEY: 'team-a-key-0123456789',
  DASHBOARD_KEY: 'dashboard-key-0123456789',
  OPENAI_API_KEY: 'sk-x',
  CLOUDFLARE_API_TOKEN: 'c',
  AZURE_CLIENT_SECRET: 'd',
  AWS_ACCESS_KEY_ID: 'AKIA1',
  AWS_SECRET_ACCESS_KEY: 'e',
  AWS_SESSION_TOKEN: 'f',
}

type Node = {
  readonly properties?: Readonly<Record<string, TSchema & Node>>
  readonly patternProperties?: Readonly<Record<string, TSchema & Node>>
  readonly items?: TSchema & Node
  readonly anyOf?: readonly (TSchema & Node)[]
  readonly default?: unknown
  readonly description?: string
}
type Leaf = { readonly path: string; readonly schema: Node; readonly values: readonly unknown[] }

/** Every option, with the values that the example gives it; `*` stands for any name or position. */
function leaves(schema: Node, values: readonly unknown[], path: string): Leaf[] {
  const object = schema.properties ?? schema.anyOf?.find((branch) => branch.properties !== undefined)?.properties
  if (object !== undefined) {
    const maps = values.filter(isJsonObject)
    return Object.entries(object).flatMap(([key, member]) =>
      leaves(
        member,
        maps.filter((map) => Object.hasOwn(map, key)).map((map) => map[key]),
        path === '' ? key : `${path}.${key}`,
      ),
    )
  }
  const [record] = Object.values(schema.patternProperties ?? {})
  const isFree = record !== undefined && Object.keys(record).every((key) => !['properties', 'anyOf'].includes(key))
  if (record !== undefined && !isFree)
    return leaves(
      record,
      values.filter(isJsonObject).flatMap((map) => Object.values(map)),
      `${path}.*`,
    )
  const hasItems = schema.items?.properties !== undefined || schema.items?.anyOf !== undefined
  if (schema.items !== undefined && hasItems)
    return leaves(schema.items, values.filter(isJsonArray).flat(), `${path}.*`)
  return [{ path, schema, values }]
}

test('every option is in the example', (t) => {
  const all = leaves(ConfigFile, [parse(UNCOMMENTED)], '')
  t.ok(all.length > 70)
  for (const { path, values } of all) t.ok(values.length > 0, path)
  t.end()
})

test('every option with a default has it in the example', (t) => {
  for (const { path, schema, values } of leaves(ConfigFile, [parse(UNCOMMENTED)], '')) {
    if (schema.default === undefined || (path.startsWith('models.') && path.endsWith('fallbacks'))) continue
    for (const value of values) t.same(value, schema.default, path)
  }
  t.end()
})

test('every option says what it means, on the line above it', (t) => {
  for (const { path, schema } of leaves(ConfigFile, [], '')) {
    t.ok(schema.description, path)
    t.ok(EXAMPLE.includes(`# ${schema.description}`), path)
  }
  t.end()
})

test('as it is, the example changes nothing', (t) => {
  t.same(load(EXAMPLE).config, load('').config)
  t.same({ ...parse(EXAMPLE).server, tls: null }, defaultConfigFile().server)
  t.end()
})

test('uncommented, the example loads', (t) => {
  const text = UNCOMMENTED.replace(/^( {2}| {4})tls:\n(?:\1 {2}.*\n)+/gm, '')
  t.notSame(text, UNCOMMENTED, 'certificates are not at hand here')
  const { config } = load(text.replace(/^ {6}(?:file: service-account|json: ).*\n/gm, ''), ENV)
  t.same(config.warnings, [])
  t.match(config.keys, [{ name: 'team-a' }, { name: 'team-b' }])
  t.match(config.providers, [
    { name: 'openai', apiKey: 'sk-x' },
    { name: 'cloudflare' },
    {
      name: 'azure-openai',
      baseUrl: 'https://my-resource.openai.azure.com/openai/v1',
      credentials: { kind: 'bearer' },
    },
    { name: 'bedrock', credentials: { kind: 'signature', region: 'eu-central-1', source: { from: 'keys' } } },
    { name: 'vertex', credentials: { kind: 'bearer', source: { from: 'metadata' } } },
    { name: 'local', baseUrl: 'http://127.0.0.1:8000/v1' },
  ])
  t.match(config.models, [{ name: 'smart' }, { name: 'fast', fallbacks: ['smart'] }])
  t.end()
})
