// A connection behind which nobody is any more, and one that nobody would answer: both end by themselves, and alone. So does one of
// which Node reads nothing more.
import { once } from 'node:events'
import { connect as connectTcp, createServer, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { test } from 'tap'
import { SessionPool } from '../../../../src/upstream/pool/http2/session-pool.js'
import { type PooledHandler } from '../../../../src/upstream/pool/upstream-pool.js'
import { Authority } from '../../../helpers/certificates.js'
import { type Teardown } from '../../../helpers/gateway.js'
import { FORBIDDEN_IN_SILENCE } from '../../../helpers/http2-fault-rows.js'
import { Http2Upstream } from '../../../helpers/http2-upstream.js'
import { ScriptedHttp2Upstream } from '../../../helpers/scripted-http2-upstream.js'
import { answer } from '../../../helpers/scripted-upstream.js'

const LOOK_MS = 20

type Seen = { readonly handler: PooledHandler; readonly begun: Promise<unknown>; readonly ended: Promise<string> }

/** What one request comes to: `end`, or the code of its error. */
function watch(): Seen {
  let [begin, end]: [(value: unknown) => void, (how: string) => void] = [() => undefined, () => undefined]
  const begun = new Promise((resolve) => {
    begin = resolve
  })
  const ended = new Promise<string>((resolve) => {
    end = resolve
  })
  const handler: PooledHandler = {
    isOver: false,
    owner: null,
    onRequestStart: () => undefined,
    onResponseData: begin,
    onResponseEnd: () => end('end'),
    onResponseError: (_controller: unknown, error: Error) => end('code' in error ? String(error.code) : error.message),
  }
  return { handler, begun, ended }
}

type Proxy = {
  readonly port: number
  /** Nothing comes or goes any more, and nothing closes. */
  freeze(): void
  /** What its server says is lost. */
  mute(): void
}

/** Passes bytes on. */
async function startProxy(t: Teardown, port: number): Promise<Proxy> {
  const sockets: Socket[] = []
  const fars: Socket[] = []
  const server = createServer((near) => {
    const far = connectTcp(port, '127.0.0.1')
    for (const socket of [near, far]) socket.on('error', () => undefined)
    near.pipe(far)
    far.pipe(near)
    sockets.push(near, far)
    fars.push(far)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    freeze: () => {
      for (const socket of sockets.splice(0)) socket.unpipe().pause()
    },
    mute: () => {
      for (const far of fars.splice(0)) far.unpipe().pause()
    },
  }
}

function openPool(t: Teardown, port: number, ca: string): SessionPool {
  const pool = new SessionPool(`https://127.0.0.1:${port}`, {
    maxConnections: null,
    keepAliveMs: 60_000,
    maxHeaderBytes: 32_768,
    settingsMs: 5_000,
    onConnect: () => undefined,
    lookEveryMs: LOOK_MS,
    connect: (callback) => {
      const socket = connectTls({ port, host: '127.0.0.1', ca, ALPNProtocols: ['h2'] })
      socket.on('error', () => undefined).once('secureConnect', () => callback(null, socket))
    },
  })
  t.teardown(() => pool.destroy())
  return pool
}

async function prepare(t: Teardown) {
  const upstream = await Http2Upstream.listen(t)
  const proxy = await startProxy(t, Number(new URL(upstream.origin).port))
  const pool = openPool(t, proxy.port, upstream.ca)
  upstream.answer = (response) => {
    response.writeHead(200)
    response.write('first')
  }
  const ask = (): Seen => {
    const seen = watch()
    pool.dispatch({ path: '/', method: 'POST', headers: [], body: Buffer.from('{}') }, seen.handler)
    return seen
  }
  return { upstream, proxy, pool, ask }
}

test('where nobody answers a PING any more the streams of that connection end, and the next one gets another', async (t) => {
  const { proxy, upstream, pool, ask } = await prepare(t)
  const lost = [ask(), ask()]
  await Promise.all(lost.map(({ begun }) => begun))
  proxy.freeze()
  for (const { ended } of lost) t.equal(await ended, 'HTTP2_NO_PONG')
  await ask().begun
  t.equal(upstream.sessions.length, 2)
  t.equal(pool.stats().busy, 1)
})

test('a connection that is asked whether anybody is there takes no stream until it is answered', async (t) => {
  const { proxy, upstream, pool, ask } = await prepare(t)
  await ask().begun
  const [session] = upstream.sessions
  if (session === undefined) throw new Error('no session')
  const pinged = once(session, 'ping')
  proxy.mute()
  await pinged
  await ask().begun
  t.equal(upstream.sessions.length, 2, 'it went to another one')
  t.equal(pool.stats().open, 2, 'before the first was given up')
})

test('a silent stream whose server answers PINGs is left alone', async (t) => {
  const { upstream, ask } = await prepare(t)
  let pings = 0
  const { begun, ended } = ask()
  await begun
  const pinged = new Promise<void>((resolve) => {
    upstream.sessions[0]?.on('ping', () => {
      pings += 1
      if (pings === 4) resolve()
    })
  })
  await pinged
  upstream.sessions[0]?.destroy()
  t.equal(await ended, 'HTTP2_CLOSED')
})

for (const { fault, steps } of FORBIDDEN_IN_SILENCE) {
  test(`${fault}, after which Node hears nothing more, ends by the PING that gets no answer`, async (t) => {
    const authority = new Authority(t)
    const server = await ScriptedHttp2Upstream.listen(answer(...steps, { stall: true }), authority.issue('h2'))
    t.teardown(() => server.close())
    const pool = openPool(t, server.port, authority.ca)
    const { handler, ended } = watch()
    pool.dispatch({ path: '/', method: 'POST', headers: [], body: Buffer.from('{}') }, handler)
    t.equal(await ended, 'HTTP2_NO_PONG')
  })
}
