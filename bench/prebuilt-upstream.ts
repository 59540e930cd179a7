// An upstream that costs next to nothing, so that what is in front of it is what runs out: every request gets the same bytes of
// one OpenAI chat answer, whole or as a stream of EVENTS chunks, in one write; on a path with `silent` none. Run: node dist/bench/prebuilt-upstream.js [EVENTS]
import { type AddressInfo, createServer, type Socket } from 'node:net'

const EVENTS = Number(process.argv[2] ?? 100)
const USAGE = { prompt_tokens: 5, completion_tokens: EVENTS, total_tokens: EVENTS + 5 }
const END_OF_HEAD = '\r\n\r\n'
const STREAM = buildStream()
const WHOLE = buildWhole()

function chunk(text: string): string {
  return `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`
}

function event(choice: object, rest: object = {}): string {
  const choices = [{ index: 0, finish_reason: null, ...choice }]
  const body = { id: 'c1', object: 'chat.completion.chunk', created: 1, model: 'm', choices, ...rest }
  return chunk(`data: ${JSON.stringify(body)}\n\n`)
}

function buildStream(): Buffer {
  const head = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n'
  const deltas = Array.from({ length: EVENTS }, (_, i) => event({ delta: { content: `word ${i} ` } }))
  const first = event({ delta: { role: 'assistant', content: '' } })
  const last = event({ delta: {}, finish_reason: 'stop' }, { usage: USAGE })
  return Buffer.from([head, first, ...deltas, last, chunk('data: [DONE]\n\n'), chunk('')].join(''))
}

function buildWhole(): Buffer {
  const message = { role: 'assistant', content: 'hello there '.repeat(20) }
  const choices = [{ index: 0, message, finish_reason: 'stop' }]
  const body = JSON.stringify({ id: 'c1', object: 'chat.completion', created: 1, model: 'm', choices, usage: USAGE })
  const head = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}`
  return Buffer.from(head + END_OF_HEAD + body)
}

function serve(socket: Socket): void {
  let pending = ''
  socket.setNoDelay(true)
  socket.on('error', () => {})
  socket.on('data', (bytes) => {
    pending += bytes.toString('latin1')
    for (;;) {
      const headEnd = pending.indexOf(END_OF_HEAD)
      if (headEnd < 0) return
      const length = Number(/content-length: (\d+)/i.exec(pending)?.[1] ?? 0)
      const end = headEnd + END_OF_HEAD.length + length
      if (pending.length < end) return
      if (pending.lastIndexOf('/silent', headEnd) < 0) {
        socket.write(pending.slice(headEnd, end).includes('"stream":true') ? STREAM : WHOLE)
      }
      pending = pending.slice(end)
    }
  })
}

const server = createServer(serve)
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}\n`)
})
