// Listening, closing, TLS and the listener of the metrics.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { request } from 'node:https'
import { createServer as createNetServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'tap'
import { type Surface } from '../../src/protocols/contract/protocol.js'
import { CHAT_PATH, fakeSurface } from '../helpers/fake-pipeline.js'
import { startFront } from '../helpers/front.js'
import { openRaw } from '../helpers/raw-http.js'

async function findFreePort(): Promise<number> {
  const probe = createNetServer()
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve))
  const address = probe.address()
  await new Promise((resolve) => probe.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}

test('says which build of the engine it runs', async (t) => {
  const { server } = await startFront(t)
  t.match(server.build, /\d+\.\d+\.\d+$/)
})

test('says clearly when the port is in use, also by a second gateway', async (t) => {
  const { port } = await startFront(t)
  await t.rejects(startFront(t, { config: { port } }), {
    data: { code: 'misconfigured' },
    message: new RegExp(`127.0.0.1:${port}`),
  })
})

test('shares its port between event loops when there are several', async (t) => {
  // Not port 0: the engine sets SO_REUSEPORT for a given port alone.
  const first = await startFront(t, { config: { threads: 2, port: await findFreePort() } })
  const second = await startFront(t, { config: { threads: 2, port: first.port } })
  t.equal(second.port, first.port)
})

test('stops listening, lets open requests end, and cuts them on close', async (t) => {
  const { server, port, pipeline } = await startFront(t, { script: () => {} })
  const socket = await openRaw(port)
  socket.on('error', () => {})
  socket.write(
    'POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}',
  )
  while (pipeline.exchanges.length === 0) await new Promise(setImmediate)
  server.closeListener()
  await t.rejects(openRaw(port))
  t.equal(server.open.requests, 1)
  server.close()
  await pipeline.exchanges[0]?.cancelled
  t.equal(server.open.requests, 0)
})

test('serves metrics on a loopback listener of their own, and not on the public one', async (t) => {
  const metricsPort = await findFreePort()
  const { url, server } = await startFront(t, {
    options: { metrics: { port: metricsPort, token: null }, hasKeys: true },
  })
  t.equal((await fetch(`${url}/metrics`)).status, 404)
  const own = await fetch(`http://127.0.0.1:${metricsPort}/metrics`)
  t.equal(await own.text(), 'sluice_up 1\n')
  t.equal((await fetch(`http://127.0.0.1:${metricsPort}/livez`)).status, 404)
  // Another event loop leaves that port alone.
  await startFront(t, { options: { metrics: { port: metricsPort, token: null }, ownsMetricsPort: false } })
  server.closeListener()
  await t.rejects(openRaw(metricsPort))
})

test('serves what stands below the prefix there, and refuses there in the words of that API', async (t) => {
  const below: Surface = { ...fakeSurface, id: 'below', routes: [{ method: 'POST', path: '/talk', isPrefixed: true }] }
  const options = { surfaces: [fakeSurface, below], compat: { apiPrefix: '/llm/x', healthStatus: 'ok' } }
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
  const below: Surface = { ...fakeSurface, id: 'below', routes: [{ method: 'POST', path: '/talk', isPrefixed: true }] }
  const options = { surfaces: [below], compat: { apiPrefix: '', healthStatus: 'ok' } }
  const { url, pipeline } = await startFront(t, { options })
  t.same(await (await fetch(`${url}/ping`)).json(), { status: true, body: 'pong' })
  t.equal((await fetch(`${url}/none`)).status, 404)
  t.equal(pipeline.rejections[0]?.surface, null)
})

test('speaks TLS, with strict transport security', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-tls-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  const [keyFile, certFile] = [join(dir, 'key.pem'), join(dir, 'cert.pem')]
  const options = [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '1',
    '-subj',
    '/CN=localhost',
    '-keyout',
    keyFile,
    '-out',
    certFile,
  ]
  try {
    execFileSync('openssl', options, { stdio: 'ignore' })
  } catch {
    t.pass('no openssl here to make a certificate with')
    return
  }
  const { port, pipeline } = await startFront(t, { config: { tls: { certFile, keyFile, passphrase: null } } })
  const headers = await new Promise<NodeJS.Dict<string | string[]>>((resolve, reject) => {
    const asked = request(
      { host: '127.0.0.1', port, path: '/livez', rejectUnauthorized: false, agent: false },
      (answer) => {
        answer.resume()
        resolve(answer.headers)
      },
    )
    asked.on('error', reject).end()
  })
  t.match(headers['strict-transport-security'], /max-age=\d+/)
  pipeline.script = (exchange) => {
    exchange.begin().follow()
    for (let i = 0; i < 200; i++) exchange.log.append(Buffer.alloc(20_000, String(i % 10)))
    exchange.end()
  }
  const body = await new Promise<Buffer>((resolve, reject) => {
    const headers = { 'content-type': 'application/json' }
    const options = {
      host: '127.0.0.1',
      port,
      path: CHAT_PATH,
      method: 'POST',
      headers,
      rejectUnauthorized: false,
      agent: false,
    }
    const asked = request(options, async (answer) => {
      const parts: Buffer[] = []
      for await (const part of answer) {
        parts.push(part)
        if (parts.length % 20 === 0) await new Promise((next) => setTimeout(next, 5))
      }
      resolve(Buffer.concat(parts))
    })
    asked.on('error', reject).end('{}')
  })
  t.ok(body.equals(Buffer.concat(Array.from({ length: 200 }, (_, i) => Buffer.alloc(20_000, String(i % 10))))))
  const missing = { certFile: join(dir, 'none.pem'), keyFile, passphrase: null }
  await t.rejects(startFront(t, { config: { tls: missing } }), /TLS cannot be set up with/)
})
