// Listening, closing, TLS and the listener of the metrics.
import { once } from 'node:events'
import { request } from 'node:https'
import { join } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import { test } from 'tap'
import { Authority } from '../helpers/certificates.js'
import { CHAT_PATH } from '../helpers/fake-pipeline.js'
import { freePort } from '../helpers/free-port.js'
import { startFront } from '../helpers/front.js'
import { openRaw } from '../helpers/raw-http.js'

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
  const first = await startFront(t, { config: { threads: 2, port: await freePort() } })
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
  const metricsPort = await freePort()
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

test('speaks TLS, with strict transport security', async (t) => {
  const authority = new Authority(t)
  const { certFile, keyFile } = authority.issue('front')
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
  const missing = { certFile: join(authority.folder, 'none.pem'), keyFile, passphrase: null }
  await t.rejects(startFront(t, { config: { tls: missing } }), /TLS cannot be set up with/)
})

test('a renewed certificate is the main listener’s alone, and what it serves is closed with the rest', async (t) => {
  const authority = new Authority(t)
  const [first, second] = ['first', 'second'].map((name) => {
    const { certFile, keyFile } = authority.issue(name)
    return { certFile, keyFile, passphrase: null }
  })
  const metricsPort = await freePort()
  const { server, port } = await startFront(t, {
    config: { tls: first ?? null },
    options: { metrics: { port: metricsPort, token: null } },
  })
  const open = async (): Promise<TLSSocket> => {
    const socket = connect({ host: '127.0.0.1', port, ca: authority.ca })
    socket.on('error', () => {})
    await once(socket, 'secureConnect')
    return socket
  }
  const before = await open()
  t.equal(server.prepareTls(first ?? null), null, 'the same one is no renewal')
  server.prepareTls(second ?? null)?.()
  let after = await open()
  for (let tries = 0; after.getPeerCertificate().subject.CN !== 'second'; tries++) {
    t.ok(tries < 20)
    after.destroy()
    after = await open()
  }
  t.equal((await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).status, 200, 'in clear, as before')
  for (const socket of [before, after]) {
    socket.write('GET /livez HTTP/1.1\r\nHost: x\r\n\r\n')
    t.match(String((await once(socket, 'data'))[0]), /^HTTP\/1.1 200/)
  }
  const closed = Promise.all([before, after].map((socket) => once(socket, 'close'))).then(() => true)
  server.close()
  // Idle connections are closed by the engine as well, after 10 s.
  t.ok(await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 5000).unref())]))
})
