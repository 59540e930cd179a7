// The routes on the engine: the prefix, and what is said of every path that is not served.
import { test } from 'tap'
import { type Surface } from '../../../src/protocols/contract/protocol.js'
import { fakeSurface } from '../../helpers/fake-pipeline.js'
import { startFront } from '../../helpers/front.js'

test('serves what stands below the prefix there, and refuses there in the words of that API', async (t) => {
  const below: Surface = {
    ...fakeSurface,
    id: 'below',
    routes: [{ method: 'POST', path: '/talk', prefix: 'apiPrefix' }],
  }
  const options = {
    surfaces: [fakeSurface, below],
    compat: { apiPrefix: '/llm/x', ollamaPrefix: '/ollama', healthStatus: 'ok' },
  }
  const { url, pipeline } = await startFront(t, { options })
  const post = (path: string) =>
    fetch(url + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' })
  t.equal((await post('/llm/x/talk')).status, 200)
  t.equal(pipeline.exchanges[0]?.request.surface.id, 'below')
  t.same(await (await fetch(`${url}/llm/x/ping`)).json(), { status: true, body: 'pong' })
  t.match(await (await fetch(`${url}/llm/x/models`)).json(), { object: 'list', data: [{ id: 'fast' }, {}] })
  const refusals = async (...paths: readonly string[]) => {
    for (const path of paths) await fetch(url + path)
    return pipeline.rejections.splice(0).map(({ surface, error }) => [surface?.id ?? null, error.data.status])
  }
  t.same(await refusals('/llm/x/talk', '/llm/x/none', '/llm/x', '/talk', '/api/ping'), [
    ['below', 405],
    ['below', 404],
    [null, 404],
    [null, 404],
    [null, 404],
  ])
  const options204 = await fetch(`${url}/llm/x/none`, { method: 'OPTIONS' })
  t.equal(options204.status, 204)
  pipeline.keys = ['good']
  await fetch(`${url}/llm/x/models`)
  t.equal(pipeline.rejections[0]?.surface?.id, 'below')
})

test('with an empty prefix its paths are at the root, and win over others of that name', async (t) => {
  const below: Surface = {
    ...fakeSurface,
    id: 'below',
    routes: [{ method: 'POST', path: '/talk', prefix: 'apiPrefix' }],
  }
  const options = { surfaces: [below], compat: { apiPrefix: '', ollamaPrefix: '/ollama', healthStatus: 'ok' } }
  const { url, pipeline } = await startFront(t, { options })
  t.same(await (await fetch(`${url}/ping`)).json(), { status: true, body: 'pong' })
  t.equal((await fetch(`${url}/none`)).status, 404)
  t.equal(pipeline.rejections[0]?.surface, null)
})
