// Uploads and answers of bytes whose other end goes away: whatever is lost is never taken for whole.
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { isDeepStrictEqual } from 'node:util'
import OpenAI from 'openai'
import { t as tap, test } from 'tap'
import { startGateway } from '../helpers/gateway.js'

const KEY = 'test-key-0123456789abcdef'
type Answer = (response: ServerResponse) => void
let answer: Answer = () => {}
let requests = 0
const closed: Promise<unknown>[] = []
const upstream = createServer((request, response) => {
  requests += 1
  closed.push(once(response, 'close'))
  request.resume().on('end', () => answer(response))
})
upstream.listen(0, '127.0.0.1')
await once(upstream, 'listening')
tap.teardown(() => upstream.closeAllConnections())
tap.teardown(() => upstream.close())
const { port } = upstream.address() as AddressInfo
const gateway = await startGateway(tap, {
  config: {
    keys: [{ name: 'test', key: KEY, limits: { requestsPerMinute: 1000 } }],
    providers: { up: { protocol: 'openai-chat', baseUrl: `http://127.0.0.1:${port}/v1` } },
    routing: { breaker: { enabled: false } },
  },
})
const HEADERS = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' }

function speak(id: string): Promise<Response> {
  const body = JSON.stringify({ model: 'up/voice', input: 'a', voice: 'x' })
  const headers = { ...HEADERS, 'x-request-id': id }
  return fetch(`${gateway.origin}/v1/audio/speech`, { method: 'POST', body, headers })
}

/** How the client's end of an answer looks: the bytes it got, and whether it looked complete. */
async function readAll(response: Response): Promise<{ bytes: number; isWhole: boolean }> {
  let bytes = 0
  try {
    for await (const chunk of response.body ?? []) bytes += chunk.length
    return { bytes, isWhole: true }
  } catch {
    return { bytes, isWhole: false }
  }
}

const AUDIO = Buffer.alloc(100_000, 1)

test('a provider that dies in the middle of audio cuts the client, however its body is framed', async (t) => {
  const heads: readonly Record<string, string>[] = [
    { 'content-length': '200000' },
    { 'transfer-encoding': 'chunked' },
    // Only the end of the connection would end it.
    { connection: 'close', 'x-no-length': '1' },
  ]
  for (const [at, head] of heads.entries()) {
    answer = (response) => {
      if ('x-no-length' in head) {
        response.socket?.end(
          Buffer.concat([
            Buffer.from('HTTP/1.1 200 OK\r\ncontent-type: audio/mpeg\r\nconnection: close\r\n\r\n'),
            AUDIO,
          ]),
        )
        return
      }
      response.writeHead(200, { 'content-type': 'audio/mpeg', ...head })
      response.write(AUDIO, () => setImmediate(() => response.destroy()))
    }
    const response = await speak(`dies-${at}`)
    t.equal(response.status, 200)
    const { isWhole } = await readAll(response)
    t.equal(isWhole, false, JSON.stringify(head))
    t.match(await gateway.exchange(`dies-${at}`), { outcome: 'upstream_cut', transport: 'bytes' })
  }
})

test('audio that ends as HTTP says is whole, to the byte', async (t) => {
  answer = (response) => response.writeHead(200, { 'content-type': 'audio/mpeg' }).end(AUDIO)
  t.same(await readAll(await speak('whole')), { bytes: AUDIO.length, isWhole: true })
  t.match(await gateway.exchange('whole'), { outcome: 'complete' })
})

test('a client that leaves while audio arrives stops its provider', async (t) => {
  answer = (response) => void response.writeHead(200, { 'content-type': 'audio/mpeg' }).write(AUDIO)
  closed.length = 0
  const abort = new AbortController()
  const body = JSON.stringify({ model: 'up/voice', input: 'a', voice: 'x' })
  const headers = { ...HEADERS, 'x-request-id': 'leaves' }
  const response = await fetch(`${gateway.origin}/v1/audio/speech`, {
    method: 'POST',
    body,
    headers,
    signal: abort.signal,
  })
  await response.body?.getReader().read()
  abort.abort()
  await closed[0]
  t.match(await gateway.exchange('leaves'), { outcome: 'client_gone' })
})

test('a client that leaves in the middle of its upload reaches no provider, and leaves no trace in memory', async (t) => {
  const before = requests
  const socket = connect(Number(new URL(gateway.origin).port), '127.0.0.1')
  await once(socket, 'connect')
  const head = [
    ...['POST /v1/audio/transcriptions HTTP/1.1', 'host: x', `authorization: Bearer ${KEY}`, 'x-request-id: upload'],
    ...['content-type: multipart/form-data; boundary=b', 'content-length: 5000000', '', ''],
  ]
  socket.write(head.join('\r\n'))
  socket.write('--b\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n')
  await new Promise((resolve) => socket.write(Buffer.alloc(1_000_000), resolve))
  socket.destroy()
  t.match(await gateway.exchange('upload'), { outcome: 'client_gone', surface: 'openai-transcriptions' })
  t.equal(requests, before)
  const empty = /sluice_receiving_bytes 0\n/
  t.match(await gateway.metricsWith([empty], { authorization: `Bearer ${KEY}` }), empty)
})

test('a provider that dies before its first byte of audio is an error with a status', async (t) => {
  answer = (response) => response.destroy()
  const response = await speak('early')
  t.equal(response.status, 502)
  t.match(await response.json(), { error: { type: 'server_error' } })
})

test('a provider that sends numbers where base64 was asked for gives the official client its vectors', async (t) => {
  const client = new OpenAI({ apiKey: KEY, baseURL: `${gateway.origin}/v1`, maxRetries: 0 })
  const embed = async (vector: number[]) => {
    const body = JSON.stringify({
      object: 'list',
      model: 'v',
      data: [{ object: 'embedding', index: 0, embedding: vector }],
    })
    answer = (response) => response.writeHead(200, { 'content-type': 'application/json' }).end(body)
    return (await client.embeddings.create({ model: 'up/v', input: 'a' })).data[0]?.embedding
  }
  t.same(await embed([0.5, -2, 0.25]), [0.5, -2, 0.25])
  const long = Array.from({ length: 200_000 }, (_, at) => at / 2)
  t.ok(isDeepStrictEqual(await embed(long), long), 'in a worker')
})
