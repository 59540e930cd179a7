// F10: a thousand answers that end with their connection, for clients that read late. undici up to 7.30 takes the process
// down when such an answer ends while its parser is paused (undici#5360); ours is never paused, and this is what shows it.
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'tap'
import { startGateway } from '../helpers/gateway.js'
import { ScriptedUpstream } from '../helpers/scripted-upstream.js'

const STREAMS = 1000
const AT_ONCE = 40
/** Many of the socket's reads long. */
const PIECES = 300
const LATE_MS = 20
const PIECE_LETTERS = 200
const PIECE = `data: {"choices":[{"index":0,"delta":{"content":"${'z'.repeat(PIECE_LETTERS)}"}}]}\n\n`
const END = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
const HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n'

/** The text of one stream, of which nothing is read before `LATE_MS` have gone. */
async function readLate(origin: string): Promise<string> {
  const { hostname, port } = new URL(origin)
  const body = JSON.stringify({ model: 'up/m', stream: true, messages: [{ role: 'user', content: 'Hi' }] })
  const socket = connect(Number(port), hostname).pause()
  const head = ['POST /v1/chat/completions HTTP/1.1', 'host: x', 'content-type: application/json', 'connection: close']
  socket.write(`${head.join('\r\n')}\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
  await sleep(LATE_MS)
  let text = ''
  socket.setEncoding('latin1').on('data', (piece: string) => {
    text += piece
    if (text.endsWith('\r\n0\r\n\r\n')) socket.destroy()
  })
  socket.resume()
  await once(socket, 'close')
  return text
}

test('a thousand answers that end with their connection reach clients that read late, whole', async (t) => {
  const upstream = await ScriptedUpstream.listen([
    { wait: 'request' },
    { send: HEAD + PIECE.repeat(PIECES) + END },
    { end: 'fin' },
  ])
  const gateway = await startGateway(t, {
    config: { providers: { up: { protocol: 'openai-chat', baseUrl: `${upstream.origin}/v1`, apiKey: 'sk-x' } } },
  })
  t.teardown(() => upstream.close())
  let left = STREAMS
  const ill: string[] = []
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1
      const text = await readLate(gateway.origin)
      const body = text.slice(text.indexOf('\r\n\r\n'))
      // Chunks end anywhere, so the letters of the content are counted, not its pieces.
      const isWhole = body.split('z').length === PIECES * PIECE_LETTERS + 1 && body.includes('data: [DONE]')
      if (!isWhole) ill.push(text.slice(-200))
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  t.same(ill, [])
  t.equal(await gateway.stop(), 0, 'the same process all the time')
})
