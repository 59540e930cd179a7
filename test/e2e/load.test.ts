// Many at once on two cores: 1,000 SSE streams and 500 WebSocket chats without an error, and nothing left behind.

import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'tap'
import { request } from 'undici'
import WebSocket from 'ws'
import { simulatedProviders, startGateway, startSimulator } from '../helpers/gateway.js'

const STREAMS = 1000
const CHATS = 500
const CHATS_PER_SOCKET = 25

test('1,000 SSE streams and 500 WebSocket chats run side by side without an error', async (t) => {
  const simulator = await startSimulator(t, ['--tokens-per-second', '20'])
  const gateway = await startGateway(t, {
    // What is shed on a machine that others keep busy is another test's.
    config: { limits: { concurrency: 5000, shed: { lagMs: null } }, providers: simulatedProviders(simulator.origin) },
  })
  const port = Number(new URL(gateway.origin).port)
  const streams = Array.from({ length: STREAMS }, (_, i) => runStream(port, `openai/echo`, i))
  const sockets = Array.from({ length: CHATS / CHATS_PER_SOCKET }, (_, i) =>
    runChats(gateway.origin, i * CHATS_PER_SOCKET),
  )
  const results = await Promise.all(streams)
  t.equal(results.filter((isWhole) => isWhole).length, STREAMS)
  const outcomes = (await Promise.all(sockets)).flat()
  t.equal(outcomes.filter((outcome) => outcome === 'complete').length, CHATS)

  const page = await (await request(`${gateway.origin}/metrics`)).body.text()
  t.match(page, /^sluice_active_requests 0$/m, 'nothing is left open')
  t.match(page, new RegExp(`sluice_requests_total\\{[^}]*outcome="complete"[^}]*\\} ${STREAMS + CHATS}$`, 'm'))
})

/** True when the stream brings its own canary, nobody else's, and the end marker. */
async function runStream(port: number, model: string, index: number): Promise<boolean> {
  const canary = `canary-${index}-${'x '.repeat(20)}`.trim()
  const body = JSON.stringify({ model, stream: true, messages: [{ role: 'user', content: canary }] })
  const socket = connect(port, '127.0.0.1')
  socket.write(
    `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
  let text = ''
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString()
    if (text.endsWith('0\r\n\r\n')) socket.end()
  })
  await once(socket, 'close')
  const content = [...text.matchAll(/"content":"([^"]*)"/g)].map((match) => match[1]).join('')
  return text.startsWith('HTTP/1.1 200') && text.includes('data: [DONE]') && content === canary
}

async function runChats(origin: string, first: number): Promise<(string | undefined)[]> {
  const socket = new WebSocket(`${origin.replace('http', 'ws')}/v1/ws`, ['sluice.v1'])
  await once(socket, 'open')
  const outcomes: (string | undefined)[] = []
  const done = new Promise<void>((resolve) => {
    socket.on('message', (bytes: Buffer) => {
      const frame = JSON.parse(bytes.toString()) as { type: string; outcome?: string }
      if (frame.type !== 'done' && frame.type !== 'error') return
      outcomes.push(frame.outcome)
      if (outcomes.length === CHATS_PER_SOCKET) resolve()
    })
  })
  for (let i = 0; i < CHATS_PER_SOCKET; i++) {
    const content = `chat ${first + i} ${'y '.repeat(20)}`.trim()
    socket.send(
      JSON.stringify({
        type: 'chat',
        id: `c${i}`,
        request: { model: 'openai/echo', messages: [{ role: 'user', content }] },
      }),
    )
  }
  await done
  socket.close()
  return outcomes
}
