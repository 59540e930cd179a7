// Several surfaces on one path, told apart by Accept; paths below the configured prefix.
import { test } from 'tap'
import { type Surface, type SurfaceRoute } from '../../../src/protocols/contract/protocol.js'
import { choicesByPath, defaultOf, namesType } from '../../../src/server/routes/chat-route.js'
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

const EVENTS = 'text/event-stream'
const PLAIN = surface('plain', { method: 'POST', path: '/talk' })
const STREAMED = surface('streamed', { method: 'POST', path: '/talk', accept: EVENTS })
const BELOW = surface('below', { method: 'POST', path: '/talk', isPrefixed: true })
const HEADERS = { 'content-type': 'application/json' }

test('a path lists its surfaces, with the prefixed ones below the prefix', async (t) => {
  const paths = choicesByPath([STREAMED, PLAIN, BELOW], '/llm')
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
