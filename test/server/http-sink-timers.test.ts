// The engine's own timers of 10 s, waited out side by side: one that must not strike and one that must be told as what it is.
import { once } from 'node:events'
import { t as tap, test } from 'tap'
import { CHAT_PATH } from '../helpers/fake-pipeline.js'
import { startFront } from '../helpers/front.js'
import { openRaw, parseAnswers, post } from '../helpers/raw-http.js'

const BODY = '{"model":"fast","stream":true}'

tap.jobs = 2

test('neither loses the tail nor cuts after 10 s when a client stops reading and then drains', {
  timeout: 40_000,
}, async (t) => {
  const size = 6_000_000
  const { port, pipeline } = await startFront(t, {
    script: (exchange) => {
      exchange.begin().follow()
      for (let left = size; left > 0; left -= 100_000) exchange.log.append(Buffer.alloc(100_000, 'q'))
    },
  })
  const socket = await openRaw(port)
  socket.write(post(CHAT_PATH, BODY))
  const received: Buffer[] = []
  socket.pause()
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  socket.on('data', (chunk) => received.push(chunk))
  socket.resume()
  // All of it comes though nothing further is written: what the engine held was drained.
  while (received.reduce((sum, chunk) => sum + chunk.length, 0) < size) await once(socket, 'data')
  // Then silence for longer than the engine's idle timer; the stream is still open and goes on.
  await new Promise((resolve) => setTimeout(resolve, 13_000))
  const [exchange] = pipeline.exchanges
  exchange?.frame('last')
  exchange?.end()
  await once(socket, 'data')
  await exchange?.delivered
  await new Promise((resolve) => setTimeout(resolve, 50))
  const [answer] = parseAnswers(Buffer.concat(received))
  t.equal(answer?.isWhole, true)
  t.equal(answer?.body.length, size + 'data: last\n\n'.length)
  socket.destroy()
})

test('calls slow, not gone, a reader that the engine itself gives up on', {
  buffered: true,
  timeout: 40_000,
}, async (t) => {
  const { port, pipeline } = await startFront(t, {
    config: { readerStallMs: 120_000 },
    script: (exchange) => {
      exchange.begin().follow()
      for (let i = 0; i < 300; i++) exchange.frame('w'.repeat(50_000))
    },
  })
  const socket = await openRaw(port)
  socket.on('error', () => {})
  socket.write(post(CHAT_PATH, BODY))
  socket.pause()
  while (pipeline.exchanges.length === 0) await new Promise(setImmediate)
  t.equal((await pipeline.exchanges[0]?.delivered)?.result, 'slow_reader')
  socket.destroy()
})
