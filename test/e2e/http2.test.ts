// A provider over HTTP/2, as it is by default, seen by clients of a whole gateway: many streams on few connections, each with its own words, and each way in
// which a connection may end told as what it is.
import { once } from 'node:events'
import { constants, type Http2ServerResponse } from 'node:http2'
import { test } from 'tap'
import { Client } from 'undici'
import { type Running, startGateway, type Teardown } from '../helpers/gateway.js'
import { Http2Upstream } from '../helpers/http2-upstream.js'
import { openRaw, post } from '../helpers/raw-http.js'

const STREAMS = 100
const KEY = 'client-key-0123456789'
const HEAD = { 'content-type': 'text/event-stream' }
const FINISH = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'

function delta(content: string): string {
  return `data: {"choices":[{"index":0,"delta":{"content":"${content}"}}]}\n\n`
}

type Rig = { readonly server: Http2Upstream; readonly gateway: Running }
type Held = { readonly name: string; readonly response: Http2ServerResponse }
type Got = { readonly id: string; readonly status: number; readonly text: string }

async function prepare(t: Teardown, server?: object): Promise<Rig> {
  const upstream = await Http2Upstream.listen(t)
  const provider = { protocol: 'openai-chat', baseUrl: `${upstream.origin}/v1`, apiKey: 'sk-up' }
  const config = {
    keys: [{ name: 'app', key: KEY }],
    providers: { up: { ...provider, tls: { caFile: upstream.caFile } } },
    ...(server === undefined ? {} : { server }),
  }
  return { server: upstream, gateway: await startGateway(t, { config }) }
}

/** Streams that have begun, each with its own first word; resolves when all clients have theirs. */
async function begin(t: Teardown, { server, gateway }: Rig, count: number) {
  const held: Held[] = []
  server.answer = (response, _, body) => {
    const name = /word-\d+/.exec(body)?.[0] ?? ''
    response.writeHead(200, HEAD)
    response.write(delta(name))
    held.push({ name, response })
  }
  const clients = await Promise.all(Array.from({ length: count }, (_, i) => openStream(t, gateway, `word-${i}`)))
  return { held, clients }
}

async function openStream(t: Teardown, gateway: Running, word: string) {
  const client = new Client(gateway.origin)
  t.teardown(() => client.destroy())
  const controller = new AbortController()
  const answer = await client.request({
    method: 'POST',
    path: '/v1/chat/completions',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'up/any', stream: true, messages: [{ role: 'user', content: word }] }),
    signal: controller.signal,
  })
  const whole = answer.body.text().then(
    (text): Got => ({ id: String(answer.headers['x-request-id']), status: answer.statusCode, text }),
    () => ({ id: String(answer.headers['x-request-id']), status: 0, text: '' }),
  )
  return { word, whole, leave: () => controller.abort() }
}

test('a hundred streams share four connections, each gets its own words and is complete', async (t) => {
  const rig = await prepare(t)
  const { held, clients } = await begin(t, rig, STREAMS)
  t.equal(held.length, STREAMS)
  t.equal(rig.server.sessions.length, 2)
  for (let i = 0; i < 20; i++) for (const { name, response } of held) response.write(delta(` ${name}`))
  for (const { response } of held) response.end(FINISH)
  for (const { word, whole } of clients) {
    const { status, text } = await whole
    t.equal(status, 200)
    t.equal(text.split(word).length - 1, 21)
    t.equal(
      text.match(/word-\d+/g)?.every((one) => one === word),
      true,
      'no word of another',
    )
    t.ok(text.endsWith('data: [DONE]\n\n'))
  }
  const ids = await Promise.all(clients.map(async ({ whole }) => (await whole).id))
  for (const id of ids) t.match(await rig.gateway.exchange(id), { outcome: 'complete' })
})

test('a connection that is lost cuts its own streams, in-band and without an end marker, and no others', async (t) => {
  const rig = await prepare(t)
  const { held, clients } = await begin(t, rig, STREAMS)
  const lost = rig.server.sessions[1]
  const names = held.filter(({ response }) => response.stream.session === lost).map(({ name }) => name)
  t.ok(names.length > 0 && names.length <= 50, `${names.length} streams on it`)
  lost?.destroy()
  for (const { name, response } of held) if (!names.includes(name)) response.end(FINISH)
  for (const { word, whole } of clients) {
    const { id, text } = await whole
    const isCut = names.includes(word)
    t.equal(text.includes('[DONE]'), !isCut, word)
    t.equal(text.includes('"error"'), isCut)
    t.match(await rig.gateway.exchange(id), { outcome: isCut ? 'upstream_cut' : 'complete' })
  }
})

test('a client that leaves resets its stream at the provider, and the others of its connection go on', async (t) => {
  const rig = await prepare(t)
  const { held, clients } = await begin(t, rig, 10)
  const [leaving, ...staying] = clients
  const left = held.find(({ name }) => name === leaving?.word)?.response.stream
  if (left === undefined) throw new Error('no stream')
  const closed = once(left, 'close')
  leaving?.leave()
  await closed
  t.equal(left.rstCode, constants.NGHTTP2_CANCEL)
  const id = (await leaving?.whole)?.id ?? ''
  t.match(await rig.gateway.exchange(id), { outcome: 'client_gone' })
  for (const { response } of held) if (!response.stream.closed) response.end(FINISH)
  for (const { whole } of staying) t.match((await whole).text, /\[DONE\]/)
  t.equal(rig.server.sessions.length, 1)
})

test('a provider that restarts by GOAWAY loses no stream: those that run end as usual, new ones find it again', async (t) => {
  const rig = await prepare(t)
  const { held, clients } = await begin(t, rig, 20)
  for (const session of rig.server.sessions) session.goaway(constants.NGHTTP2_NO_ERROR)
  const later = await begin(t, rig, 20)
  for (const { response } of [...held, ...later.held]) response.end(FINISH)
  for (const { whole } of [...clients, ...later.clients]) {
    const { id, text } = await whole
    t.match(text, /\[DONE\]/)
    t.match(await rig.gateway.exchange(id), { outcome: 'complete' })
  }
})

const FLOOD_PIECES = 400
const PIECE = 'x'.repeat(60_000)

test('a client that reads nothing holds up no other stream of its connection, and gets all when it reads again', async (t) => {
  const rig = await prepare(t, { maxReaderLagBytes: 64 * 1024 * 1024, readerStallMs: 60_000 })
  const { held, clients } = await begin(t, rig, 9)
  const socket = await openRaw(Number(new URL(rig.gateway.origin).port))
  t.teardown(() => socket.destroy())
  const asked = new Promise<Http2ServerResponse>((resolve) => {
    rig.server.answer = (response) => {
      response.writeHead(200, HEAD)
      resolve(response)
    }
  })
  const chat = { model: 'up/any', stream: true, messages: [{ role: 'user', content: 'Hi' }] }
  socket.write(post('/v1/chat/completions', JSON.stringify(chat), `Authorization: Bearer ${KEY}\r\n`))
  socket.pause()
  const flood = await asked
  // Many times what any window or buffer on the way would hold.
  for (let i = 0; i < FLOOD_PIECES; i++) {
    if (!flood.write(delta(PIECE))) await once(flood, 'drain')
    for (const { name, response } of held) if (i % 40 === 0) response.write(delta(` ${name}`))
  }
  for (const { response } of held) response.end(FINISH)
  for (const { whole } of clients) t.match((await whole).text, /\[DONE\]/)
  t.equal(rig.server.sessions.length, 1)
  flood.end(FINISH)
  let text = ''
  socket.setEncoding('latin1').on('data', (piece: string) => {
    text += piece
    if (text.endsWith('\r\n0\r\n\r\n')) socket.destroy()
  })
  socket.resume()
  await once(socket, 'close')
  t.equal(text.split('x').length - 1 >= FLOOD_PIECES * PIECE.length, true)
  t.ok(text.includes('[DONE]'))
})
