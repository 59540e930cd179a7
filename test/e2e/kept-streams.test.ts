// Kept streams on a running gateway: what the first client sees, and what becomes of a stream whose client has gone.
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { type Socket } from 'node:net'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { type Running, startGateway } from '../helpers/gateway.js'
import { openRaw, parseAnswers, post } from '../helpers/raw-http.js'
import { scriptedSse } from '../helpers/scripted-sse.js'

const word = (text: string) =>
  `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta: { content: text }, finish_reason: null }] })}\n\n`
const STOP = `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })}\n\n`
const DONE = 'data: [DONE]\n\n'
const CHAT = JSON.stringify({ model: 'up/m', stream: true, messages: [{ role: 'user', content: 'Hi' }] })
const PATH = '/v1/chat/completions'
const ASKS = 'x-sluice-resume: 1\r\n'

type Config = { readonly streams?: object; readonly server?: object }

async function start(t: Test, { streams = {}, server = {} }: Config = {}) {
  const upstream = await scriptedSse(t)
  const config = {
    ...{ server, streams, limits: { concurrency: 1, queue: { max: 0 } } },
    providers: { up: { protocol: 'openai-chat', baseUrl: `${upstream.origin}/v1` } },
  }
  return { upstream, config, gateway: await startGateway(t, { config }) }
}

/** A client that reads what comes, and may leave at any time. */
async function ask(gateway: Running, headers = ASKS, path = PATH, body = CHAT) {
  const socket: Socket = await openRaw(Number(new URL(gateway.origin).port))
  const received: Buffer[] = []
  socket.on('error', () => undefined)
  socket.on('data', (chunk: Buffer) => received.push(chunk))
  socket.write(post(path, body, headers))
  const answer = () => {
    const [first] = parseAnswers(Buffer.concat(received))
    if (first === undefined) throw new Error('no answer yet')
    return first
  }
  /** Resolves when the answer holds this text. */
  const until = async (text: string): Promise<void> => {
    while (!Buffer.concat(received).includes(text)) await once(socket, 'data')
  }
  return { socket, answer, until, text: () => answer().body.toString() }
}

/** Resolves when it accepts no connection any more. */
async function refusedConnection({ origin }: Running): Promise<void> {
  for (;;) {
    const isOpen = await fetch(`${origin}/livez`, { headers: { connection: 'close' } }).then(
      () => true,
      () => false,
    )
    if (!isOpen) return
  }
}

test('frames bear their numbers, and the line and the metrics tell of the stream', async (t) => {
  const { gateway, upstream } = await start(t)
  const client = await ask(gateway)
  const call = await upstream.next()
  call.write(`: open\n\n${word('a')}`)
  await client.until('id: 0\n')
  call.write(`: upstream ping\n\nid: 77\n${word('b')}${STOP}${DONE}`)
  call.end()
  await client.until('[DONE]')
  const id = client.answer().headers.get('x-sluice-stream') ?? ''
  t.match(id, /^str_00[A-Za-z0-9_-]{22}$/)
  const frames = client.text().replaceAll(': ping\n\n', '').replaceAll(': ping\n', '')
  t.equal(frames, `id: 0\n${word('a')}id: 1\n${word('b')}id: 2\n${STOP}id: 3\n${DONE}`)
  const line = await gateway.logLine(({ msg }) => msg === 'exchange')
  t.match(line, { outcome: 'complete', status: 200, stream: id.slice(0, 12) })
  t.equal(JSON.stringify(gateway.lines).includes(id), false, 'the whole id is in no line')
  const page = await gateway.metricsWith([/^sluice_stream_readers_total\{how="first",result="delivered"\} 1$/m])
  t.match(page, /^sluice_kept_streams 1$/m)
  t.match(page, /^sluice_kept_bytes [1-9]\d*$/m)
  client.socket.destroy()
})

test('a stream that did not ask is not kept: its client leaves, and it ends', async (t) => {
  const { gateway, upstream } = await start(t)
  const client = await ask(gateway, '')
  const call = await upstream.next()
  call.write(word('a'))
  await client.until('"a"')
  t.notOk(client.answer().headers.has('x-sluice-stream'))
  t.equal(client.text(), word('a'))
  client.socket.destroy()
  await call.closed
  const line = await gateway.logLine(({ msg }) => msg === 'exchange')
  t.match(line, { outcome: 'client_gone' })
  t.notOk('stream' in line)
  t.match(await gateway.metricsWith([/^sluice_kept_streams 0$/m]), /^sluice_kept_streams 0$/m)
})

test('its client leaves, the stream goes on in its slot, and settles at the end of its upstream', async (t) => {
  const { gateway, upstream } = await start(t)
  const client = await ask(gateway)
  const call = await upstream.next()
  call.write(word('a'))
  await client.until('"a"')
  client.socket.destroy()
  await gateway.metricsWith([/result="client_gone"\} 1$/m])
  const refused = await fetch(gateway.origin + PATH, {
    ...{ method: 'POST', body: CHAT, headers: { 'content-type': 'application/json' } },
  })
  t.equal(refused.status, 503, 'the one slot is taken')
  call.write(`${word('b')}${STOP}${DONE}`)
  call.end()
  const line = await gateway.logLine(({ outcome }) => outcome === 'complete')
  t.equal(gateway.lines.filter(({ id }) => id === line.id).length, 1)
  t.equal(line.responseBytes, Buffer.byteLength(word('a') + word('b') + STOP + DONE))
  const again = await ask(gateway)
  await upstream.next()
  again.socket.destroy()
})

test('a grace that runs out cuts the upstream', async (t) => {
  const { gateway, upstream } = await start(t, { streams: { graceMs: 100 } })
  const client = await ask(gateway)
  const call = await upstream.next()
  call.write(word('a'))
  await client.until('"a"')
  client.socket.destroy()
  await call.closed
  t.match(await gateway.logLine(({ msg }) => msg === 'exchange'), { outcome: 'client_gone', status: 200 })
})

test('a client that leaves after a keepalive, before any content, may come back as well', async (t) => {
  const { gateway, upstream } = await start(t, { server: { keepaliveMs: 100 } })
  const client = await ask(gateway)
  const call = await upstream.next()
  await client.until(': ping')
  t.match(client.answer().headers.get('x-sluice-stream'), /^str_/)
  client.socket.destroy()
  await gateway.metricsWith([/how="first",result="client_gone"\} 1$/m])
  call.write(`${word('a')}${STOP}${DONE}`)
  call.end()
  t.match(await gateway.logLine(({ msg }) => msg === 'exchange'), { outcome: 'complete' })
})

test('always: every stream is kept, without numbers unless asked', async (t) => {
  const { gateway, upstream } = await start(t, { streams: { resume: 'always' } })
  for (const [headers, expected] of [
    ['', word('a')],
    [ASKS, `id: 0\n${word('a')}`],
  ] as const) {
    const client = await ask(gateway, headers)
    const call = await upstream.next()
    call.write(word('a'))
    await client.until('"a"')
    t.match(client.answer().headers.get('x-sluice-stream'), /^str_/)
    t.equal(client.text(), expected)
    call.write(STOP + DONE)
    call.end()
    await client.until('[DONE]')
  }
})

test('never: asking is of no use', async (t) => {
  const { gateway, upstream } = await start(t, { streams: { resume: 'never' } })
  const client = await ask(gateway)
  const call = await upstream.next()
  call.write(word('a'))
  await client.until('"a"')
  t.notOk(client.answer().headers.has('x-sluice-stream'))
  t.equal(client.text(), word('a'))
  client.socket.destroy()
  await call.closed
})

test('a line of NDJSON has no number, and one JSON document is not kept', async (t) => {
  const { gateway, upstream } = await start(t)
  const lines = await ask(gateway, ASKS, '/api/chat')
  const call = await upstream.next()
  call.write(`${word('a')}${STOP}${DONE}`)
  call.end()
  await lines.until('"a"')
  await gateway.logLine(({ msg }) => msg === 'exchange')
  t.match(lines.answer().headers.get('x-sluice-stream'), /^str_/)
  t.notMatch(lines.text(), /^id:/m)
  const body = JSON.stringify({ model: 'up/m', prompt: 'Hi' })
  const document = await ask(gateway, ASKS, '/stream', body)
  const other = await upstream.next()
  other.write(`${word('a')}${STOP}${DONE}`)
  other.end()
  await document.until('a')
  t.equal(document.answer().status, 200)
  t.notOk(document.answer().headers.has('x-sluice-stream'))
})

test('a reload keeps streams that run, and those that have ended', async (t) => {
  const { gateway, upstream, config } = await start(t)
  const client = await ask(gateway)
  const call = await upstream.next()
  call.write(word('a'))
  await client.until('"a"')
  const text = JSON.stringify({
    ...config,
    server: { port: 0 },
    streams: { maxBytes: 8_388_608, maxBytesPerKey: 8_388_608 },
  })
  writeFileSync(join(gateway.folder, 'sluice.json'), text)
  gateway.child.kill('SIGHUP')
  await gateway.logLine(({ msg }) => msg === 'configuration reloaded')
  client.socket.destroy()
  await gateway.metricsWith([/how="first",result="client_gone"\} 1$/m])
  call.write(`${word('b')}${STOP}${DONE}`)
  call.end()
  t.match(await gateway.logLine(({ msg }) => msg === 'exchange'), { outcome: 'complete' })
  t.match(await gateway.metricsWith([/^sluice_kept_streams 1$/m]), /^sluice_kept_streams 1$/m)
})

test('a drain does not wait for streams that nobody reads, and lets those that are read end', async (t) => {
  const { gateway, upstream } = await start(t, { server: { drainMs: 60_000, drainGraceMs: 0 } })
  const left = await ask(gateway)
  const call = await upstream.next()
  call.write(word('a'))
  await left.until('"a"')
  left.socket.destroy()
  await gateway.metricsWith([/how="first",result="client_gone"\} 1$/m])
  const code = await gateway.stop('SIGTERM')
  t.equal(code, 0)
  await call.closed
  t.match(await gateway.logLine(({ msg }) => msg === 'exchange'), { outcome: 'client_gone' })
  const second = await start(t, { server: { drainMs: 60_000, drainGraceMs: 0 } })
  const reading = await ask(second.gateway)
  const open = await second.upstream.next()
  open.write(word('a'))
  await reading.until('"a"')
  const stopped = second.gateway.stop('SIGTERM')
  await refusedConnection(second.gateway)
  open.write(`${STOP}${DONE}`)
  open.end()
  await reading.until('[DONE]')
  t.equal(await stopped, 0)
  t.match(await second.gateway.logLine(({ msg }) => msg === 'exchange'), { outcome: 'complete' })
})
