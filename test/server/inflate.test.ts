// Compressed request bodies: what is unpacked, what is refused, and what a bomb may cost.
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import { test } from 'tap'
import { GatewayError } from '../../src/errors.js'
import { type Coding, codingOf, Inflater } from '../../src/server/inflate.js'
import { CHAT_PATH } from '../helpers/fake-pipeline.js'
import { startFront } from '../helpers/front.js'
import { openRaw } from '../helpers/raw-http.js'

const BODY = JSON.stringify({ model: 'fast', text: 'Zażółć gęślą jaźń '.repeat(500) })
const PACKED: readonly (readonly [string, Buffer])[] = [
  ['gzip', gzipSync(BODY)],
  ['x-gzip', gzipSync(BODY)],
  ['GZIP', gzipSync(BODY)],
  ['deflate', deflateSync(BODY)],
  ['deflate', deflateRawSync(BODY)],
  ['br', brotliCompressSync(BODY)],
]

function exact(bytes: Buffer): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes)
}

async function send(url: string, coding: string, body: Buffer | string) {
  const headers = { 'content-type': 'application/json', 'content-encoding': coding }
  const answer = await fetch(url + CHAT_PATH, {
    method: 'POST',
    headers,
    body: typeof body === 'string' ? body : exact(body),
  })
  return { status: answer.status, headers: answer.headers, text: await answer.text() }
}

test('a compressed body reaches the pipeline unpacked, in an exact buffer of its own', async (t) => {
  const { url, pipeline } = await startFront(t)
  for (const [coding, packed] of PACKED) {
    t.equal((await send(url, coding, packed)).status, 200, coding)
    const exchange = pipeline.exchanges.at(-1)
    t.equal(exchange?.text, BODY)
    t.equal(exchange?.request.body.buffer.byteLength, Buffer.byteLength(BODY))
  }
  t.equal((await send(url, 'identity', BODY)).status, 200)
  t.equal(pipeline.exchanges.at(-1)?.text, BODY)
})

test('a coding that is not known is 415 before the body, and says which are', async (t) => {
  const { url, pipeline } = await startFront(t)
  for (const coding of ['zstd', 'gzip, br', 'compress']) {
    const answer = await send(url, coding, gzipSync(BODY))
    t.equal(answer.status, 415, coding)
    t.equal(answer.headers.get('accept-encoding'), 'gzip, deflate, br')
  }
  t.equal(pipeline.exchanges.length, 0)
})

test('what is not what it says is 400, and an empty body is an empty body', async (t) => {
  const { url, pipeline } = await startFront(t)
  const whole = gzipSync(BODY)
  for (const body of [Buffer.from(BODY), whole.subarray(0, whole.length - 9), Buffer.alloc(100)]) {
    const answer = await send(url, 'gzip', body)
    t.equal(answer.status, 400)
    t.match(answer.text, 'The body is not valid gzip.')
  }
  t.match((await send(url, 'gzip', '')).text, 'The body is empty.')
  t.equal(pipeline.exchanges.length, 0)
})

test('a bomb is refused at the limit for unpacked bodies, one byte below it is not', async (t) => {
  const { url, pipeline } = await startFront(t, { config: { maxBodyBytes: 100_000 } })
  t.equal((await send(url, 'gzip', gzipSync(Buffer.alloc(100_000, ' ')))).status, 200)
  for (const size of [100_001, 50_000_000]) {
    const refused = await send(url, 'gzip', gzipSync(Buffer.alloc(size, ' ')))
    t.equal(refused.status, 413, String(size))
    t.match(refused.text, 'The body exceeds 100000 bytes (server.maxBodyBytes).')
  }
  t.equal((await send(url, 'br', brotliCompressSync(Buffer.alloc(50_000_000)))).status, 413)
  t.equal(pipeline.exchanges.length, 1)
})

test('a few are unpacked at a time, in their order, and what is not wanted any more is passed over', async (t) => {
  const inflater = new Inflater(1_000_000)
  const asked: number[] = []
  const done: number[] = []
  let finish = (): void => {}
  const whole = new Promise<void>((resolve) => {
    finish = resolve
  })
  for (let i = 0; i < 6; i++) {
    inflater.inflate({
      coding: 'gzip',
      keyIndex: 0,
      body: exact(gzipSync(`${i}`.repeat(200_000))),
      isWanted: () => {
        if (!asked.includes(i)) asked.push(i)
        // The first is not wanted any more when it is unpacked.
        return i !== 3 && (i > 0 || asked.length === 1)
      },
      onDone: (result) => {
        t.notOk(result instanceof GatewayError)
        done.push(i)
        if (done.length === 4) finish()
      },
    })
  }
  t.same(asked, [0, 1], 'the others wait')
  await whole
  t.same(asked, [0, 1, 2, 3, 4, 5])
  t.same(done.toSorted(), [1, 2, 4, 5])
})

test('keys take turns: one with many bodies does not hold up another one’s first', async (t) => {
  const inflater = new Inflater(1_000_000)
  const begun: string[] = []
  const bodies = [...Array.from({ length: 40 }, () => 1), 2, 1, 3, 2]
  await Promise.all(
    bodies.map(
      (keyIndex, i) =>
        new Promise<void>((resolve) => {
          inflater.inflate({
            ...{ coding: 'gzip', keyIndex, body: exact(gzipSync(`${i}`.repeat(1000))) },
            isWanted: () => {
              if (!begun.includes(`${keyIndex}:${i}`)) begun.push(`${keyIndex}:${i}`)
              return true
            },
            onDone: () => resolve(),
          })
        }),
    ),
  )
  t.same(begun.slice(0, 8), ['1:0', '1:1', '1:2', '2:40', '3:42', '1:3', '2:43', '1:4'])
  t.equal(begun.length, bodies.length)
})

test('a client that leaves while its body is unpacked is a request that was never an exchange', async (t) => {
  const held: number[] = []
  const reserve = () => ({
    grow(bytes: number) {
      held.push(bytes)
      return null
    },
    release: () => void held.push(0),
  })
  const { port, pipeline, server } = await startFront(t, {
    config: { maxBodyBytes: 64 * 1024 * 1024 },
    options: { reserve },
  })
  const packed = gzipSync(Buffer.alloc(60 * 1024 * 1024, ' '))
  const socket = await openRaw(port)
  socket.on('error', () => {})
  const head = `POST ${CHAT_PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: ${packed.length}\r\n\r\n`
  socket.write(Buffer.concat([Buffer.from(head), packed]))
  while (server.open.requests === 0) await new Promise(setImmediate)
  socket.destroy()
  while (pipeline.rejections.length === 0 && pipeline.exchanges.length === 0) await new Promise(setImmediate)
  t.equal(pipeline.rejections[0]?.error.data.code, 'client_gone')
  t.equal(pipeline.exchanges.length, 0)
  t.equal(held.at(-1), 0, 'what was reserved for it is free at once')
})

test('the coding of a body is read whatever its case', (t) => {
  const known: readonly (readonly [string, Coding | null | undefined])[] = [
    ['', null],
    ['identity', null],
    [' Gzip ', 'gzip'],
    ['BR', 'br'],
    ['gzip, gzip', undefined],
    ['zstd', undefined],
  ]
  for (const [header, coding] of known) t.equal(codingOf(header), coding, header)
  t.end()
})

test('a body that waits to be unpacked stays reserved, and without room it is refused', async (t) => {
  const held: number[] = []
  let roomBytes = 1000
  const reserve = () => ({
    grow(bytes: number) {
      if (bytes > roomBytes) return new GatewayError('rate_limited')
      held.push(bytes)
      return null
    },
    release: () => held.push(0),
  })
  const { url, pipeline } = await startFront(t, { options: { reserve } })
  const packed = gzipSync(BODY)
  t.equal((await send(url, 'gzip', packed)).status, 200)
  t.same(held, [packed.length, 0])
  roomBytes = 10
  t.equal((await send(url, 'gzip', packed)).status, 429)
  t.equal(pipeline.exchanges.length, 1)
})
