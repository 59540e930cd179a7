// The place in the queue, seen by real clients while they wait: comments in an event stream, messages on a WebSocket.
import { once } from 'node:events'
import { unpack } from 'msgpackr'
import OpenAI from 'openai'
import { test } from 'tap'
import WebSocket from 'ws'
import { type Running, simulatedProviders, startGateway, type Teardown } from '../helpers/gateway.js'
import { type ScriptedSse, scriptedSse } from '../helpers/scripted-sse.js'

const ASKS = { 'content-type': 'application/json', 'x-sluice-queue': '1' }
const QUEUE = { max: 10, timeoutMs: 60_000 }

async function start(t: Teardown, queue = QUEUE): Promise<{ gateway: Running; upstream: ScriptedSse }> {
  const upstream = await scriptedSse(t)
  const limits = { concurrency: 1, queue, shed: { lagMs: null } }
  const gateway = await startGateway(t, { config: { limits, providers: simulatedProviders(upstream.origin) } })
  return { gateway, upstream }
}

function chat(model: string) {
  return { model: `openai/${model}`, stream: true as const, messages: [{ role: 'user' as const, content: 'Hi' }] }
}

/** A client that reads a stream as it comes. */
async function post(
  gateway: Running,
  model: string,
  headers: Record<string, string> = ASKS,
  path = '/v1/chat/completions',
) {
  const body = JSON.stringify({ ...chat(model), max_tokens: 50 })
  const answer = await fetch(gateway.origin + path, { method: 'POST', headers, body })
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  return {
    status: answer.status,
    /** All until it holds the words, or to the end. */
    async until(words: RegExp): Promise<string> {
      while (!words.test(text)) {
        const step = await reader?.read()
        if (step === undefined || step.done) break
        text += step.value
      }
      return text
    },
  }
}

function finish(call: { write(text: string): void; end(): void }, content: string): void {
  const choice = (delta: object, reason: string | null) =>
    `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason: reason }] })}\n\n`
  call.write(choice({ role: 'assistant', content }, null))
  call.write(`${choice({}, 'stop')}data: [DONE]\n\n`)
  call.end()
}

test('streams that wait see their place, move up, and are then answered on the same connection', async (t) => {
  const { gateway, upstream } = await start(t)
  const first = post(gateway, 'first')
  const firstCall = await upstream.for('first')
  const second = await post(gateway, 'second')
  t.match(await second.until(/\n/), /^: queued 1 -\n$/, 'no one has been admitted yet: no pace')
  const third = await post(gateway, 'third', ASKS, '/v1/messages')
  t.match(await third.until(/\n/), /^: queued 2 -\n$/)
  t.same([second.status, third.status], [200, 200])
  finish(firstCall, 'one')
  t.match(await (await first).until(/DONE/), /one/)
  finish(await upstream.for('second'), 'two')
  t.match(await second.until(/DONE/), /^: queued 1 -\n(?:: ping\n)*data: .*two.*\[DONE\]/s)
  finish(await upstream.for('third'), 'three')
  t.match(await third.until(/message_stop/), /^: queued 2 -\n.*three.*event: message_stop/s)
})

test('a change is reported with the expected wait, and a refusal after the first report is in-band', async (t) => {
  const { gateway, upstream } = await start(t, { max: 10, timeoutMs: 8000 })
  const first = post(gateway, 'first')
  const firstCall = await upstream.for('first')
  const waiting = [await post(gateway, 'second')]
  await waiting[0]?.until(/\n/)
  waiting.push(await post(gateway, 'third'))
  await waiting[1]?.until(/\n/)
  finish(firstCall, 'one')
  await (await first).until(/DONE/)
  await upstream.for('second')
  t.match(await waiting[1]?.until(/queued 1 \d+\n/), /^: queued 2 -\n: queued 1 [1-9]\d*\n/)
  const refused = (await waiting[1]?.until(/"error"/)) ?? ''
  t.match(refused, /\ndata: {"error":{"message":"[^"]+","type":"server_error"[^\n]*"code":"overloaded"}}\n\n$/)
  t.notMatch(refused, /DONE/)
  const line = await gateway.logLine(({ outcome }) => outcome === 'limit')
  t.match(line, { status: 200, error: { code: 'overloaded' } })
})

test('the official client reads a stream whose beginning are comments', async (t) => {
  const { gateway, upstream } = await start(t)
  const first = post(gateway, 'first')
  const firstCall = await upstream.for('first')
  const client = new OpenAI({ baseURL: `${gateway.origin}/v1`, apiKey: 'none', maxRetries: 0 })
  const stream = await client.chat.completions.create(chat('second'), { headers: { 'x-sluice-queue': '1' } })
  finish(firstCall, 'one')
  await (await first).until(/DONE/)
  const call = await upstream.for('second')
  finish(call, 'two')
  const texts: string[] = []
  for await (const chunk of stream) texts.push(chunk.choices[0]?.delta.content ?? '')
  t.equal(texts.join(''), 'two')
})

for (const [protocol, decode, encode] of [
  ['sluice.v1', (bytes: Buffer) => JSON.parse(bytes.toString()), (message: object) => JSON.stringify(message)],
  ['sluice.v1.msgpack', (bytes: Buffer) => unpack(bytes), null],
] as const) {
  test(`a chat on a WebSocket that asks gets messages: ${protocol}`, async (t) => {
    const { pack } = await import('../../src/wire/pack.js')
    const { gateway, upstream } = await start(t)
    const first = post(gateway, 'first')
    const firstCall = await upstream.for('first')
    const socket = new WebSocket(`${gateway.origin.replace('http', 'ws')}/v1/ws`, [protocol])
    t.teardown(() => socket.terminate())
    await once(socket, 'open')
    const got: { type: string; id: string }[] = []
    const ended = new Promise<void>((resolve) => {
      socket.on('message', (bytes: Buffer) => {
        const message = decode(bytes) as { type: string; id: string }
        if (message.type !== 'event') got.push(message)
        if (message.id === 'a' && message.type === 'queued') finish(firstCall, 'one')
        if (got.filter(({ type }) => type === 'done').length === 2) resolve()
      })
    })
    const send = (message: object): void => socket.send(encode === null ? pack(message as never) : encode(message))
    send({ type: 'chat', id: 'silent', request: chat('second') })
    send({ type: 'chat', id: 'a', queue: true, request: chat('third') })
    finish(await upstream.for('second'), 'two')
    finish(await upstream.for('third'), 'three')
    await ended
    await (await first).until(/DONE/)
    t.match(got, [
      { type: 'queued', id: 'a', position: 2, etaMs: null },
      { type: 'done', id: 'silent' },
      { type: 'done', id: 'a' },
    ])
    t.equal(got.length, 3)
  })
}
