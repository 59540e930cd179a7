// Clients that hold connections open without a request: each costs little, and is served when it asks.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { test } from 'tap'
import { rssBytes } from '../../bench/stats.js'
import { startGateway } from '../helpers/gateway.js'

const CONNECTIONS = 2000
/** At a time while they are opened: fewer than any listen queue. */
const BATCH = 100
/** Half a KiB was seen; what else the process takes or gives back in between is part of the figure. */
const MOST_BYTES_EACH = 10 * 1024
const REQUEST = 'GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n'

/** The status line; empty if the connection is closed, as the engine does after 10 s without a request. */
function ask(socket: Socket): Promise<string> {
  if (socket.destroyed) return Promise.resolve('')
  return new Promise((resolve) => {
    socket.once('data', (bytes) => resolve(bytes.toString().split('\r\n', 1)[0] ?? ''))
    socket.once('close', () => resolve(''))
    socket.write(REQUEST)
  })
}

function isServed(status: string): boolean {
  return status === 'HTTP/1.1 200 OK'
}

test(`${CONNECTIONS} idle connections cost less than 10 KiB each, and all are served`, async (t) => {
  const gateway = await startGateway(t)
  const port = Number(new URL(gateway.origin).port)
  const sockets: Socket[] = []
  t.teardown(() => sockets.forEach((socket) => void socket.destroy()))
  const openBatch = async (): Promise<void> => {
    const batch = Array.from({ length: BATCH }, () => connect(port, '127.0.0.1').on('error', () => {}))
    sockets.push(...batch)
    await Promise.all(batch.map((socket) => once(socket, 'connect')))
    const answers = await Promise.all(batch.map(ask))
    t.ok(answers.every(isServed))
  }
  // What the first of everything costs is not theirs.
  await openBatch()
  const beforeBytes = rssBytes(gateway.pid)
  while (sockets.length < CONNECTIONS + BATCH) await openBatch()
  const bytesEach = (rssBytes(gateway.pid) - beforeBytes) / CONNECTIONS
  t.comment(`${(bytesEach / 1024).toFixed(1)} KiB each`)
  t.ok(bytesEach < MOST_BYTES_EACH, `${bytesEach.toFixed(0)} bytes each`)
  // On a slow machine the first of them may have been idle for too long by now.
  const answers = (await Promise.all(sockets.map(ask))).filter((status) => status !== '')
  t.ok(answers.length > CONNECTIONS / 2, `${answers.length} open`)
  t.ok(answers.every(isServed))
})
