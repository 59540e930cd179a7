// The vendor data that ships: every profile fits, names what it must, and agrees with the environment example and itself.
import { readFileSync } from 'node:fs'
import { test } from 'tap'
import { makeCatalog } from '../../src/config/catalog.js'
import { normaliseBaseUrl } from '../../src/config/resolve/base-url.js'
import { CATALOG, ROOT, refusalOf } from './sources.js'

const VENDORS = [
  ...[
    'openai',
    'anthropic',
    'google',
    'ollama',
    'vllm',
    'openrouter',
    'groq',
    'mistral',
    'deepseek',
    'xai',
    'together',
  ],
  ...['fireworks', 'azure-openai', 'llama.cpp', 'lmstudio', 'sim'],
  ...['baseten', 'cerebras', 'cohere', 'huggingface', 'minimax', 'moonshot', 'nvidia', 'perplexity', 'qwen'],
  ...['sambanova', 'vercel', 'zhipu', 'cloudflare', 'bedrock', 'vertex'],
]

function profile(name: string) {
  const found = CATALOG.profiles.find((candidate) => candidate.name === name)
  if (found === undefined) throw new Error(`no profile ${name}`)
  return found
}

test('all vendors have a profile with a known protocol and a source for its facts', (t) => {
  t.same(CATALOG.profiles.map((each) => each.name).sort(), [...VENDORS].sort())
  for (const each of CATALOG.profiles) {
    t.ok(CATALOG.protocols[each.protocol], each.name)
    t.ok(each.notes.length > 0, each.name)
  }
  t.end()
})

test('each profile has a key variable, needs no key, or has credentials', (t) => {
  for (const each of CATALOG.profiles) {
    const hasCredentials = each.credentials !== undefined
    t.ok(each.keyVariables.length > 0 || each.keyless === true || hasCredentials, each.name)
  }
  const variables = CATALOG.profiles.flatMap((each) => [
    ...each.keyVariables,
    ...each.baseUrlVariables,
    ...Object.values(each.address ?? {}).flat(),
  ])
  t.equal(new Set(variables).size, variables.length, 'no variable belongs to two vendors')
  t.end()
})

test('each base URL is complete with its own version segment', (t) => {
  const bases = CATALOG.profiles.map((each) => {
    const defaults = CATALOG.protocols[each.protocol]
    const versionSegment = each.versionSegment ?? defaults?.versionSegment ?? ''
    const rule = { versionSegment, clientsGiveVersion: defaults?.clientsGiveVersion ?? true }
    const url = each.baseUrl?.replace(/\{\w+\}/g, 'x') ?? null
    return [each.name, url === null ? null : normaliseBaseUrl(url, rule)]
  })
  t.match(Object.fromEntries(bases), {
    openai: { url: 'https://api.openai.com/v1' },
    anthropic: { url: 'https://api.anthropic.com/v1' },
    google: { url: 'https://generativelanguage.googleapis.com/v1beta' },
    groq: { url: 'https://api.groq.com/openai/v1' },
    openrouter: { url: 'https://openrouter.ai/api/v1' },
    fireworks: { url: 'https://api.fireworks.ai/inference/v1' },
    deepseek: { url: 'https://api.deepseek.com/v1' },
    cohere: { url: 'https://api.cohere.ai/compatibility/v1' },
    qwen: { url: 'https://dashscope-intl.aliyuncs.com/compatible-mode/v1' },
    zhipu: { url: 'https://api.z.ai/api/paas/v4' },
    ollama: { url: 'http://127.0.0.1:11434' },
    vllm: { url: 'http://127.0.0.1:8000/v1' },
  })
  t.end()
})

test('model patterns are those of the contract, and no pattern belongs to two vendors', (t) => {
  t.same(profile('anthropic').modelPatterns, ['claude*'])
  t.same(profile('google').modelPatterns, ['gemini*'])
  for (const pattern of ['gpt*', 'o1*', 'o3*', 'o4*', 'chatgpt*'])
    t.ok(profile('openai').modelPatterns?.includes(pattern))
  const patterns = CATALOG.profiles.flatMap((each) => each.modelPatterns ?? [])
  t.equal(new Set(patterns).size, patterns.length)
  t.end()
})

test('quirks hold only what differs from the protocol', (t) => {
  for (const each of CATALOG.profiles) {
    const defaults: Readonly<Record<string, unknown>> = { ...CATALOG.protocols[each.protocol]?.quirks }
    for (const [name, value] of Object.entries(each.quirks ?? {}))
      t.notSame(value, defaults[name], `${each.name} ${name}`)
  }
  t.end()
})

test('a base URL leaves open what its address has, and nothing else', (t) => {
  for (const { name, baseUrl, address = {}, hosts, doors = {} } of CATALOG.profiles) {
    const urls = [
      baseUrl ?? '',
      ...Object.values(doors).map((door) => door.baseUrl ?? ''),
      ...Object.values(hosts?.names ?? {}),
    ]
    const open = urls.flatMap((url) => Array.from(url.matchAll(/\{(\w+)\}/g), (match) => match[1] ?? ''))
    const parts = open.filter((part) => part !== 'host').concat(hosts === undefined ? [] : [hosts.by])
    t.same([...new Set(parts)].sort(), Object.keys(address).sort(), name)
    if (hosts !== undefined) t.ok(open.includes('host') && hosts.names['*'] !== undefined, name)
  }
  t.end()
})

test('keys never travel in a URL', (t) => {
  t.match(profile('google').auth, { kind: 'header', name: 'x-goog-api-key' })
  t.match(profile('anthropic').auth, { kind: 'header', name: 'x-api-key' })
  t.end()
})

test('catalogued models belong to a profile, without doubles, a dozen or so each', (t) => {
  for (const [name, models] of Object.entries(CATALOG.models)) {
    t.ok(
      CATALOG.profiles.some((each) => each.name === name),
      name,
    )
    t.equal(new Set(models).size, models.length, name)
    t.ok(models.length > 0 && models.length <= 15, name)
  }
  t.same(CATALOG.models.sim, ['echo', 'lorem', 'tools', 'reason'])
  t.end()
})

test('the environment example names every variable that is read', (t) => {
  const example = readFileSync(new URL('.env.example', ROOT), 'utf8')
  const named = new Set([...example.matchAll(/^#([A-Z][A-Z0-9_]*)=/gm)].map((match) => match[1]))
  const source =
    readFileSync(new URL('src/config/sources/environment.ts', ROOT), 'utf8') +
    readFileSync(new URL('src/config/load.ts', ROOT), 'utf8')
  const own = [...source.matchAll(/\b([A-Z]{2,}(?:_[A-Z0-9]+)+)\b/g)].map((match) => match[1] ?? '')
  const constants = new Set([...source.matchAll(/^(?:export )?const ([A-Z_]+)/gm)].map((match) => match[1]))
  const read = own.filter((name) => !constants.has(name))
  for (const each of CATALOG.profiles) {
    read.push(...each.keyVariables, ...each.baseUrlVariables, ...Object.keys(each.headerVariables ?? {}))
    read.push(...Object.values(each.address ?? {}).flat(), ...Object.values(each.credentials?.variables ?? {}).flat())
  }
  for (const name of [...read, 'PORT', 'HOST']) t.ok(named.has(name) || isImport(name), name)
  t.notMatch(example, /^[^#\n]/m, 'every line is a comment')
  t.end()
})

/** Constants that environment.ts and load.ts name but do not declare. */
function isImport(name: string): boolean {
  return ['IN_DEBUG', 'API_KEYS'].includes(name)
}

test('a profile that does not fit is refused with its file', (t) => {
  const protocols = JSON.parse(readFileSync(new URL('resources/protocols.json', ROOT), 'utf8'))
  const value = JSON.parse(readFileSync(new URL('resources/providers/groq.json', ROOT), 'utf8'))
  const make = (file: string, changed: unknown) => () => {
    makeCatalog({ profiles: [{ file, value: changed }], protocols, models: {}, thinking: {} })
  }
  t.doesNotThrow(make('groq.json', value))
  t.match(refusalOf(make('groq.json', { ...value, nope: 1 })), /^groq\.json: \/nope is not a known member$/)
  const strange = { ...value, quirks: { nope: 1 } }
  t.match(refusalOf(make('groq.json', strange)), /^groq\.json: \/quirks\/nope is not a known member$/)
  t.match(refusalOf(make('grok.json', value)), /named after the profile/)
  t.match(refusalOf(make('groq.json', { ...value, protocol: 'telepathy' })), /protocol is not in protocols\.json/)
  t.match(refusalOf(make('groq.json', { ...value, quirks: { maxTokensField: 'n' } })), /^groq\.json: \/quirks/)
  t.end()
})
