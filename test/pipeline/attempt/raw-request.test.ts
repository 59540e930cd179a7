// Where a request in the upstream's own words may go.
import { test } from 'tap'
import { type ModelConfig } from '../../../src/config/types.js'
import { pathBelow, type RawRouting, routeRaw } from '../../../src/pipeline/attempt/raw-request.js'
import { type Dialect } from '../../../src/protocols/contract/protocol.js'
import { PROTOCOLS } from '../../../src/protocols/index.js'
import { Router } from '../../../src/routing/router.js'
import { testProvider } from '../../helpers/targets.js'
import { thrownBy } from '../../helpers/thrown.js'

const CHAT = testProvider('http://chat/v1', { name: 'chat', modelPatterns: ['gpt*'] })
const OTHER = testProvider('http://other/v1beta', {
  name: 'other',
  protocol: 'google-gemini',
  modelPatterns: ['gemini*'],
})
const dialects = new Map<string, Dialect>(
  PROTOCOLS.flatMap(({ id, dialect }) => (dialect === null ? [] : [[id, dialect]])),
)
const models: readonly ModelConfig[] = [
  {
    ...{ contextFallbacks: [], affinity: 'none' as const, timeouts: {}, hedge: null },
    name: 'both',
    fallbacks: ['spare'],
    targets: ['chat', 'other'].map((provider) => ({
      provider,
      model: 'm',
      weight: 1,
      concurrency: null,
      extraBody: {},
    })),
  },
]
const router = new Router({ providers: [CHAT, OTHER], models })

type Words = { readonly provider?: string; readonly model?: string; readonly path: string; readonly named?: string }

function route({ provider, model = '', path, named }: Words, ...allowed: string[]) {
  const raw = { path, model: named ?? null, asksStream: false }
  const query = { model, provider: provider ?? null, allowed }
  const routing: RawRouting = { raw, query, router, dialects }
  const { targets, fallbacks, contextFallbacks } = routeRaw(routing)
  if (fallbacks.length + contextFallbacks.length > 0) throw new Error('no other model understands the words')
  return targets.map(({ target }) => target.provider)
}

test('a key for all models may go anywhere below a provider, with a model or without', async (t) => {
  t.same(route({ provider: 'chat', path: '/files' }, 'gpt*', '*'), ['chat'])
  t.same(route({ model: 'gpt-4o', path: '/embeddings', named: 'x' }, '*'), ['chat'])
  t.same(route({ model: 'both', path: '/x' }, '*'), ['chat'], 'the first alone: no other understands the words')
  t.equal(thrownBy(() => route({ provider: 'gone', path: '/x' }, '*')).code, 'invalid_request')
})

const MAY: readonly Words[] = [
  { provider: 'chat', model: 'gpt-4o', path: '/chat/completions', named: 'gpt-4o' },
  { provider: 'chat', model: 'gpt-4o', path: '/v1/chat/completions', named: 'gpt-4o-mini' },
  { model: 'gemini-2', path: '/models/gemini-2:generateContent' },
  { model: 'gemini-2', path: '/v1beta/models/gemini-2:streamGenerateContent?alt=sse' },
]
const MAY_NOT: readonly Words[] = [
  { provider: 'chat', path: '/chat/completions' },
  // No model in the body: the provider would choose one.
  { provider: 'chat', model: 'gpt-4o', path: '/chat/completions' },
  { provider: 'chat', model: 'o3', path: '/chat/completions', named: 'o3' },
  { provider: 'chat', model: 'gpt-4o', path: '/chat/completions', named: 'o3' },
  { provider: 'chat', model: 'o3', path: '/chat/completions', named: 'gpt-4o' },
  { provider: 'chat', model: 'gpt-4o', path: '/files', named: 'gpt-4o' },
  { provider: 'chat', model: 'gpt-4o', path: '/chat/completions?x=1', named: 'gpt-4o' },
  { provider: 'chat', model: 'gpt-4o', path: '/chat/completions/', named: 'gpt-4o' },
  { model: 'gemini-2', path: '/models/gemini-pro:generateContent' },
  { model: 'gemini-2', path: '/models/gemini-pro:generateContent', named: 'gemini-2' },
  { model: 'gemini-2', path: '/models/gemini-2:countTokens' },
]

test('a restricted key may use the chat path of its models, and a model in the body counts like one beside it', async (t) => {
  for (const words of MAY) t.equal(route(words, 'gpt*', 'gemini-2').length, 1, JSON.stringify(words))
  for (const words of MAY_NOT) {
    t.equal(thrownBy(() => route(words, 'gpt*', 'gemini-2')).code, 'forbidden', JSON.stringify(words))
  }
})

test("the base URL's own path may be written or left out", async (t) => {
  t.equal(pathBelow('http://h/api/v1', '/api/v1/x'), '/x')
  t.equal(pathBelow('http://h/api/v1', '/v1/x'), '/v1/x')
  t.equal(pathBelow('http://h/v1', '/v10/x'), '/v10/x')
  t.equal(pathBelow('http://h', '/v1/x'), '/v1/x')
})
