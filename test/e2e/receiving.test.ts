// What requests take while they are still arriving is bounded: a hundred unfinished uploads and a hundred unfinished messages
// of one key, on two event loops, hold no more than the key may; every way out gives back what was held.
import { once } from 'node:events'
import { type Socket } from 'node:net'
import tap, { test } from 'tap'
import { WebSocket } from 'ws'
import { type Running, startGateway } from '../helpers/gateway.js'
import { startHeldUpstream } from '../helpers/held-upstream.js'
import { parsePage, sampleValue } from '../helpers/prometheus.js'
import { openRaw, parseAnswers } from '../helpers/raw-http.js'
import { frameOf, RawWebSocket, TEXT } from '../helpers/raw-websocket.js'

const MIB = 1024 * 1024
const BODY_BYTES = 19 * MIB
const KEY = 'key-of-the-first-team'
const OTHER_KEY = 'key-of-the-second-team'
const CHAT = { model: 'up/m', messages: [{ role: 'user', content: 'x' }] }

const upstream = await startHeldUpstream(tap)
const providers = { up: { protocol: 'openai-chat', baseUrl: `${upstream.origin}/v1` } }
const gateway = await startGateway(tap, {
  config: {
    keys: [
      { name: 'one', key: KEY, limits: { concurrency: 5 } },
      { name: 'two', key: OTHER_KEY },
    ],
    providers,
    metrics: { token: 'metrics-token' },
    server: { threads: 2, maxReceivingBytes: 78 * MIB, maxReceivingBytesPerKey: 64 * MIB },
  },
})
const portOf = ({ origin }: Running) => Number(new URL(origin).port)

async function samples(of = gateway) {
  const answer = await fetch(`${of.origin}/metrics`, { headers: { authorization: 'Bearer metrics-token' } })
  return parsePage(await answer.text()).samples
}

async function heldBytes(of = gateway): Promise<number> {
  return sampleValue(await samples(of), 'sluice_receiving_bytes', {}) ?? Number.NaN
}

/** Resolves when so much is held: what a client does reaches the gateway when it reads it. */
async function untilHeld(isIt: (bytes: number) => boolean, of = gateway): Promise<number> {
  for (;;) {
    const bytes = await heldBytes(of)
    if (isIt(bytes)) return bytes
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

async function rejections(scope: string, of = gateway): Promise<number> {
  return sampleValue(await samples(of), 'sluice_limit_rejections_total', { scope, limit: 'receiving' }) ?? 0
}

type Upload = {
  readonly socket: Socket
  isClosed: () => boolean
  answer: () => { status: number; body: string } | null
}

/** Begins a body and never ends it. `framing`: how its length is told. */
async function beginUpload(key: string, framing: string, first: Buffer, of = gateway): Promise<Upload> {
  const socket = await openRaw(portOf(of))
  const received: Buffer[] = []
  socket.on('error', () => undefined)
  socket.on('data', (chunk: Buffer) => received.push(chunk))
  const credential = key === '' ? '' : `X-Api-Key: ${key}\r\n`
  const head = `POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${credential}${framing}\r\n\r\n`
  socket.write(Buffer.concat([Buffer.from(head), first]))
  return {
    socket,
    isClosed: () => socket.closed,
    answer() {
      const [answer] = parseAnswers(Buffer.concat(received))
      return answer === undefined ? null : { status: answer.status, body: answer.body.toString() }
    },
  }
}

const LENGTH = `Content-Length: ${BODY_BYTES}`
/** Of a message. */
const PART = Buffer.alloc(64 * 1024, 0x20)
/** Of a body: with its head in one read, so that no answer is lost to what the gateway has not read. */
const FIRST = Buffer.alloc(1024, 0x20)

async function closeAll(uploads: readonly Upload[]): Promise<void> {
  for (const { socket } of uploads) socket.destroy()
  await untilHeld((bytes) => bytes === 0)
}

test('of a hundred unfinished uploads of one key as many are taken as fit, over all event loops; another key is served', async (t) => {
  const before = await rejections('key')
  const other = await beginUpload(OTHER_KEY, LENGTH, FIRST)
  await untilHeld((bytes) => bytes === BODY_BYTES)
  const uploads = await Promise.all(Array.from({ length: 100 }, () => beginUpload(KEY, LENGTH, FIRST)))
  const refused = () => uploads.flatMap((upload) => upload.answer() ?? [])
  // The engine cuts a stalled upload after some ten seconds: what was held at most counts.
  let most = 0
  await untilHeld((bytes) => {
    most = Math.max(most, bytes)
    return refused().length >= 97
  })
  t.equal(most, 4 * BODY_BYTES)
  t.same([...new Set(refused().map(({ status }) => status))], [429])
  t.match(refused()[0]?.body, /67108864 bytes of server\.maxReceivingBytesPerKey/)
  t.equal((await rejections('key')) - before, 97)
  t.equal(other.answer(), null)
  const small = fetch(`${gateway.origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': KEY },
    body: JSON.stringify({ ...CHAT, stream: true }),
  })
  const held = await upstream.next()
  held.say('done')
  t.equal((await small).status, 200, 'a body that arrives at once needs no room')
  await closeAll([...uploads, other])
})

test('what all keys hold together is bounded as well: 503', async (t) => {
  const before = await rejections('gateway')
  const keys = [KEY, KEY, KEY, OTHER_KEY]
  const uploads = await Promise.all(keys.map((key) => beginUpload(key, LENGTH, FIRST)))
  await untilHeld((bytes) => bytes === 4 * BODY_BYTES)
  const last = await beginUpload(OTHER_KEY, LENGTH, FIRST)
  await untilHeld(() => last.answer() !== null)
  t.match(last.answer(), { status: 503, body: /81788928 bytes of server\.maxReceivingBytes/ })
  t.equal((await rejections('gateway')) - before, 1)
  await closeAll([...uploads, last])
})

test('a body of unknown length holds what has come of it, and is refused where it would be too much', async (t) => {
  const before = await rejections('key')
  const chunk = (bytes: number) => Buffer.concat([Buffer.from(`${bytes.toString(16)}\r\n`), Buffer.alloc(bytes, 0x20)])
  const uploads = await Promise.all(
    Array.from({ length: 8 }, () => beginUpload(KEY, 'Transfer-Encoding: chunked', chunk(9 * MIB))),
  )
  // All bytes are sent; what is not refused holds at least what it got. An answer may be lost to a client that goes on writing.
  let refused = 0
  let most = 0
  do {
    const page = await samples()
    const held = sampleValue(page, 'sluice_receiving_bytes', {}) ?? 0
    refused = (sampleValue(page, 'sluice_limit_rejections_total', { scope: 'key', limit: 'receiving' }) ?? 0) - before
    most = Math.max(most, held)
    if (refused > 0 && held >= (8 - refused) * 9 * MIB) break
  } while (refused < 8)
  t.ok(refused > 0 && refused < 8, `${refused} refused`)
  t.ok(most <= 64 * MIB, `${most}`)
  await untilHeld(() => uploads.filter((upload) => upload.isClosed()).length >= refused)
  await closeAll(uploads)
})

test('each open WebSocket holds its largest message; of a hundred unfinished messages memory holds no more than that', async (t) => {
  const before = await rejections('key')
  const headers = `X-Api-Key: ${KEY}\r\n`
  const sockets = await Promise.all(Array.from({ length: 100 }, () => RawWebSocket.open(portOf(gateway), headers)))
  t.equal(await heldBytes(), 100 * 256 * 1024)
  // A message of 19 MB that never ends, in one frame and in many: the engine takes none of it.
  for (const [i, { socket }] of sockets.entries()) {
    if (i % 2 === 0) socket.write(frameOf(TEXT, PART, { length: BigInt(BODY_BYTES) }))
    else for (let part = 0; part < 6; part++) socket.write(frameOf(part === 0 ? TEXT : 0, PART, { isFinal: false }))
  }
  await Promise.all(sockets.map((socket) => socket.until(() => socket.isClosed)))
  t.equal(await untilHeld((bytes) => bytes === 0), 0)
  const kept = await Promise.all(Array.from({ length: 256 }, () => RawWebSocket.open(portOf(gateway), headers)))
  await t.rejects(RawWebSocket.open(portOf(gateway), headers), /no upgrade: HTTP\/1\.1 429/)
  t.equal((await rejections('key')) - before, 1)
  for (const { socket } of kept) socket.destroy()
  await untilHeld((bytes) => bytes === 0)
})

test('sockets that say nothing leave another key as much as they hold', async (t) => {
  const shared = await startGateway(t, {
    config: {
      keys: [
        { name: 'one', key: KEY },
        { name: 'two', key: OTHER_KEY },
      ],
      providers,
      metrics: { token: 'metrics-token' },
      server: { threads: 2, maxBodyBytes: 4 * MIB, maxReceivingBytes: 16 * MIB, maxReceivingBytesPerKey: 16 * MIB },
    },
  })
  const open = (key: string) => RawWebSocket.open(portOf(shared), `X-Api-Key: ${key}\r\n`)
  const sockets = await Promise.all(Array.from({ length: 32 }, () => open(KEY)))
  await t.rejects(open(KEY), /no upgrade: HTTP\/1\.1 429/)
  t.equal(await heldBytes(shared), 8 * MIB)
  const upload = await beginUpload(OTHER_KEY, `Content-Length: ${4 * MIB}`, FIRST, shared)
  await untilHeld((bytes) => bytes === 12 * MIB, shared)
  t.equal(upload.answer(), null)
  for (const { socket } of [...sockets, upload]) socket.destroy()
  await untilHeld((bytes) => bytes === 0, shared)
})

test('a WebSocket for large messages takes what a body may hold, and counts as one', async (t) => {
  const open = async (path: string) => {
    const url = `${gateway.origin.replace('http', 'ws')}/v1/ws${path}`
    const socket = new WebSocket(url, ['sluice.v1'], { headers: { 'x-api-key': KEY } })
    t.teardown(() => socket.terminate())
    const opened = once(socket, 'open').then(() => 101)
    return { socket, status: await Promise.race([opened, statusOf(socket)]) }
  }
  const [large, second, third, fourth] = [
    await open('/large'),
    await open('/large'),
    await open('/large'),
    await open('/large'),
  ]
  t.same([large.status, second.status, third.status, fourth.status], [101, 101, 101, 429])
  const request = { ...CHAT, messages: [{ role: 'user', content: 'x'.repeat(5 * MIB) }] }
  const done = new Promise((resolve) => {
    large.socket.on('message', (bytes: Buffer) => {
      const frame = JSON.parse(bytes.toString()) as { type: string }
      if (frame.type !== 'event') resolve(frame)
    })
  })
  large.socket.send(JSON.stringify({ type: 'chat', id: 'a', request }))
  const asked = await upstream.next()
  asked.say('done')
  t.match(await done, { type: 'done', outcome: 'complete' })
  for (const { socket } of [large, second, third]) socket.terminate()
  await untilHeld((bytes) => bytes === 0)
})

function statusOf(socket: WebSocket): Promise<number> {
  return new Promise((resolve) => {
    socket.on('error', () => undefined)
    socket.once('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0))
  })
}

test('a gateway without keys counts in all alone', async (t) => {
  const open = await startGateway(t, { config: { providers, server: { maxReceivingBytes: 64 * MIB } } })
  const uploads = await Promise.all(Array.from({ length: 4 }, () => beginUpload('', LENGTH, FIRST, open)))
  const refused = () => uploads.flatMap((upload) => upload.answer() ?? [])
  await untilHeld(() => refused().length >= 1, open)
  t.match(refused(), [{ status: 503, body: /67108864 bytes of server\.maxReceivingBytes/ }])
  t.equal(await heldBytes(open), 3 * BODY_BYTES)
  for (const { socket } of uploads) socket.destroy()
  await untilHeld((bytes) => bytes === 0, open)
})
