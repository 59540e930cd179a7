// Kept streams through a real gateway, by real clients: an EventSource whose connection is cut again and again and a key that is
// taken away.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { test } from 'tap'
import { EventSource } from 'undici'
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
      ...{ model: 'openai/lorem', stream: true, max_tokens: tokens },
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
