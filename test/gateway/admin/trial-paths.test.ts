// At which paths something can be tried, and what they say.
import { test } from 'tap'
import { TrialPaths } from '../../../src/gateway/admin/trial-paths.js'
import { type Surface, type SurfaceRoute } from '../../../src/protocols/contract/protocol.js'
import { fakeSurface } from '../../helpers/fake-pipeline.js'

const surface = (id: string, ...routes: readonly Omit<SurfaceRoute, 'method'>[]): Surface => ({
  ...fakeSurface,
  id,
  routes: routes.map((route) => ({ ...route, method: 'POST' as const })),
})
const CHAT = surface('chat', { path: '/v1/chat' }, { path: '/v1/{provider}/chat' }, { path: '/v1/own', ownKey: true })
const EVENTS = surface(
  'events',
  { path: '/m/{model}:ask' },
  { path: '/m/{model}:stream', streams: true, query: { name: 'alt', value: 'sse' } },
  { path: '/m/{model}:count', counts: true },
)
const ARRAY = surface('array', { path: '/m/{model}:stream', streams: true })
const BELOW = surface('below', { path: '/chat', prefix: 'ollamaPrefix' })
const LINES = surface('lines', { path: '/v1/chat', accept: 'application/x-lines' })
const PATHS = new TrialPaths([CHAT, EVENTS, ARRAY, BELOW, LINES], { apiPrefix: '/api', ollamaPrefix: '/local' })

test('a path leads to its surface: below a prefix, with a model in it, by its query', async (t) => {
  const found = (path: string) => {
    const { surface = null, facts = null } = PATHS.find(path) ?? {}
    return [surface?.id, facts?.model, facts?.streams]
  }
  t.same(found('/v1/chat'), ['chat', undefined, undefined])
  t.same(found('/local/chat'), ['below', undefined, undefined])
  t.same(found('/m/a/b:ask'), ['events', 'a/b', false])
  t.same(found('/m/a%2Fb:stream?alt=sse'), ['events', 'a/b', true])
  t.same(found('/m/a:stream'), ['array', 'a', true])
  t.same(found('/m/a:stream?alt=json'), ['array', 'a', true])
  for (const path of ['/v1/none', '/chat', '/m/a:count', '/v1/x/chat', '/v1/own', '/m/a:none', '']) {
    t.equal(PATHS.find(path), null, path)
  }
  t.throws(() => PATHS.find('/m/:ask'), /must name a model/)
})

test('the path of a request leads back to its surface, with the query that tells it from others', async (t) => {
  t.equal(PATHS.of(CHAT, '/v1/chat'), '/v1/chat')
  t.equal(PATHS.of(EVENTS, '/m/a:stream'), '/m/a:stream?alt=sse')
  t.equal(PATHS.of(ARRAY, '/m/a:stream'), '/m/a:stream')
  t.equal(PATHS.of(LINES, '/v1/chat'), null, 'a header makes it another one')
  t.equal(PATHS.of(CHAT, '/v1/openai/chat'), null)
})

test('they are named for those who ask in vain', async (t) => {
  t.same(PATHS.names, ['/v1/chat', '/m/{model}:ask', '/m/{model}:stream?alt=sse', '/m/{model}:stream', '/local/chat'])
})
