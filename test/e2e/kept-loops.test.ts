// Kept streams of a gateway with two event loops: the kernel hands connections to either, and each serves the streams of both.
import { once } from 'node:events'
import { type Test, test } from 'tap'
import { type Running, startGateway } from '../helpers/gateway.js'
import { openRaw, post } from '../helpers/raw-http.js'
import { type ScriptedCall, type ScriptedSse, scriptedSse } from '../helpers/scripted-sse.js'

const KEY = 'key-of-team-a-0123456789'
const OTHER = 'key-of-team-b-0123456789'
const PATH = '/v1/chat/completions'
const chunk = (delta: object, reason: string | null = null) =>
  `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason: reason }] })}\n\n`
const word = (text: string) => chunk({ content: text })
const END = `${chunk({}, 'stop')}data: [DONE]\n\n`
/** So many connections reach both loops, but for one run in two thousand. */
const CONNECTIONS = 12

type Begun = { readonly id: string; readonly model: string; readonly call: ScriptedCall; leave(): void }

async function start(t: Test, streams: object = {}) {
  const upstream = await scriptedSse(t)
  const config = {
    ...{ server: { threads: 2 }, streams, metrics: { token: KEY } },
    keys: [
      { name: 'a', key: KEY },
      { name: 'b', key: OTHER },
    ],
    providers: { up: { protocol: 'openai-chat', baseUrl: `${upstream.origin}/v1` } },
  }
  return { upstream, gateway: await startGateway(t, { config }) }
}

/** A stream with its first frame, on whichever loop its connection came to. */
async function begin(gateway: Running, upstream: ScriptedSse, model: string): Promise<Begun> {
  const socket = await openRaw(Number(new URL(gateway.origin).port))
  let text = ''
  socket.on('error', () => undefined)
  socket.on('data', (bytes: Buffer) => {
    text += bytes.toString()
  })
  const body = JSON.stringify({ model: `up/${model}`, stream: true, messages: [{ role: 'user', content: 'Hi' }] })
  socket.write(post(PATH, body, `x-sluice-resume: 1\r\nx-api-key: ${KEY}\r\n`))
  const call = await upstream.for(model)
  call.write(word(`${model} begins`))
  while (!text.includes(' begins')) await once(socket, 'data')
  const id = /^x-sluice-stream: (\S+)\r$/im.exec(text)?.[1] ?? ''
  return { id, model, call, leave: () => void socket.destroy() }
}

/** Streams of both loops. */
async function beginOnBoth(gateway: Running, upstream: ScriptedSse): Promise<[Begun, Begun]> {
  const begun: (Begun | null)[] = [null, null]
  for (let i = 0; begun.includes(null); i++) {
    const stream = await begin(gateway, upstream, `m${i}`)
    begun[stream.id.startsWith('str_01') ? 1 : 0] ??= stream
  }
  return begun as [Begun, Begun]
}

/** On a connection of its own. */
function ask(gateway: Running, id: string, { method = 'GET', key = KEY, query = '' } = {}): Promise<Response> {
  const headers = { 'x-api-key': key, connection: 'close' }
  return fetch(`${gateway.origin}/v1/streams/${id}${query}`, { method, headers })
}

/** The same from many connections. */
function askOften(gateway: Running, id: string, options: Parameters<typeof ask>[2] = {}): Promise<Response[]> {
  return Promise.all(Array.from({ length: CONNECTIONS }, () => ask(gateway, id, options)))
}

const numbered = (frames: readonly string[], from = 0) => frames.map((frame, i) => `id: ${from + i}\n${frame}`).join('')
/** Without the comments that keep a waiting connection alive. */
const said = async (answer: Response) => (await answer.text()).replace(/^: ping\n/gm, '')
const framesOf = (text: string) => text.split(/(?<=\n\n)/)

test('every loop serves the streams of both, while they run and after their end', async (t) => {
  const { gateway, upstream } = await start(t)
  for (const stream of await beginOnBoth(gateway, upstream)) {
    stream.leave()
    const readers = await askOften(gateway, stream.id)
    for (const { status } of readers) t.equal(status, 200, stream.id.slice(0, 6))
    const late = await askOften(gateway, stream.id, { query: '?after=0' })
    const rest = Array.from({ length: 200 }, (_, i) => word(`${i} ${'x'.repeat(i)}`))
    for (const frame of rest) stream.call.write(frame)
    stream.call.write(END)
    stream.call.end()
    const all = [word(`${stream.model} begins`), ...rest, ...framesOf(END)]
    for (const text of await Promise.all(readers.map(said))) t.equal(text, numbered(all))
    for (const text of await Promise.all(late.map(said))) t.equal(text, numbered(all.slice(1), 1))
    for (const answer of await askOften(gateway, stream.id)) t.equal(await said(answer), numbered(all), 'replayed')
    for (const { headers } of await askOften(gateway, stream.id, { method: 'HEAD' })) {
      t.equal(headers.get('x-sluice-stream-state'), 'ended')
      t.equal(headers.get('x-sluice-stream-next'), String(all.length))
    }
    for (const { status } of await askOften(gateway, stream.id, { query: `?after=${all.length}` })) t.equal(status, 204)
  }
})

test('a stream of another key is not there, whichever loop is asked', async (t) => {
  const { gateway, upstream } = await start(t)
  for (const { id } of await beginOnBoth(gateway, upstream)) {
    for (const method of ['GET', 'DELETE']) {
      for (const { status } of await askOften(gateway, id, { method, key: OTHER })) t.equal(status, 404)
    }
    const missing = id.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'))
    for (const { status } of await askOften(gateway, missing)) t.equal(status, 404)
  }
})

test('readers on any loop keep a stream going, and it stops when the last of them has left', async (t) => {
  const { gateway, upstream } = await start(t, { graceMs: 100 })
  for (const stream of await beginOnBoth(gateway, upstream)) {
    const readers = await askOften(gateway, stream.id)
    stream.leave()
    for (const reader of readers.slice(1)) await reader.body?.cancel()
    await gateway.metricsWith([/how="first",result="client_gone"\} [1-9]/m], { authorization: `Bearer ${KEY}` })
    stream.call.write(word('still there'))
    const decoder = new TextDecoder()
    const last = readers[0]?.body?.getReader()
    for (let text = ''; !text.includes('still there'); ) text += decoder.decode((await last?.read())?.value)
    await last?.cancel()
    await stream.call.closed
    t.pass(`${stream.id.slice(0, 6)}: the upstream is cut`)
  }
})

test('stopping reaches a stream on any loop, and so does an upstream that dies', async (t) => {
  const { gateway, upstream } = await start(t)
  for (const stream of await beginOnBoth(gateway, upstream)) {
    const readers = await askOften(gateway, stream.id)
    t.equal((await ask(gateway, stream.id, { method: 'DELETE' })).status, 204)
    await stream.call.closed
    for (const text of await Promise.all(readers.map((answer) => answer.text()))) {
      t.match(text, /^id: 0\n.*\n\nid: 1\n.*"error"/s)
      t.notMatch(text, '[DONE]')
    }
  }
  for (const stream of await beginOnBoth(gateway, upstream)) {
    const readers = await askOften(gateway, stream.id)
    stream.call.destroy()
    for (const text of await Promise.all(readers.map((answer) => answer.text()))) {
      t.match(text, /id: 1\n.*"error"/s)
      t.notMatch(text, '[DONE]')
    }
  }
})
