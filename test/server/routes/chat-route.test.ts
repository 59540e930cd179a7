// Several surfaces on one path, told apart by Accept; paths below the configured prefix.
import { test } from 'tap'
import { type JsonObject } from '../../../src/model/json.js'
import { type Surface, type SurfaceRoute } from '../../../src/protocols/contract/protocol.js'
import { choicesByPath, defaultOf, namesModel, namesType } from '../../../src/server/routes/chat-route.js'
import { fakeSurface } from '../../helpers/fake-pipeline.js'
import { startFront } from '../../helpers/front.js'

function surface(id: string, ...routes: readonly SurfaceRoute[]): Surface {
  return {
    ...fakeSurface,
    id,
    routes,
    encodeError: ({ status, code }) => ({ status, body: { by: id, code } }),
  }
}

const PREFIXES = { apiPrefix: '/llm', ollamaPrefix: '/o' }
const EVENTS = 'text/event-stream'
const PLAIN = surface('plain', { method: 'POST', path: '/talk' })
const STREAMED = surface('streamed', { method: 'POST', path: '/talk', accept: EVENTS })
const BELOW = surface('below', { method: 'POST', path: '/talk', prefix: 'apiPrefix' })
const HEADERS = { 'content-type': 'application/json' }

const NAMED = surface(
  'named',
  { method: 'POST', path: '/m/{model}:tell' },
  { method: 'POST', path: '/m/{model}:sing', streams: true, query: { name: 'alt', value: 'loud' } },
  { method: 'POST', path: '/m/{model}:count', counts: true },
)
const QUIET = surface('quiet', { method: 'POST', path: '/m/{model}:sing', streams: true })

test('a path that names the model is one path of the engine, whatever the model and the verb are', async (t) => {
  const choices = choicesByPath([NAMED, QUIET], PREFIXES).get('/m/*') ?? []
  t.same(
    choices.map(({ path, surface }) => [surface.id, path]),
    [
      ['named', '/m/{model}:tell'],
      ['named', '/m/{model}:sing'],
      ['named', '/m/{model}:count'],
      ['quiet', '/m/{model}:sing'],
    ],
  )
  t.ok(namesModel({ path: '/m/{model}:tell' }))
  t.notOk(namesModel({ path: '/m/{provider}' }))
})

test('verb and query choose the surface, and the model is what stands between', async (t) => {
  const models = { path: '/m', header: 'x-m', encodeModel: (model: JsonObject) => model, encodeList: () => ({}) }
  const { url, pipeline } = await startFront(t, { options: { surfaces: [{ ...NAMED, models }, QUIET] } })
  const post = (path: string) => fetch(`${url}${path}`, { method: 'POST', headers: HEADERS, body: '{}' })
  for (const [path, id, facts] of [
    ['/m/fast:tell', 'named', { streams: false, model: 'fast' }],
    ['/m/a/b:8b:tell', 'named', { model: 'a/b:8b' }],
    ['/m/a%2Fb%3Atell', 'named', { model: 'a/b' }],
    ['/m/fast:sing?alt=loud', 'named', { streams: true, model: 'fast' }],
    ['/m/fast:sing', 'quiet', { streams: true, model: 'fast' }],
    ['/m/fast:sing?alt=other', 'quiet', {}],
    ['/m/fast:count', 'named', { counts: true, model: 'fast' }],
  ] as const) {
    t.equal((await post(path)).status, 200, path)
    const { surface, path: given } = pipeline.exchanges.at(-1)?.request ?? {}
    t.equal(surface?.id, id, path)
    t.match(given, facts, path)
  }
  t.equal((await post('/m/fast:dance')).status, 404)
  t.equal(pipeline.rejections.at(-1)?.surface?.id, 'named')
  t.equal((await post('/m/fast')).status, 404)
  t.equal((await post('/m/:tell')).status, 400)
  t.equal((await post(`/m/${'x'.repeat(257)}:tell`)).status, 400)
  t.equal((await fetch(`${url}/m/vendor/deep`)).status, 200, 'GET of the same path is the model')
})

test('a key in the query counts where the API has one there, and reaches no log', async (t) => {
  const keyed = surface('keyed', { method: 'POST', path: '/keyed' })
  const { url, pipeline } = await startFront(t, {
    options: { surfaces: [{ ...keyed, keyParameter: 'key' }, PLAIN] },
  })
  pipeline.keys = ['good']
  const post = (path: string, more: Record<string, string> = {}) =>
    fetch(`${url}${path}`, { method: 'POST', headers: { ...HEADERS, ...more }, body: '{}' })
  t.equal((await post('/keyed?key=good')).status, 200)
  t.equal((await post('/keyed?a=b&key=%67ood')).status, 200)
  t.equal((await post('/keyed?key=bad')).status, 401)
  t.equal(pipeline.rejections.at(-1)?.hasKey, true)
  t.equal((await post('/keyed?key=good', { authorization: 'Bearer bad' })).status, 401, 'a header is read first')
  t.equal((await post('/talk?key=good')).status, 401, 'another API has no key there')
  t.equal(pipeline.rejections.at(-1)?.hasKey, false)
  for (const { request } of pipeline.exchanges) t.notMatch(JSON.stringify(request.origin), /good/)
  for (const { origin } of pipeline.rejections) t.notMatch(JSON.stringify(origin), /good|bad/)
})

test('a path lists its surfaces, with the prefixed ones below the prefix', async (t) => {
  const paths = choicesByPath([STREAMED, PLAIN, BELOW], PREFIXES)
  t.same([...paths.keys()], ['/talk', '/llm/talk'])
  t.equal(defaultOf(paths.get('/talk') ?? []), PLAIN)
  t.equal(defaultOf((paths.get('/talk') ?? []).slice(0, 1)), STREAMED)
  t.equal(defaultOf([]), null)
})

test('a media type is asked for by its name alone', async (t) => {
  for (const header of [EVENTS, 'TEXT/Event-Stream', `application/json, ${EVENTS};q=0.9`, `${EVENTS} ; charset=utf-8`])
    t.equal(namesType(header, EVENTS), true, header)
  for (const header of ['', '*/*', 'text/*', 'application/json', `${EVENTS}x`, 'x'.repeat(9000)])
    t.equal(namesType(header, EVENTS), false, header.slice(0, 30))
})

test('Accept chooses the surface, of answers and of every refusal', async (t) => {
  const { url, pipeline } = await startFront(t, { options: { surfaces: [PLAIN, STREAMED] } })
  const post = (accept: string) => fetch(`${url}/talk`, { method: 'POST', headers: { ...HEADERS, accept }, body: '{}' })
  for (const [accept, id] of [
    ['*/*', 'plain'],
    ['application/json', 'plain'],
    [EVENTS, 'streamed'],
  ] as const) {
    t.equal((await post(accept)).status, 200)
    t.equal(pipeline.exchanges.at(-1)?.request.surface.id, id)
  }
  pipeline.keys = ['good']
  t.equal((await post(EVENTS)).status, 401)
  t.equal(pipeline.rejections.at(-1)?.surface?.id, 'streamed')
  t.equal((await post('*/*')).status, 401)
  t.equal(pipeline.rejections.at(-1)?.surface?.id, 'plain')
})
