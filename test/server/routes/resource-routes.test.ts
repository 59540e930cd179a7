// Requests to accounts at the front door: what their path and headers must be, and what the pipeline gets of them.
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { test } from 'tap'
import { GatewayError } from '../../../src/errors.js'
import { type JsonObject } from '../../../src/model/json.js'
import { openaiResources } from '../../../src/protocols/openai-endpoints/resources.js'
import { fakeSurface } from '../../helpers/fake-pipeline.js'
import { startFront } from '../../helpers/front.js'

const OWN = { 'x-api-key': 'own-key', 'x-sluice-provider': 'there' }

type Sent = { readonly method?: string; readonly headers?: Readonly<Record<string, string>>; readonly body?: string }

/** Without the normalisation of URLs that clients do. */
async function send(port: number, path: string, { method = 'GET', headers = OWN, body }: Sent = {}) {
  const sent = request({ port, path, method, headers, agent: false }).end(body)
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  let text = ''
  for await (const chunk of answer) text += chunk
  return { status: answer.statusCode, text, headers: answer.headers }
}

test('a request consists of its path: the account is asked for what follows, with its query', async (t) => {
  const { port, pipeline } = await startFront(t, { options: { surfaces: openaiResources } })
  const asked = async (method: string, path: string) => {
    t.equal((await send(port, path, { method })).status, 200, path)
    const { request } = pipeline.exchanges.at(-1) ?? {}
    return { surface: request?.surface.id, body: request?.body.length, ...request?.path }
  }
  const own = { body: 0, provider: 'there', callerKey: 'own-key' }
  t.match(await asked('GET', '/v1/files?limit=2&after=file%2D1'), {
    ...{ ...own, surface: 'openai-files' },
    resource: { method: 'GET', rest: '?limit=2&after=file%2D1', isFile: false },
  })
  t.match(await asked('GET', '/v1/files/file-a.B_9:x/content'), {
    resource: { method: 'GET', rest: '/file-a.B_9:x/content', isFile: true },
  })
  t.match(await asked('DELETE', '/v1/files/f'), { resource: { method: 'DELETE', rest: '/f' } })
  t.match(await asked('POST', '/v1/batches/b/cancel'), {
    ...{ ...own, surface: 'openai-batches' },
    resource: { method: 'POST', rest: '/b/cancel' },
  })
})

test('a request that creates is a body with the key and the provider beside it', async (t) => {
  const { port, pipeline } = await startFront(t, { options: { surfaces: openaiResources } })
  const headers = { ...OWN, 'content-type': 'application/json' }
  t.equal((await send(port, '/v1/batches', { method: 'POST', headers, body: '{"a":1}' })).status, 200)
  t.match(pipeline.exchanges[0]?.request.path, { streams: false, provider: 'there', callerKey: 'own-key' })
  t.equal(pipeline.exchanges[0]?.text, '{"a":1}')
})

test('an id or a query that could lead elsewhere is refused', async (t) => {
  const { port, pipeline } = await startFront(t, { options: { surfaces: openaiResources } })
  const ids = ['..', '%2e%2e', '.x', 'a%2Fb', 'a%20b', 'x'.repeat(257)].map((id) => `/v1/files/${id}`)
  for (const path of [...ids, '/v1/files?a=%zz', '/v1/files?a=\\', `/v1/files?${'a'.repeat(2049)}`]) {
    t.equal((await send(port, path)).status, 400, path)
  }
  t.same(pipeline.exchanges, [])
})

test('the caller is identified first, then asked for a key of its own', async (t) => {
  const { port, pipeline } = await startFront(t, { options: { surfaces: openaiResources } })
  pipeline.keys = ['gate']
  const bearer = { authorization: 'Bearer gate' }
  for (const [method, path] of [
    ['GET', '/v1/files'],
    ['POST', '/v1/files'],
  ] as const) {
    t.equal((await send(port, path, { method, headers: OWN })).status, 401, path)
    for (const headers of [bearer, { ...bearer, 'x-api-key': 'gate' }]) {
      const refused = await send(port, path, { method, headers: { ...headers, 'x-sluice-provider': 'there' } })
      t.equal(refused.status, 403, path)
      t.match(refused.text, /Send your own key for the provider as X-API-Key/)
    }
  }
  t.equal((await send(port, '/v1/files', { headers: { ...OWN, ...bearer } })).status, 200)
})

test('a download has no HEAD, and no work is taken on where none is accepted', async (t) => {
  const refusal = { now: null as GatewayError | null }
  const { port, pipeline } = await startFront(t, {
    options: { surfaces: openaiResources, refusal: () => refusal.now },
  })
  const head = await send(port, '/v1/files/f/content', { method: 'HEAD' })
  t.equal(head.status, 405)
  t.equal(head.headers.allow, 'GET, OPTIONS')
  t.equal((await send(port, '/v1/files/f', { method: 'HEAD' })).status, 200)
  t.equal(pipeline.exchanges.length, 1)
  refusal.now = new GatewayError('overloaded')
  t.equal((await send(port, '/v1/files')).status, 503)
})

test('clients of another API, for which the same paths mean something else, get 404 in its form', async (t) => {
  const models = { header: 'x-other', encodeModel: (model: JsonObject) => model, encodeList: () => ({}) }
  const { port, pipeline } = await startFront(t, {
    options: { surfaces: [...openaiResources, { ...fakeSurface, models }] },
  })
  const headers = { ...OWN, 'x-other': '1' }
  for (const [method, path] of [
    ['GET', '/v1/files'],
    ['POST', '/v1/files'],
    ['DELETE', '/v1/files/f'],
    ['POST', '/v1/batches/b/cancel'],
  ] as const) {
    const { status, text } = await send(port, path, { method, headers })
    t.equal(status, 404)
    const message = `${method} ${path} is not available to clients that send x-other; GET /openapi.json lists what is.`
    t.match(JSON.parse(text), { error: { type: 'fake', message } })
  }
  const unknown = await send(port, '/v1/nothing', { headers })
  t.match(JSON.parse(unknown.text), { error: { type: 'fake', message: 'No such route: GET /v1/nothing.' } })
  t.equal(pipeline.rejections.at(-1)?.surface?.id, 'fake')
  await send(port, '/v1/nothing')
  t.equal(pipeline.rejections.at(-1)?.surface, null)
  t.same(pipeline.exchanges, [])
})

test('a wrong method is told those that there are', async (t) => {
  const { port } = await startFront(t, { options: { surfaces: openaiResources } })
  const { status, text, headers } = await send(port, '/v1/files/f', { method: 'PUT' })
  t.equal(status, 405)
  t.equal(headers.allow, 'GET, HEAD, DELETE, OPTIONS')
  t.match(JSON.parse(text).error.message, /^This route does not support PUT; it supports GET, HEAD, DELETE, OPTIONS\.$/)
})
