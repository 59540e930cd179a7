// The rest of a body that nobody wants: when reading it ends, and that a client which writes first still gets its answer.
import { test } from 'tap'
import { DroppedRest } from '../../../src/server/engine/dropped-rest.js'
import { TurnGuard } from '../../../src/server/engine/turn-guard.js'
import { CHAT_PATH } from '../../helpers/fake-pipeline.js'
import { startFront } from '../../helpers/front.js'
import { exchangeRaw, openRaw, parseAnswers } from '../../helpers/raw-http.js'

const MEBIBYTE = 1024 * 1024

function create() {
  const ends: (() => void)[] = []
  const seen: string[] = []
  const guard = new TurnGuard(
    (callback) => void ends.push(callback),
    () => {},
  )
  const rest = new DroppedRest({ guard, close: () => seen.push('close'), breakOff: () => seen.push('break off') })
  const endTurn = () => ends.shift()?.()
  return { rest, seen, endTurn }
}

/** Starts what sets an interval of 250 ms; the result is its call. */
function holdInterval(t: { equal(found: unknown, wanted: unknown): void }, start: () => void): () => void {
  const { setInterval } = globalThis
  let tick = () => {}
  globalThis.setInterval = ((call: () => void, delayMs: number) => {
    t.equal(delayMs, 250)
    tick = call
    return { unref: () => {} }
  }) as unknown as typeof setInterval
  start()
  globalThis.setInterval = setInterval
  return () => tick()
}

test('closes after the last piece, when the turn that brought it is over', async (t) => {
  const { rest, seen, endTurn } = create()
  rest.start()
  rest.drop(10, false)
  endTurn()
  t.same(seen, [])
  rest.drop(10, true)
  t.same(seen, [])
  endTurn()
  t.same(seen, ['close'])
})

test('closes after 64 MiB, and within a turn that brings too much', async (t) => {
  const slow = create()
  for (let i = 0; i <= 64; i++) {
    t.same(slow.seen, [])
    slow.rest.drop(MEBIBYTE, false)
    slow.endTurn()
  }
  t.same(slow.seen, ['close'])
  for (const [bytes, pieces] of [
    [1, 4097],
    [MEBIBYTE, 17],
  ] as const) {
    const { rest, seen, endTurn } = create()
    for (let i = 0; i < pieces; i++) {
      t.same(seen, [])
      rest.drop(bytes, false)
    }
    t.same(seen, ['break off'])
    rest.drop(bytes, true)
    endTurn()
    t.same(seen, ['break off'])
  }
})

test('closes when nothing has come between two looks, and at the eighth look in any case', async (t) => {
  for (const [piecesOf, looks] of [
    [() => 0, 1],
    [(look: number) => (look < 3 ? 1 : 0), 3],
    [() => 1, 8],
  ] as const) {
    const { rest, seen } = create()
    const look = holdInterval(t, () => rest.start())
    for (let i = 1; i <= looks; i++) {
      t.same(seen, [])
      if (piecesOf(i) > 0) rest.drop(1, false)
      look()
    }
    t.same(seen, ['close'])
  }
})

test('does nothing more once the connection is gone', async (t) => {
  const { rest, seen, endTurn } = create()
  rest.drop(1, true)
  rest.stop()
  endTurn()
  rest.start()
  rest.drop(1, true)
  endTurn()
  t.same(seen, [])
})

test('a client that writes all of a body that is too large, and reads afterwards, gets its 413', async (t) => {
  const { port } = await startFront(t, { config: { maxBodyBytes: 1000 } })
  const head = `POST ${CHAT_PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n`
  const body = Buffer.alloc(8 * MEBIBYTE, 'x')
  const bodies = {
    'a declared length': [`${head}Content-Length: ${body.length}\r\n\r\n`, body, ''],
    'one chunk': [`${head}Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n`, body, '\r\n0\r\n\r\n'],
  } as const
  for (const [name, parts] of Object.entries(bodies)) {
    for (let round = 0; round < 5; round++) {
      const socket = await openRaw(port)
      let failure: string | null = null
      socket.on('error', (error) => {
        failure = error.message
      })
      socket.pause()
      for (const part of parts) {
        if (!socket.write(part)) await new Promise<void>((resolve) => void socket.once('drain', () => resolve()))
      }
      const received: Buffer[] = []
      await new Promise<void>((resolve) => {
        socket.on('data', (chunk) => received.push(chunk))
        socket.once('close', () => resolve())
        socket.resume()
      })
      const [answer] = parseAnswers(Buffer.concat(received))
      t.equal(failure, null, name)
      t.equal(answer?.status, 413, name)
      t.equal(answer?.headers.get('connection'), 'close')
      t.ok(answer?.isWhole)
      t.match(JSON.parse(answer?.body.toString() ?? ''), { error: { code: 'payload_too_large' } })
    }
  }
})

test('a body of tiny chunks is aborted, with and without a key, read or rejected', async (t) => {
  const floods: string[] = []
  const { port, pipeline } = await startFront(t, { options: { onFlood: (kind) => floods.push(kind) } })
  pipeline.keys = ['good']
  const chunks = '1\r\na\r\n'.repeat(100_000)
  const coding = 'Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n'
  const requests = {
    read: `POST ${CHAT_PATH} HTTP/1.1\r\nHost: x\r\nX-API-Key: good\r\n${coding}\r\n`,
    'not JSON': `POST ${CHAT_PATH} HTTP/1.1\r\nHost: x\r\nX-API-Key: good\r\nTransfer-Encoding: chunked\r\n\r\n`,
    'by GET': `GET /livez HTTP/1.1\r\nHost: x\r\n${coding}\r\n`,
  }
  for (const [name, head] of Object.entries(requests)) {
    const { answers, isClosed } = await exchangeRaw(port, head + chunks, 9)
    t.ok(isClosed, name)
    t.ok(
      answers.every(({ status }) => status === 400 || status === 415),
      name,
    )
  }
  t.same(floods, ['chunks', 'chunks', 'chunks'])
  // Without a key nothing is called for a chunk: the connection is closed with the answer.
  const refused = await exchangeRaw(port, requests.read.replace('good', 'bad') + chunks, 9)
  t.ok(refused.isClosed)
  t.equal(floods.length, 3)
})
