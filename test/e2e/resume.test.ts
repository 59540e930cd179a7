// Kept streams through a real gateway, by real clients: an EventSource whose connection is cut again and again, a WebSocket that is
// lost, and a key that is taken away.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { test } from 'tap'
import { EventSource } from 'undici'
import WebSocket from 'ws'
import { type Running, simulatedProviders, startGateway, startSimulator, type Teardown } from '../helpers/gateway.js'
import { METRICS_TOKEN, reload } from '../helpers/reload.js'

const KEY_A = 'key-of-team-a-0123456789'
const KEY_B = 'key-of-team-b-0123456789'
const KEYS = [
  { name: 'a', key: KEY_A },
  { name: 'b', key: KEY_B },
]

async function start(
  t: Teardown,
  tokensPerSecond = 200,
  config: object = {},
): Promise<{ gateway: Running; config: object }> {
  const simulator = await startSimulator(t, ['--tokens-per-second', String(tokensPerSecond)])
  const whole = {
    keys: KEYS,
    metrics: { token: METRICS_TOKEN },
    providers: simulatedProviders(simulator.origin),
    ...config,
  }
  return { gateway: await startGateway(t, { config: whole }), config: whole }
}

/** Begins a kept stream and leaves it to itself. */
async function begin(gateway: Running, tokens: number, path = '/v1/chat/completions') {
  const answer = await fetch(gateway.origin + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': KEY_A, 'x-sluice-resume': '1' },
    body: JSON.stringify({
      ...{ model: 'openai/lorem-max', stream: true, max_tokens: tokens },
      messages: [{ role: 'user', content: 'Hi' }],
    }),
  })
  const stream = answer.headers.get('x-sluice-stream') ?? ''
  const link = /<([^>]+)>/.exec(answer.headers.get('link') ?? '')?.[1] ?? ''
  await answer.body?.cancel()
  return { stream, link, url: `${gateway.origin}/v1/streams/${stream}` }
}

type Frame = { readonly id: string; readonly data: string }

async function read(url: string, headers: Record<string, string> = { 'x-api-key': KEY_A }) {
  const answer = await fetch(url, { headers })
  const text = await answer.text()
  const frames = text.split('\n\n').flatMap((frame): Frame[] => {
    const [, id] = /^id: (\d+)$/m.exec(frame) ?? []
    const [, data] = /^data: (.*)$/m.exec(frame) ?? []
    return id === undefined || data === undefined ? [] : [{ id, data }]
  })
  return { status: answer.status, frames }
}

/** A proxy that cuts each connection after so many bytes to the client. */
async function startCutter(t: Teardown, { origin }: Running, bytes: () => number) {
  const sockets = new Set<Socket>()
  let cuts = 0
  const server = createServer((client) => {
    const upstream = connect(Number(new URL(origin).port), '127.0.0.1')
    let left = bytes()
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        client.destroy()
        upstream.destroy()
      })
    }
    client.pipe(upstream)
    upstream.on('data', (chunk: Buffer) => {
      client.write(chunk.subarray(0, left))
      left -= chunk.length
      if (left > 0) return
      cuts += 1
      client.end()
      upstream.destroy()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, cuts: () => cuts }
}

test('an EventSource that is cut again and again gets every event once, in order, and stops by itself', async (t) => {
  const { gateway } = await start(t)
  const { link, url } = await begin(gateway, 200)
  // Never the same place in a frame.
  let turn = 0
  const cutter = await startCutter(t, gateway, () => 2000 + 137 * turn++)
  const got: Frame[] = []
  const source = new EventSource(cutter.origin + link, { node: { reconnectionTime: 20 } })
  t.teardown(() => source.close())
  source.addEventListener('message', ({ data, lastEventId }) => got.push({ id: lastEventId, data: String(data) }))
  await new Promise<void>((resolve) => {
    source.addEventListener('error', () => {
      if (source.readyState === EventSource.CLOSED) resolve()
    })
  })
  t.ok(cutter.cuts() >= 5, `${cutter.cuts()} cuts`)
  const { frames } = await read(url)
  t.equal(frames.at(-1)?.data, '[DONE]')
  t.ok(frames.length > 100)
  t.same(got, frames)
  t.same(
    got.map(({ id }) => Number(id)),
    got.map((_, index) => index),
  )
})

test('a stream of the other API is resumed frame by frame, from every number', async (t) => {
  const { gateway } = await start(t, 2000)
  const { url } = await begin(gateway, 20, '/v1/messages')
  const { frames } = await read(url)
  t.match(frames.at(-1)?.data, /"message_stop"/)
  for (const { id } of frames.slice(0, -1)) {
    t.same((await read(`${url}?after=${id}`)).frames, frames.slice(Number(id) + 1), id)
  }
  t.equal((await read(`${url}?after=${frames.at(-1)?.id}`)).status, 204)
})

test('a chat on a WebSocket that is lost goes on over HTTP, and one over HTTP goes on on a WebSocket', async (t) => {
  const { gateway } = await start(t)
  const open = async (): Promise<WebSocket> => {
    const socket = new WebSocket(`${gateway.origin.replace('http', 'ws')}/v1/ws`, { headers: { 'x-api-key': KEY_A } })
    t.teardown(() => socket.terminate())
    await once(socket, 'open')
    return socket
  }
  type Message = { type: string; stream?: string; seq?: number; data?: object }
  const listen = (socket: WebSocket, isEnough: (message: Message) => boolean) =>
    new Promise<Message[]>((resolve) => {
      const messages: Message[] = []
      socket.on('message', (bytes: Buffer) => {
        const message = JSON.parse(bytes.toString()) as Message
        messages.push(message)
        if (isEnough(message)) resolve(messages)
      })
    })
  const first = await open()
  const seen = listen(first, ({ seq = 0 }) => seq >= 5)
  const request = { model: 'openai/lorem-max', max_tokens: 60, messages: [{ role: 'user', content: 'Hi' }] }
  first.send(JSON.stringify({ type: 'chat', id: 'x', resume: true, request }))
  const [opened, ...events] = await seen
  first.terminate()
  t.match(opened, { type: 'opened' })
  const url = `${gateway.origin}/v1/streams/${opened?.stream}`
  const rest = await read(`${url}?after=5`)
  const all = await read(url)
  t.same(rest.frames, all.frames.slice(6))
  t.same(
    events.slice(0, 6).map(({ data }) => data),
    all.frames.slice(0, 6).map(({ data }) => JSON.parse(data)),
  )
  const http = await begin(gateway, 30)
  const second = await open()
  const resumed = listen(second, ({ type }) => type === 'done')
  second.send(JSON.stringify({ type: 'resume', id: 'y', stream: http.stream, after: 3 }))
  const messages = await resumed
  const { frames } = await read(http.url)
  t.same(
    messages.slice(0, -1).map(({ seq, data }) => [seq, data]),
    frames.slice(4, -1).map(({ id, data }) => [Number(id), JSON.parse(data)]),
  )
  t.equal(messages.at(-1)?.seq, frames.length - 1)
})

test('whichever event loop a connection meets, it reads the same stream, by key and by link, and stops it', async (t) => {
  const { gateway } = await start(t, 100, { server: { threads: 2 } })
  const { link, url, stream } = await begin(gateway, 60)
  // Each on a connection of its own, which the system gives to either loop.
  const apart = { connection: 'close' }
  const all = await Promise.all(
    Array.from({ length: 12 }, (_, index) =>
      index % 2 === 0 ? read(url, { 'x-api-key': KEY_A, ...apart }) : read(gateway.origin + link, apart),
    ),
  )
  t.equal(all[0]?.frames.at(-1)?.data, '[DONE]')
  for (const { frames } of all) t.same(frames, all[0]?.frames)
  const foreign = await Promise.all(Array.from({ length: 6 }, () => read(url, { 'x-api-key': KEY_B, ...apart })))
  t.same([...new Set(foreign.map(({ status }) => status))], [404])
  const remove = () => fetch(url, { method: 'DELETE', headers: { 'x-api-key': KEY_A, ...apart } })
  const statuses = await Promise.all(Array.from({ length: 6 }, async () => (await remove()).status))
  t.ok(statuses.includes(204), `${stream} was forgotten`)
  const gone = await Promise.all(Array.from({ length: 6 }, () => read(url, { 'x-api-key': KEY_A, ...apart })))
  t.same([...new Set(gone.map(({ status }) => status))], [404])
})

test('a stream and its link die with the key; those of others do not', async (t) => {
  const { gateway, config } = await start(t, 2000)
  const { link, url } = await begin(gateway, 5)
  const linked = gateway.origin + link
  t.equal((await read(linked, {})).status, 200)
  t.equal((await read(linked.replace(/=.*$/, '=x'), {})).status, 404)
  t.equal((await read(url, { 'x-api-key': KEY_B })).status, 404)
  t.equal((await read(url, {})).status, 401)
  await reload(gateway, { ...config, keys: [KEYS[1]] })
  t.equal((await read(linked, {})).status, 404)
  t.equal((await read(url)).status, 401)
  await reload(gateway, { ...config, keys: [KEYS[1], { ...KEYS[0], name: 'renamed' }] })
  t.equal(
    (await read(linked, {})).status,
    200,
    'the same key under another name and at another place is the same owner',
  )
  t.equal((await read(url)).status, 200)
  t.notMatch(JSON.stringify(gateway.lines), /token=|str_[\w-]{9}/)
})

test('links are good for as long as the secret is the same', async (t) => {
  const streams = { tokenSecret: 'a secret of the operator of this gateway' }
  const { gateway, config } = await start(t, 2000, { streams })
  const { link } = await begin(gateway, 5)
  await reload(gateway, { ...config, limits: { concurrency: 7 } })
  t.equal((await read(gateway.origin + link, {})).status, 200)
  await reload(gateway, { ...config, streams: { tokenSecret: 'another secret of that operator' } })
  t.equal((await read(gateway.origin + link, {})).status, 404)
  const random = await start(t, 2000)
  const other = await begin(random.gateway, 5)
  await reload(random.gateway, { ...random.config, limits: { concurrency: 7 } })
  t.equal((await read(random.gateway.origin + other.link, {})).status, 200, 'a random one survives a reload')
})
