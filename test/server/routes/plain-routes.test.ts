// Health, models and metrics over the real engine.
import { test } from 'tap'
import { GatewayError } from '../../../src/errors.js'
import { type Surface } from '../../../src/protocols/contract/protocol.js'
import { fakeSurface } from '../../helpers/fake-pipeline.js'
import { startFront } from '../../helpers/front.js'
import { exchangeRaw, openRaw } from '../../helpers/raw-http.js'

async function get(
  url: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: string; headers: Headers }> {
  const answer = await fetch(url, { headers })
  return { status: answer.status, body: await answer.text(), headers: answer.headers }
}

test('answers health without a key', async (t) => {
  let ready = true
  let degraded = false
  const { url, pipeline } = await startFront(t, { options: { isReady: () => ready, isDegraded: () => degraded } })
  pipeline.keys = ['good']
  for (const path of ['/livez', '/readyz', '/health', '/healthz', '/ping']) {
    t.strictSame(JSON.parse((await get(url + path)).body), { status: 'ok' }, path)
  }
  t.strictSame(JSON.parse((await get(`${url}/api/ping`)).body), { status: true, body: 'pong' })
  t.strictSame(JSON.parse((await get(`${url}/v1/health`)).body), {
    status: 'ok',
    providers: [{ name: 'one', configured: true, breaker: 'closed' }],
  })
  degraded = true
  t.match(await get(`${url}/readyz`), { status: 200, body: '{"status":"degraded","reason":"account database away"}' })
  ready = false
  t.equal((await get(`${url}/readyz`)).status, 503)
  t.equal((await get(`${url}/livez`)).status, 200)
  t.equal(pipeline.seen.length, 0)
})

test('says the configured word in the health answers', async (t) => {
  const { url } = await startFront(t, {
    options: { compat: { apiPrefix: '/api', ollamaPrefix: '/ollama', healthStatus: 'healthy' } },
  })
  t.strictSame(JSON.parse((await get(`${url}/health`)).body), { status: 'healthy' })
  for (const path of ['/healthz', '/livez', '/ping']) {
    t.strictSame(JSON.parse((await get(url + path)).body), { status: 'ok' }, `${path} has a word of its own`)
  }
})

test('answers HEAD without a body, and keeps the connection in step', async (t) => {
  const { port } = await startFront(t, { config: { cors: { origins: ['https://app.test'] } } })
  const requests = ['HEAD /livez', 'HEAD /nowhere', 'OPTIONS /livez', 'GET /livez'].map(
    (line) => `${line} HTTP/1.1\r\nHost: x\r\n\r\n`,
  )
  for (const request of requests) {
    const { answers } = await exchangeRaw(port, request)
    t.equal(answers.length, 1)
  }
  const { answers } = await exchangeRaw(port, `${requests[2]}${requests[2]}${requests[3]}`, 3)
  t.same(
    answers.map(({ status }) => status),
    [204, 204, 200],
  )
  const text = (await readText(port, `${requests[0]}${requests[1]}${requests[3]}`)).join('|')
  t.equal(text, 'HTTP/1.1 200 OK|HTTP/1.1 404 Not Found|HTTP/1.1 200 OK|{"status":"ok"}')
})

/** Status lines and bodies alone, in order. */
async function readText(port: number, request: string): Promise<string[]> {
  const socket = await openRaw(port)
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk
  })
  socket.write(request)
  while (!text.endsWith('"}')) await new Promise(setImmediate)
  socket.destroy()
  return text.split('\r\n').filter((line) => line.startsWith('HTTP/') || line.startsWith('{'))
}

test('lists the models of the caller, and finds one by an id with slashes', async (t) => {
  const { url, pipeline } = await startFront(t)
  pipeline.keys = ['good']
  t.equal((await get(`${url}/v1/models`)).status, 401)
  t.equal((await get(`${url}/v1/models/fast`)).status, 401)
  const key = { authorization: 'Bearer good' }
  t.strictSame(JSON.parse((await get(`${url}/v1/models`, key)).body), {
    object: 'list',
    data: [
      { id: 'fast', object: 'model' },
      { id: 'vendor/deep', object: 'model' },
    ],
  })
  t.equal(JSON.parse((await get(`${url}/v1/models/vendor/deep`, key)).body).id, 'vendor/deep')
  t.equal(JSON.parse((await get(`${url}/v1/models/vendor%2Fdeep`, key)).body).id, 'vendor/deep')
  for (const path of ['/v1/models', '/v1/models/fast', '/metrics']) {
    const { headers } = await get(url + path, key)
    const isKeyAsked = path !== '/metrics'
    t.equal(headers.get('x-ratelimit-limit-requests') ?? null, isKeyAsked ? '60' : null, path)
  }
  const unknown = await get(`${url}/v1/models/%zz`, key)
  t.equal(unknown.status, 404)
  t.equal(JSON.parse(unknown.body).error.code, 'model_not_found')
})

test('finds a model that is not listed where a chat would find it', async (t) => {
  const model = (_key: unknown, id: string) => {
    if (!id.startsWith('vendor/')) throw new GatewayError('model_not_found', { param: 'model' })
    return { id, object: 'model' }
  }
  const { url } = await startFront(t, { options: { model } })
  for (const id of ['vendor/new', 'vendor%2Fnew', 'vendor/org%2Fnew', 'vendor/a/b']) {
    const found = await get(`${url}/v1/models/${id}`)
    t.equal(found.status, 200, id)
    t.equal(JSON.parse(found.body).id, decodeURIComponent(id))
  }
  t.equal((await get(`${url}/v1/models/nowhere/new`)).status, 404)
})

test('gives metrics to everybody on a gateway without keys', async (t) => {
  const { url } = await startFront(t)
  const metrics = await get(`${url}/metrics`)
  t.equal(metrics.body, 'sluice_up 1\n')
  t.match(metrics.headers.get('content-type'), /^text\/plain; version=0\.0\.4/)
})

test('gives metrics for the token alone where there is one, else for a gateway key', async (t) => {
  const { url, port, pipeline } = await startFront(t, {
    options: { hasKeys: true, metrics: { port: null, token: 'scrape' } },
  })
  pipeline.keys = ['good']
  t.equal((await get(`${url}/metrics`)).status, 401)
  t.equal((await get(`${url}/metrics`, { authorization: 'Bearer scrap' })).status, 401)
  t.equal((await get(`${url}/metrics`, { authorization: 'Bearer scrape' })).status, 200)
  t.equal((await get(`${url}/metrics`, { 'x-api-key': 'good' })).status, 401, 'a key reads no other keys’ figures')
  t.equal((await get(`${url}/metrics`, { authorization: 'Bearer good' })).status, 401)
  const doubled =
    'GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer scrape\r\nAuthorization: Bearer good\r\n\r\n'
  t.equal((await exchangeRaw(port, doubled)).answers[0]?.status, 401)
  const keyed = await startFront(t, { options: { hasKeys: true } })
  keyed.pipeline.keys = ['good']
  t.equal((await get(`${keyed.url}/metrics`)).status, 401)
  t.equal((await get(`${keyed.url}/metrics`, { 'x-api-key': 'good' })).status, 200)
  const tokened = await startFront(t, { options: { metrics: { port: null, token: 'scrape' } } })
  t.equal((await get(`${tokened.url}/metrics`)).status, 401)
})

test('answers 500 when metrics cannot be rendered', async (t) => {
  const { url } = await startFront(t, { options: { renderMetrics: () => Promise.reject(new Error('no')) } })
  t.equal((await get(`${url}/metrics`)).status, 500)
})

test('lists the models of the caller’s key as tags, with provider and languages', async (t) => {
  const { url, pipeline } = await startFront(t, {
    options: { models: () => [{ id: 'fast', owned_by: 'north' }], languages: () => ['en', 'pl'] },
  })
  const tag = { name: 'fast', model: 'fast', provider: 'north', languages: ['en', 'pl'] }
  t.strictSame(JSON.parse((await get(`${url}/api/tags`)).body), { models: [tag] })
  pipeline.keys = ['good']
  t.equal((await get(`${url}/api/tags`)).status, 401)
  t.equal((await get(`${url}/api/tags`, { authorization: 'Bearer good' })).status, 200)
})

test('makes the document of the API when it is first asked for, and once', async (t) => {
  let made = 0
  const version = (): string => `1.0.${++made}`
  const { url, pipeline } = await startFront(t, { options: { version } })
  t.equal(made, 0)
  pipeline.keys = ['good']
  const first = await get(`${url}/openapi.json`)
  t.equal(first.headers.get('content-type'), 'application/json')
  t.match(JSON.parse(first.body), { openapi: '3.1.0', info: { version: '1.0.1' } })
  t.equal((await get(`${url}/openapi.json`)).body, first.body)
  t.equal(made, 1)
})

test('an API has documents of its own, a list, and a model that is asked for by a body', async (t) => {
  const surface: Surface = {
    ...fakeSurface,
    routes: [],
    documents: [{ path: '/fixed', prefix: 'ollamaPrefix', title: 'A document', body: { a: 1 } }],
    models: {
      path: '/list',
      prefix: 'ollamaPrefix',
      encodeModel: ({ id = '' }) => ({ id }),
      encodeList: (models) => ({ names: models.map(({ id = '' }) => id) }),
      asked: {
        path: '/ask',
        readName: ({ name }) => {
          if (typeof name === 'string') return name
          throw new GatewayError('invalid_request', { param: 'name' })
        },
        encodeModel: ({ id = '' }) => ({ shown: id }),
      },
    },
  }
  const { url, pipeline } = await startFront(t, { options: { surfaces: [surface] } })
  pipeline.keys = ['good']
  const headers = { authorization: 'Bearer good', 'content-type': 'application/json' }
  const ask = (body: string, more: object = {}) =>
    fetch(`${url}/ollama/ask`, { method: 'POST', headers: { ...headers, ...more }, body })
  t.same(await (await fetch(`${url}/ollama/fixed`)).json(), { a: 1 }, 'without a key')
  t.same(await (await fetch(`${url}/ollama/list`, { headers })).json(), { names: ['fast', 'vendor/deep'] })
  t.equal((await fetch(`${url}/ollama/list`)).status, 401)
  t.same(await (await ask('{"name":"vendor/deep"}')).json(), { shown: 'vendor/deep' })
  t.equal((await ask('{"name":"nothing"}')).status, 404)
  t.equal((await ask('{}')).status, 400)
  t.equal((await ask('{')).status, 400)
  t.equal((await ask('{}', { authorization: 'Bearer bad' })).status, 401)
  t.equal((await ask('{}', { 'content-type': 'text/plain' })).status, 415)
  t.equal((await fetch(`${url}/ollama/ask`, { headers })).status, 405)
  t.equal(pipeline.exchanges.length, 0, 'no chat has begun')
})

test('the holder of a key gets its usage; what fails is answered in the form of the caller’s API', async (t) => {
  const busy = new GatewayError('overloaded', { retryAfterMs: 1000 })
  const usage = async ({ name }: { readonly name: string | null }) => {
    if (name === null) throw busy
    return { key: name }
  }
  const models = { header: 'x-fake', encodeList: () => ({}), encodeModel: () => ({}) }
  const { url, pipeline } = await startFront(t, { options: { usage, surfaces: [{ ...fakeSurface, models }] } })
  t.equal((await get(`${url}/v1/usage`, { 'x-fake': '1' })).status, 503)
  t.equal((await get(`${url}/v1/usage`)).status, 503)
  t.match(
    pipeline.rejections.map(({ surface, error }) => [surface?.id ?? null, error === busy]),
    [
      ['fake', true],
      [null, true],
    ],
  )
  pipeline.keys = ['good']
  const answer = await get(`${url}/v1/usage`, { authorization: 'Bearer good' })
  t.equal(answer.status, 200)
  t.type(JSON.parse(answer.body).key, 'string')
  t.equal(answer.headers.get('cache-control'), 'no-store')
  t.equal((await get(`${url}/v1/usage`)).status, 401)
})

test('without an account database there is no usage', async (t) => {
  const { url, server } = await startFront(t)
  t.equal((await get(`${url}/v1/usage`)).status, 404)
  t.notOk(server.routes.some(({ path }) => path === '/v1/usage'))
})
