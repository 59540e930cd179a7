// What does a pool cost a request while N of its connections are busy with held streams? undici's walks them from the first,
// ours has the free ones on a stack.
// Measured from `dispatch` to the bytes on their way, with a Client alone beside it; the upstream is in this process.
import { createServer, type Socket } from 'node:net'
import { cpus } from 'node:os'
import { Client, Pool } from 'undici'
import { ClientPool } from '../../src/upstream/pool/client-pool.js'
import { type PooledHandler } from '../../src/upstream/pool/upstream-pool.js'
import { spread } from '../stats.js'

/** A connection has both of its ends in this process: two descriptors. */
const COUNTS = [0, 1000, 2500, 4500]
const CALLS = 300
const OPENING_AT_ONCE = 200
const ANSWER = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'
const HELD = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n.\r\n'

/** Answers `/` at once, and holds what is asked of `/held`. */
function serve(socket: Socket): void {
  socket.setNoDelay(true)
  socket.on('error', () => undefined)
  socket.on('data', (chunk: Buffer) => void socket.write(chunk.includes('GET /held') ? HELD : ANSWER))
}

type Sender = { dispatch(options: { path: string; method: 'GET' }, handler: PooledHandler): unknown }

/** Resolves with the first byte of the body, or its end. */
function ask(dispatcher: Sender, path: string): { readonly calledUs: number; readonly answered: Promise<void> } {
  let calledUs = 0
  const answered = new Promise<void>((resolve, reject) => {
    const handler: PooledHandler = {
      isOver: false,
      owner: null,
      onRequestStart: () => undefined,
      onResponseStart: () => undefined,
      onResponseData: () => resolve(),
      onResponseEnd: () => resolve(),
      onResponseError: (_controller, error) => reject(error),
    }
    const startedAt = process.hrtime.bigint()
    dispatcher.dispatch({ path, method: 'GET' }, handler)
    calledUs = Number(process.hrtime.bigint() - startedAt) / 1000
  })
  return { calledUs, answered }
}

async function hold(pool: Sender, count: number): Promise<void> {
  for (let opened = 0; opened < count; opened += OPENING_AT_ONCE) {
    const batch = Array.from({ length: Math.min(OPENING_AT_ONCE, count - opened) }, () => ask(pool, '/held').answered)
    await Promise.all(batch)
  }
}

/** One after the other, so that each finds its connection again behind all that are held. */
async function timeCalls(dispatcher: Sender): Promise<string> {
  const calledUs: number[] = []
  for (let i = 0; i < CALLS * 2; i++) {
    const call = ask(dispatcher, '/')
    await call.answered
    // The first half is a warm-up.
    if (i >= CALLS) calledUs.push(call.calledUs)
    // The end of the answer is behind its only byte: a connection is free a moment later.
    await new Promise((resolve) => setImmediate(resolve))
  }
  const { median, min, max } = spread(calledUs)
  return `${median.toFixed(1).padStart(8)} us   (${min.toFixed(1)} .. ${max.toFixed(1)})`
}

const server = createServer(serve)
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', 4096, () => resolve()))
const address = server.address()
const origin = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
const options = { pipelining: 1, headersTimeout: 0, bodyTimeout: 0 }

const lines = [`one dispatch, ${cpus()[0]?.model ?? 'unknown CPU'}, ${cpus().length} cores, Node ${process.version}`]
lines.push(`${'a Client alone'.padEnd(32)} ${await timeCalls(new Client(origin, options))}`)
const ours = new ClientPool(origin, {
  maxConnections: null,
  reusesConnections: true,
  client: options,
  onConnect: () => undefined,
  onUnsolicited: () => undefined,
})
const theirs = new Pool(origin, { ...options, connections: null })
let held = 0
for (const count of COUNTS) {
  for (const [name, pool] of [['undici', theirs] as const, ['ours', ours] as const]) {
    await hold(pool, count - held)
    lines.push(`${`${name}, ${count} busy`.padEnd(32)} ${await timeCalls(pool)}`)
  }
  held = count
}
process.stdout.write(`${lines.join('\n')}\n`)
process.exit(0)
