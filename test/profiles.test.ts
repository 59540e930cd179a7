// Every vendor profile against the wire it names: what a request to that vendor really looks like, from its base URL to its
// quirks. A new profile is a new row here.
import { test } from 'tap'
import { type ProviderConfig } from '../src/config/types.js'
import { isJsonObject, type JsonObject } from '../src/model/json.js'
import { type Quirks } from '../src/model/target.js'
import { createCodec } from '../src/protocols/contract/codec.js'
import { PROTOCOLS } from '../src/protocols/index.js'
import { buildHeaders } from '../src/upstream/auth.js'
import { joinPath } from '../src/upstream/path.js'
import { CATALOG, load } from './config/sources.js'

/** What a chat request becomes; paths of streams, without the query. */
type Row = {
  readonly url: string
  readonly auth: readonly [name: string, value: string]
  /** The member, or members one within the other, that holds the cap on output tokens. */
  readonly maxTokens: readonly string[]
  /** `stream_options.include_usage` is asked for. */
  readonly streamOptions: boolean
}

const BEARER = ['authorization', 'Bearer k-1'] as const
const CHAT = { auth: BEARER, maxTokens: ['max_tokens'], streamOptions: true }
const NEWER_CHAT = { ...CHAT, maxTokens: ['max_completion_tokens'] }
const RESPONSES = { auth: BEARER, maxTokens: ['max_output_tokens'], streamOptions: false }
const MESSAGES = { auth: BEARER, maxTokens: ['max_tokens'], streamOptions: false }

/** What stands for the parts of an address. */
const PARTS = { resource: 'r-1', region: 'eu-central-1', project: 'p-1', location: 'europe-west1', account: 'a1' }

const ROWS: Readonly<Record<string, Row>> = {
  anthropic: {
    url: 'https://api.anthropic.com/v1/messages',
    auth: ['x-api-key', 'k-1'],
    maxTokens: ['max_tokens'],
    streamOptions: false,
  },
  'azure-openai': {
    ...NEWER_CHAT,
    url: 'https://r-1.openai.azure.com/openai/v1/chat/completions',
    auth: ['api-key', 'k-1'],
  },
  'azure-openai over openai-responses': {
    ...RESPONSES,
    url: 'https://r-1.openai.azure.com/openai/v1/responses',
    auth: ['api-key', 'k-1'],
  },
  baseten: { ...CHAT, url: 'https://inference.baseten.co/v1/chat/completions' },
  bedrock: {
    ...NEWER_CHAT,
    url: 'https://bedrock-runtime.eu-central-1.amazonaws.com/openai/v1/chat/completions',
  },
  'bedrock over openai-responses': {
    ...RESPONSES,
    url: 'https://bedrock-runtime.eu-central-1.amazonaws.com/openai/v1/responses',
  },
  'bedrock over anthropic-messages': {
    ...MESSAGES,
    url: 'https://bedrock-runtime.eu-central-1.amazonaws.com/anthropic/v1/messages',
  },
  cerebras: { ...NEWER_CHAT, url: 'https://api.cerebras.ai/v1/chat/completions' },
  cloudflare: { ...CHAT, url: 'https://api.cloudflare.com/client/v4/accounts/a1/ai/v1/chat/completions' },
  'cloudflare over openai-responses': {
    ...RESPONSES,
    url: 'https://api.cloudflare.com/client/v4/accounts/a1/ai/v1/responses',
  },
  cohere: { ...CHAT, url: 'https://api.cohere.ai/compatibility/v1/chat/completions', streamOptions: false },
  deepseek: { ...CHAT, url: 'https://api.deepseek.com/v1/chat/completions' },
  fireworks: { ...CHAT, url: 'https://api.fireworks.ai/inference/v1/chat/completions' },
  google: {
    url: 'https://generativelanguage.googleapis.com/v1beta/models/m-1:streamGenerateContent?alt=sse',
    auth: ['x-goog-api-key', 'k-1'],
    maxTokens: ['generationConfig', 'maxOutputTokens'],
    streamOptions: false,
  },
  groq: { ...NEWER_CHAT, url: 'https://api.groq.com/openai/v1/chat/completions' },
  huggingface: { ...CHAT, url: 'https://router.huggingface.co/v1/chat/completions' },
  'llama.cpp': { ...CHAT, url: 'http://127.0.0.1:8080/v1/chat/completions' },
  lmstudio: { ...CHAT, url: 'http://127.0.0.1:1234/v1/chat/completions' },
  minimax: { ...NEWER_CHAT, url: 'https://api.minimax.io/v1/chat/completions' },
  'minimax over anthropic-messages': { ...MESSAGES, url: 'https://api.minimax.io/anthropic/v1/messages' },
  'minimax over openai-responses': { ...RESPONSES, url: 'https://api.minimax.io/v1/responses' },
  mistral: { ...CHAT, url: 'https://api.mistral.ai/v1/chat/completions', streamOptions: false },
  moonshot: { ...NEWER_CHAT, url: 'https://api.moonshot.ai/v1/chat/completions' },
  'moonshot over anthropic-messages': { ...MESSAGES, url: 'https://api.moonshot.ai/anthropic/v1/messages' },
  'moonshot over openai-responses': { ...RESPONSES, url: 'https://api.moonshot.ai/v1/responses' },
  nvidia: { ...CHAT, url: 'https://integrate.api.nvidia.com/v1/chat/completions' },
  ollama: {
    url: 'http://127.0.0.1:11434/api/chat',
    auth: BEARER,
    maxTokens: ['options', 'num_predict'],
    streamOptions: false,
  },
  openai: { ...NEWER_CHAT, url: 'https://api.openai.com/v1/chat/completions' },
  'openai over openai-responses': { ...RESPONSES, url: 'https://api.openai.com/v1/responses' },
  openrouter: { ...CHAT, url: 'https://openrouter.ai/api/v1/chat/completions' },
  perplexity: {
    ...RESPONSES,
    url: 'https://api.perplexity.ai/v1/responses',
  },
  qwen: { ...CHAT, url: 'https://dashscope-intl.aliyuncs.com/compatible-mode/v1/chat/completions' },
  sambanova: { ...CHAT, url: 'https://api.sambanova.ai/v1/chat/completions' },
  sim: { ...NEWER_CHAT, url: 'https://r.x/v1/chat/completions' },
  together: { ...CHAT, url: 'https://api.together.ai/v1/chat/completions' },
  vercel: { ...CHAT, url: 'https://ai-gateway.vercel.sh/v1/chat/completions' },
  vertex: {
    url: 'https://europe-west1-aiplatform.googleapis.com/v1/projects/p-1/locations/europe-west1/publishers/google/models/m-1:streamGenerateContent?alt=sse',
    auth: BEARER,
    maxTokens: ['generationConfig', 'maxOutputTokens'],
    streamOptions: false,
  },
  'vertex over anthropic-messages': {
    ...MESSAGES,
    url: 'https://europe-west1-aiplatform.googleapis.com/v1/projects/p-1/locations/europe-west1/publishers/anthropic/models/m-1:streamRawPredict',
  },
  vllm: { ...CHAT, url: 'http://127.0.0.1:8000/v1/chat/completions' },
  xai: { ...NEWER_CHAT, url: 'https://api.x.ai/v1/chat/completions' },
  zhipu: { ...CHAT, url: 'https://api.z.ai/api/paas/v4/chat/completions' },
}

const CODEC = createCodec(PROTOCOLS)

/**
 * A provider of this profile as configuration makes it, or of one of its doors (`profile over protocol`); `r.x` stands in where each
 * customer has an own address.
 */
function providerOf(row: string, quirks: Partial<Quirks> = {}): ProviderConfig {
  const [name = '', protocol] = row.split(' over ')
  const profile = CATALOG.profiles.find((each) => each.name === name)
  const parts = Object.entries(PARTS).filter(([part]) => Object.hasOwn(profile?.address ?? {}, part))
  const entry = {
    apiKey: 'k-1',
    quirks,
    address: Object.fromEntries(parts),
    ...(profile?.baseUrl === null ? { baseUrl: 'https://r.x' } : {}),
    ...(protocol === undefined ? {} : { profile: name, protocol }),
  }
  const provider = load(JSON.stringify({ providers: { [name]: entry } })).config.providers[0]
  if (provider === undefined) throw new Error(`${row}: no provider`)
  return provider
}

type Sent = { readonly url: string; readonly headers: ReadonlyMap<string, string>; readonly body: JsonObject }

/** What would be sent to this provider for a streamed request of that surface's client. */
function send(provider: ProviderConfig, surfaceId: string, body: JsonObject): Sent {
  const bytes = new Uint8Array(Buffer.from(JSON.stringify(body)))
  const target = {
    provider: provider.name,
    protocol: provider.protocol,
    model: 'm-1',
    quirks: provider.quirks,
    extraBody: provider.extraBody,
  }
  const decoded = CODEC.decodeBody(surfaceId, bytes)
  const encoded = CODEC.encodeBody({ ...decoded, surfaceId, body: bytes, target, prompt: null, upstreamStream: true })
  const { origin, pathname } = new URL(provider.baseUrl)
  const dialect = PROTOCOLS.find(({ id }) => id === provider.protocol)?.dialect
  const flat = buildHeaders(provider, dialect?.headers ?? {}).stream
  const headers = new Map(flat.flatMap((name, at) => (at % 2 === 0 ? [[name, flat[at + 1] ?? ''] as const] : [])))
  const path = joinPath(pathname === '/' ? '' : pathname, encoded.path)
  return { url: origin + path, headers, body: JSON.parse(Buffer.from(encoded.body).toString()) }
}

const REQUESTS: Readonly<Record<string, JsonObject>> = {
  'openai-chat': { model: 'shown', stream: true, max_tokens: 77, messages: [{ role: 'user', content: 'hi' }] },
  'anthropic-messages': { model: 'shown', stream: true, max_tokens: 77, messages: [{ role: 'user', content: 'hi' }] },
}

function memberAt(body: JsonObject, path: readonly string[]): unknown {
  return path.reduce<unknown>((value, name) => (isJsonObject(value) ? value[name] : undefined), body)
}

test('protocols.json names the dialects of the registry, neither more nor less', async (t) => {
  const dialects = PROTOCOLS.flatMap(({ id, dialect }) => (dialect === null ? [] : [id]))
  t.same(Object.keys(CATALOG.protocols).sort(), dialects.sort())
})

test('every profile names a dialect that there is, and has its row', async (t) => {
  for (const { name, protocol } of CATALOG.profiles) {
    t.ok(
      PROTOCOLS.some(({ id, dialect }) => id === protocol && dialect !== null),
      name,
    )
  }
  const doors = CATALOG.profiles.flatMap(({ name, doors }) => [
    name,
    ...Object.keys(doors ?? {}).map((protocol) => `${name} over ${protocol}`),
  ])
  t.same(Object.keys(ROWS).sort(), doors.sort(), 'and so has every door')
})

for (const [profile, row] of Object.entries(ROWS)) {
  for (const [surfaceId, request] of Object.entries(REQUESTS)) {
    test(`${profile}: what a client of ${surfaceId} asks for`, async (t) => {
      const { url, headers, body } = send(providerOf(profile), surfaceId, request)
      t.equal(url, row.url)
      t.equal(headers.get(row.auth[0]), row.auth[1])
      t.equal([...headers.values()].join('\n').split('k-1').length, 2, 'the key goes out once')
      t.equal(memberAt(body, maxTokensPath(profile, surfaceId, row)), 77)
      t.equal(memberAt(body, ['stream_options', 'include_usage']), row.streamOptions ? true : undefined)
      const isModelInPath = url.includes('m-1')
      t.equal(body.model, isModelInPath ? undefined : 'm-1')
    })
  }
}

/** On a same-protocol way the older name passes where the vendor takes both: the client's bytes are left alone. */
function maxTokensPath(profile: string, surfaceId: string, row: Row): readonly string[] {
  return providerOf(profile).protocol === surfaceId ? ['max_tokens'] : row.maxTokens
}

test('the quirks of a profile are those of its own wire: a door has the defaults of the other one', async (t) => {
  const own = providerOf('openai').quirks
  const other = providerOf('openai over openai-responses').quirks
  t.same(own.refusedFields, ['reasoning_content'])
  t.same(other, CATALOG.protocols['openai-responses']?.quirks)
})

test('a dated Azure API has the deployment in the path and its version in the query', async (t) => {
  const provider = providerOf('azure-openai', { deploymentApiVersion: '2024-10-21' })
  for (const [surfaceId, request] of Object.entries(REQUESTS)) {
    const { url, headers } = send(provider, surfaceId, request)
    t.equal(url, 'https://r-1.openai.azure.com/openai/deployments/m-1/chat/completions?api-version=2024-10-21')
    t.equal(headers.get('api-key'), 'k-1')
  }
})
