// A socket's rules against a stub of the engine's: turns, a full socket, and never a hole.
import { setImmediate as turn } from 'node:timers/promises'
import { test } from 'tap'
import { type WebSocket } from '../../../src/server/engine/engine.js'
import { createJsonCodec } from '../../../src/server/websocket/codec.js'
import { WsSink } from '../../../src/server/websocket/sink.js'
import { WsSocket } from '../../../src/server/websocket/socket.js'
import { StreamLog } from '../../../src/streams/log.js'
import { COMPLETE, fakeSurface } from '../../helpers/fake-pipeline.js'

/** As much of the engine's WebSocket as ours uses. */
class StubWebSocket {
  readonly sent: { id: string; type: string; seq?: number }[] = []
  status = 1
  buffered = 0
  closed: number | null = null
  #isCorked = false

  send(message: Uint8Array): number {
    if (this.closed !== null) throw new Error('used after its end')
    if (this.status !== 2) this.sent.push(JSON.parse(Buffer.from(message).toString()))
    return this.status
  }

  cork(write: () => void): void {
    this.#isCorked = true
    write()
    this.#isCorked = false
  }

  getBufferedAmount(): number {
    return this.buffered
  }

  end(code: number): void {
    if (this.#isCorked) throw new Error('ended within a cork')
    this.closed = code
  }
}

function create(readerStallMs = 60_000) {
  const stub = new StubWebSocket()
  const socket = new WsSocket({ ws: stub as unknown as WebSocket<unknown>, codec: createJsonCodec(), readerStallMs })
  const open = (id: string) => {
    const sink = new WsSink({ socket, id, surface: fakeSurface, requestId: id })
    const log = new StreamLog({ capBytes: 1e6, retainBytes: 0 }, () => {})
    const results: string[] = []
    socket.open(sink)
    sink.begin()
    sink.follow(
      (onReadable) => log.attach(onReadable),
      ({ result }) => results.push(result),
    )
    return { sink, log, results }
  }
  return { stub, socket, open }
}

const frame = (n: number, pad = 0) => Buffer.from(`data: {"n":${n},"pad":"${'p'.repeat(pad)}"}\n\n`)

test('lets chats take turns, one entry each', async (t) => {
  const { stub, socket, open } = create()
  const [a, b] = [open('a'), open('b')]
  stub.buffered = 1e6
  a.log.append(frame(0))
  await turn()
  // The socket is full: both gather a backlog.
  for (let i = 1; i < 4; i++) for (const chat of [a, b]) chat.log.append(frame(i, 100))
  await turn()
  t.equal(stub.sent.length, 1)
  stub.buffered = 0
  socket.drained()
  t.same(
    stub.sent.map(({ id }) => id),
    ['a', 'a', 'b', 'a', 'b', 'a', 'b'],
  )
})

test('sends nothing after a dropped message, and cuts all chats as slow', async (t) => {
  const { stub, open } = create()
  const [a, b] = [open('a'), open('b')]
  a.log.append(frame(0))
  await turn()
  stub.status = 2
  a.log.append(Buffer.concat([frame(1), frame(2)]))
  b.log.append(frame(0))
  await turn()
  t.equal(stub.closed, 1013)
  t.equal(stub.sent.length, 1)
  t.same([...a.results, ...b.results], ['slow_reader', 'slow_reader'])
  t.equal(a.log.readerCount, 0)
})

test('waits for the drain when a send says so, and cuts when none comes', async (t) => {
  const { stub, socket, open } = create(200)
  const { log, results } = open('a')
  stub.status = 0
  stub.buffered = 10
  log.append(frame(0))
  await turn()
  log.append(frame(1))
  await turn()
  t.equal(stub.sent.length, 1)
  stub.buffered = 0
  socket.drained()
  t.equal(stub.sent.length, 2)
  while (stub.closed === null) await turn()
  t.equal(stub.closed, 1013)
  t.same(results, ['slow_reader'])
})

test('a socket that closes ends its chats once', async (t) => {
  const { socket, open } = create()
  const { log, results, sink } = open('a')
  socket.closed()
  socket.closed()
  sink.cancel()
  sink.leave('client_gone')
  log.append(frame(0))
  log.close(COMPLETE)
  await turn()
  t.same(results, ['client_gone'])
  t.equal(socket.chatCount, 0)
})
