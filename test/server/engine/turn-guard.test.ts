// What one connection may ask of one turn: the guard by itself, then real floods against a real front end, judged by counts.
import { once } from 'node:events'
import { type Socket } from 'node:net'
import { test } from 'tap'
import { MessageAllowance, TurnGuard } from '../../../src/server/engine/turn-guard.js'
import { type FloodKind } from '../../../src/telemetry/records.js'
import { CHAT_PATH } from '../../helpers/fake-pipeline.js'
import { type RunningFront, SERVER_CONFIG, startFront } from '../../helpers/front.js'
import { exchangeRaw, openRaw, parseAnswers, post } from '../../helpers/raw-http.js'
import { BINARY, frameOf, PING, PONG, RawWebSocket, TEXT } from '../../helpers/raw-websocket.js'

const LIVEZ = 'GET /livez HTTP/1.1\r\nHost: x\r\n\r\n'
/** Some 640 KB: more than the engine reads at once. */
const FLOOD_REQUESTS = 20_000
const REQUESTS_A_TURN = 64
const MESSAGES_A_TURN = 2 * SERVER_CONFIG.maxChatsPerSocket + 64

/** A guard whose turns end by hand. */
function createGuard() {
  const ends: (() => void)[] = []
  const floods: FloodKind[] = []
  const guard = new TurnGuard(
    (callback) => void ends.push(callback),
    (kind) => floods.push(kind),
  )
  return { guard, floods, ends, endTurn: () => ends.shift()?.() }
}

/** However it comes: a reset is one. */
function closeOf(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()))
}

async function startWatched(t: Parameters<typeof startFront>[0]): Promise<RunningFront & { floods: string[] }> {
  const floods: string[] = []
  const front = await startFront(t, {
    options: { onFlood: (kind, address) => floods.push(`${kind} ${address}`) },
  })
  return { ...front, floods }
}

test('a turn is numbered once, whatever comes in it, and ends by one callback', async (t) => {
  const { guard, ends, endTurn } = createGuard()
  const first = guard.enter()
  t.equal(guard.enter(), first)
  t.equal(ends.length, 1)
  t.ok(guard.isNow(first))
  endTurn()
  t.notOk(guard.isNow(first))
  t.notOk(guard.isNow(first + 1), 'the next turn has not begun')
  t.equal(guard.enter(), first + 1)
  t.equal(ends.length, 1)
})

test('a turn is crowded by many requests, or by few that take long, and only that turn', async (t) => {
  const { guard, endTurn } = createGuard()
  guard.enter()
  for (let i = 0; i < REQUESTS_A_TURN; i++) guard.noteRequest(5)
  t.notOk(guard.isCrowded)
  guard.noteRequest(5)
  t.ok(guard.isCrowded)
  endTurn()
  t.notOk(guard.isCrowded)
  guard.enter()
  guard.noteRequest(100)
  guard.noteRequest(110)
  t.notOk(guard.isCrowded)
  guard.noteRequest(111)
  t.ok(guard.isCrowded)
})

test('deferred answers continue in order after the turn, and those deferred meanwhile in the next one', async (t) => {
  const { guard, endTurn } = createGuard()
  const seen: string[] = []
  guard.wait({ proceed: () => seen.push('a') })
  guard.wait({
    proceed: () => {
      seen.push('b')
      guard.wait({ proceed: () => seen.push('c') })
    },
  })
  t.same(seen, [])
  endTurn()
  t.same(seen, ['a', 'b'])
  endTurn()
  t.same(seen, ['a', 'b', 'c'])
})

test('a socket may open all its chats in one turn however long that takes, and twice as much and some if it is quick', async (t) => {
  const allowance = new MessageAllowance()
  for (let i = 0; i < 128; i++) t.ok(allowance.take(1, i * 5, 128))
  t.notOk(allowance.take(1, 128 * 5, 128), '128 ms are spent')
  for (let i = 0; i < 2 * 128 + 64; i++) t.ok(allowance.take(2, 1000, 128))
  t.notOk(allowance.take(2, 1000, 128))
  t.ok(allowance.take(3, 1000, 128))
})

test('a long wait for the processor within one message does not count against its socket', async (t) => {
  const allowance = new MessageAllowance()
  for (let i = 0; i < 10; i++) allowance.take(1, i, 8)
  t.ok(allowance.take(1, 3000, 8))
})

test('closes a connection that asks without a pause after some answers, and serves others meanwhile', async (t) => {
  const { port, floods, server } = await startWatched(t)
  const [flooder, other] = await Promise.all([openRaw(port), openRaw(port)])
  const received: Buffer[] = []
  flooder.on('data', (chunk) => received.push(chunk))
  flooder.on('error', () => {})
  flooder.write(LIVEZ.repeat(FLOOD_REQUESTS))
  const [[answer]] = await Promise.all([once(other, 'data'), closeOf(flooder), other.write(LIVEZ)])
  t.match(answer.toString(), /^HTTP\/1.1 200 /)
  const answers = parseAnswers(Buffer.concat(received)).length
  t.ok(answers <= REQUESTS_A_TURN, `${answers} answers`)
  t.strictSame(floods, ['requests 127.0.0.1'])
  t.equal(server.open.requests, 0)
  other.destroy()
})

test('closes it as well for requests that are refused, with a body, by HEAD, or of a route that takes long', async (t) => {
  const { port, pipeline, floods } = await startWatched(t)
  pipeline.keys = ['good']
  const kinds = {
    unauthenticated: post(CHAT_PATH, '{"model":"fast"}'),
    refused: post(CHAT_PATH, '', 'X-API-Key: good\r\n'),
    answered: post(CHAT_PATH, '{"model":"fast"}', 'X-API-Key: good\r\n'),
    head: 'HEAD /livez HTTP/1.1\r\nHost: x\r\n\r\n',
    preflight: 'OPTIONS /livez HTTP/1.1\r\nHost: x\r\n\r\n',
    unknown: 'GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n',
    metrics: 'GET /metrics HTTP/1.1\r\nHost: x\r\nX-API-Key: good\r\n\r\n',
    upgrade: 'GET /v1/ws HTTP/1.1\r\nHost: x\r\n\r\n',
  }
  for (const [name, request] of Object.entries(kinds)) {
    const socket = await openRaw(port)
    let bytes = 0
    socket.on('data', (chunk) => {
      bytes += chunk.length
    })
    socket.on('error', () => {})
    socket.write(request.repeat(FLOOD_REQUESTS / 5))
    await closeOf(socket)
    t.ok(bytes < REQUESTS_A_TURN * 1000, `${name}: ${bytes} bytes of answers`)
  }
  t.same(floods, Array(Object.keys(kinds).length).fill('requests 127.0.0.1'))
})

test('many connections with a request each in one turn are all served', async (t) => {
  const { port, floods } = await startWatched(t)
  const sockets = await Promise.all(Array.from({ length: 3 * REQUESTS_A_TURN }, () => openRaw(port)))
  const answers = Promise.all(sockets.map((socket) => once(socket, 'data')))
  for (const socket of sockets) socket.write(LIVEZ)
  for (const [chunk] of await answers) t.match(chunk.toString(), /^HTTP\/1.1 200 /)
  for (const socket of sockets) socket.destroy()
  t.same(floods, [])
})

test('a request behind an answer that closes the connection is not served', async (t) => {
  const { port, server } = await startFront(t)
  server.sendAway()
  const { answers, isClosed } = await exchangeRaw(port, LIVEZ + LIVEZ, 3)
  t.ok(isClosed)
  t.ok(answers.length <= 1)
})

test('closes a WebSocket with 1008 that sends more in one turn than its chats could need, whatever it sends', async (t) => {
  const { port, floods } = await startWatched(t)
  const frames = {
    unreadable: frameOf(TEXT, '1'),
    'of the wrong kind': frameOf(BINARY, '1'),
    'of unknown chats': frameOf(TEXT, '{"type":"cancel","id":"no"}'),
    'chats that are refused': frameOf(TEXT, '{"type":"chat","id":"a","request":[]}'),
    pings: frameOf(PING, ''),
    pongs: frameOf(PONG, ''),
  }
  for (const [name, frame] of Object.entries(frames)) {
    const client = await RawWebSocket.open(port, '')
    client.socket.write(Buffer.concat(Array(5000).fill(frame)))
    await client.until(() => client.closeCode !== null)
    t.equal(client.closeCode, 1008, name)
    t.ok(client.frames.length <= MESSAGES_A_TURN + 2, `${name}: ${client.frames.length} frames`)
    client.socket.destroy()
  }
  t.same(floods, Array(Object.keys(frames).length).fill('messages 127.0.0.1'))
})

test('a WebSocket that sends what its chats may need at once stays open, turn after turn', async (t) => {
  const { port, floods } = await startWatched(t)
  const client = await RawWebSocket.open(port, '')
  for (let round = 1; round <= 20; round++) {
    client.socket.write(Buffer.concat(Array(MESSAGES_A_TURN).fill(frameOf(TEXT, '{"type":"ping"}'))))
    await client.until(() => client.frames.length === round * MESSAGES_A_TURN)
  }
  t.equal(client.closeCode, null)
  t.same(floods, [])
  client.socket.destroy()
})
