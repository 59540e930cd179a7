// Shared answers at a running gateway: one upstream request for many clients, retries of the official clients with unchanged code, keys
// of streams, and the cache.
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { type Test, test } from 'tap'
import { type Running, startGateway } from '../helpers/gateway.js'
import { scriptedSse } from '../helpers/scripted-sse.js'

const KEY = 'key-of-the-first-team'
const BEARER = { authorization: `Bearer ${KEY}` }
const PATH = '/v1/chat/completions'
const chunk = (delta: object, finish_reason: string | null = null) =>
  `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason }] })}\n\n`
const word = (content: string) => chunk({ content })
const END = `${chunk({}, 'stop')}data: [DONE]\n\n`
const chat = (content: string, rest: object = {}) => ({
  ...{ model: 'fast', stream: true, messages: [{ role: 'user' as const, content }] },
  ...rest,
})

type Options = {
  readonly server?: object
  readonly model?: object
  readonly streams?: object
  readonly keys?: readonly object[]
}

async function start(
  t: Test,
  { server = {}, model = {}, streams = {}, keys = [{ name: 'one', key: KEY }] }: Options = {},
) {
  const upstream = await scriptedSse(t)
  const gateway = await startGateway(t, {
    config: {
      routing: { retries: { max: 0 } },
      ...{ server, keys, streams, models: { fast: { targets: ['up/m'], ...model } } },
      providers: { up: { protocol: 'openai-chat', baseUrl: `${upstream.origin}/v1` } },
    },
  })
  return { upstream, gateway }
}

/** A client of one stream, which reads it until it ends or leaves. */
class Reader {
  readonly #leaving = new AbortController()
  readonly head: Promise<Response>
  text = ''
  #waiters: { wanted: string; resolve: () => void }[] = []
  readonly done: Promise<'ended' | 'left'>

  constructor(origin: string, body: object, headers: Record<string, string> = {}) {
    const init = { method: 'POST', body: JSON.stringify(body), signal: this.#leaving.signal }
    const all = { 'x-api-key': KEY, 'content-type': 'application/json', ...headers }
    this.head = fetch(origin + PATH, { ...init, headers: all })
    this.done = this.#read()
  }

  header(name: string): Promise<string | null> {
    return this.head.then(({ headers }) => headers.get(name))
  }

  /** Resolves when it has read this text. */
  until(wanted: string): Promise<void> {
    if (this.text.includes(wanted)) return Promise.resolve()
    return new Promise((resolve) => this.#waiters.push({ wanted, resolve }))
  }

  async leave(): Promise<void> {
    this.#leaving.abort()
    await this.done
  }

  async #read(): Promise<'ended' | 'left'> {
    try {
      const decoder = new TextDecoder()
      for await (const bytes of (await this.head).body ?? []) {
        this.text += decoder.decode(bytes as Uint8Array, { stream: true })
        for (const { resolve } of this.#waiters.filter(({ wanted }) => this.text.includes(wanted))) resolve()
      }
      return 'ended'
    } catch {
      return 'left'
    }
  }
}

/** Between clients and the gateway; all its connections can be cut. */
async function startProxy(t: Test, gateway: Running) {
  const sockets = new Set<Socket>()
  let onConnection = (): void => undefined
  const port = Number(new URL(gateway.origin).port)
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1')
    onConnection()
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one)
      one.on('error', () => undefined)
      one.on('close', () => {
        sockets.delete(one)
        other.destroy()
      })
      one.pipe(other)
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  /** Resolves when a client has come back, some hundred milliseconds later. */
  const cut = (): Promise<void> => {
    const back = new Promise<void>((resolve) => {
      onConnection = resolve
    })
    for (const socket of sockets) socket.resetAndDestroy()
    return back
  }
  t.teardown(() => {
    void cut()
    server.close()
  })
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, cut }
}

test('fifty followers of one stream: one upstream request, the same bytes, and each may leave', async (t) => {
  const { upstream, gateway } = await start(t, { model: { coalesce: true } })
  const leader = new Reader(gateway.origin, chat('hi'))
  const call = await upstream.next()
  const readers = [leader]
  for (let i = 0; i < 25; i++) readers.push(new Reader(gateway.origin, chat('hi')))
  call.write(word('a'))
  for (const reader of readers) await reader.until('"a"')
  for (let i = 0; i < 25; i++) readers.push(new Reader(gateway.origin, chat('hi')))
  call.write(word('b'))
  for (const reader of readers) await reader.until('"b"')
  const leaving = readers.filter((_, index) => index % 3 === 0)
  for (const reader of leaving) await reader.leave()
  call.write(word('c') + END)
  call.end()
  const whole = word('a') + word('b') + word('c') + END
  for (const [index, reader] of readers.entries()) {
    t.equal(await reader.done, index % 3 === 0 ? 'left' : 'ended')
    if (index % 3 !== 0) t.equal(reader.text, whole)
  }
  t.equal(await readers[1]?.header('x-sluice-cache'), 'follower')
  t.equal(await leader.header('x-sluice-cache'), 'miss')
  const lines = await Promise.all(
    readers.map(async (reader) => gateway.exchange((await reader.header('x-request-id')) ?? '')),
  )
  const leaderId = await leader.header('x-request-id')
  t.same(
    lines.filter(({ shared }) => shared === undefined).map(({ id }) => id),
    [leaderId],
  )
  t.ok(lines.slice(1).every(({ shared, sharedFrom }) => shared === 'follower' && sharedFrom === leaderId))
  const page = await gateway.metricsWith([/^sluice_cache_answers_total\{result="follower"\} 50$/m], BEARER)
  t.match(page, /^sluice_cache_answers_total\{result="miss"\} 1$/m)
  t.match(page, /^sluice_stream_readers_total\{how="follower",result="delivered"\} 34$/m)
  t.match(page, /^sluice_stream_readers_total\{how="follower",result="client_gone"\} 16$/m)
  t.match(page, /^sluice_kept_streams 0$/m)
})

test('when all have left, the upstream is cut', async (t) => {
  const { upstream, gateway } = await start(t, { model: { coalesce: true } })
  const readers = [new Reader(gateway.origin, chat('hi'))]
  const call = await upstream.next()
  for (let i = 0; i < 9; i++) readers.push(new Reader(gateway.origin, chat('hi')))
  call.write(word('a'))
  for (const reader of readers) await reader.until('"a"')
  for (const reader of readers) await reader.leave()
  const leftAtMs = performance.now()
  await call.closed
  // The bound is a second; ten times that says the same on a machine that does other things.
  t.ok(performance.now() - leftAtMs < 10_000)
  const again = new Reader(gateway.origin, chat('hi'))
  await upstream.next()
  await again.leave()
})

test('the official OpenAI client, unchanged: a lost connection is not paid twice', async (t) => {
  const { upstream, gateway } = await start(t, { streams: { resume: 'always' } })
  const proxy = await startProxy(t, gateway)
  const client = new OpenAI({ apiKey: KEY, baseURL: `${proxy.origin}/v1`, maxRetries: 3 })
  const { stream: _, ...whole } = chat('whole')

  const streaming = client.chat.completions
    .create(chat('stream') as OpenAI.ChatCompletionCreateParamsStreaming)
    .withResponse()
  const call = await upstream.next()
  await proxy.cut()
  call.write(word('one ') + word('two'))
  const { data, response } = await streaming
  call.write(END)
  call.end()
  let text = ''
  for await (const { choices } of data) text += choices[0]?.delta.content ?? ''
  t.equal(text, 'one two')
  t.equal(response.headers.get('x-sluice-attached'), 'retry')

  const asking = client.chat.completions.create(whole).withResponse()
  const held = await upstream.next()
  await proxy.cut()
  held.write(word('all of it') + END)
  held.end()
  const answer = await asking
  t.equal(answer.data.choices[0]?.message.content, 'all of it')
  t.equal(answer.response.headers.get('x-sluice-attached'), 'retry')
  for (const each of [response, answer.response]) {
    const line = await gateway.exchange(each.headers.get('x-request-id') ?? '')
    t.match(line, { shared: 'retry', attempts: 0, tokens: { in: 0, out: 0 } })
    t.match(await gateway.exchange(String(line.sharedFrom)), { outcome: 'complete', attempts: 1 })
  }
})

test('the official Anthropic client, unchanged: the same', async (t) => {
  const { upstream, gateway } = await start(t, { streams: { resume: 'always' } })
  const proxy = await startProxy(t, gateway)
  const client = new Anthropic({ apiKey: KEY, baseURL: proxy.origin, maxRetries: 3 })
  const request = { model: 'fast', max_tokens: 100, messages: [{ role: 'user' as const, content: 'stream' }] }
  const asking = client.messages.create({ ...request, stream: true }).withResponse()
  const call = await upstream.next()
  await proxy.cut()
  call.write(word('one ') + word('two') + END)
  call.end()
  const { data, response } = await asking
  let text = ''
  for await (const event of data) {
    if (event.type === 'content_block_delta' && event.delta.type === 'text_delta') text += event.delta.text
  }
  t.equal(text, 'one two')
  t.equal(response.headers.get('x-sluice-attached'), 'retry')
})

test('a stream with an Idempotency-Key runs once, also if its connection is lost before the first byte', async (t) => {
  const { upstream, gateway } = await start(t)
  const keyed = { 'idempotency-key': 'k1' }
  const first = new Reader(gateway.origin, chat('hi'), keyed)
  const call = await upstream.next()
  await first.leave()
  const second = new Reader(gateway.origin, chat('hi'), keyed)
  call.write(word('a'))
  await second.until('"a"')
  t.equal(await second.header('x-sluice-attached'), 'retry')
  const other = new Reader(gateway.origin, chat('other'), keyed)
  t.equal((await other.head).status, 422)
  await second.leave()
  call.write(END)
  call.end()
  await gateway.logLine(({ outcome, shared }) => outcome === 'complete' && shared === undefined)
  const third = new Reader(gateway.origin, chat('hi'), keyed)
  t.equal(await third.done, 'ended')
  t.equal(third.text.replace(/^id: \d+\n/gm, ''), word('a') + END)
  t.equal(await third.header('x-sluice-stream'), await second.header('x-sluice-stream'))

  const failing = new Reader(gateway.origin, chat('fails'), { 'idempotency-key': 'k2' })
  ;(await upstream.next()).destroy()
  t.equal((await failing.head).status, 502)
  const free = new Reader(gateway.origin, chat('fails'), { 'idempotency-key': 'k2' })
  const again = await upstream.next()
  again.write(word('b') + END)
  again.end()
  t.equal(await free.done, 'ended')
})

test('where no stream is kept, a key protects a stream only until it begins', async (t) => {
  const { upstream, gateway } = await start(t, { streams: { resume: 'never' } })
  const keyed = { 'idempotency-key': 'k1' }
  const first = new Reader(gateway.origin, chat('hi'), keyed)
  const call = await upstream.next()
  const beside = new Reader(gateway.origin, chat('hi'), keyed)
  t.equal((await beside.head).status, 409)
  call.write(word('a'))
  await first.until('"a"')
  t.equal(first.text, word('a'), 'nor does it bear numbers')
  const second = new Reader(gateway.origin, chat('hi'), keyed)
  const other = await upstream.next()
  for (const each of [call, other]) {
    each.write(END)
    each.end()
  }
  t.equal(await second.done, 'ended')
})

test('a cached answer is served without its provider', async (t) => {
  const { upstream, gateway } = await start(t, { model: { cache: { ttlMs: 60_000 } } })
  const first = new Reader(gateway.origin, chat('hi'))
  const call = await upstream.next()
  call.write(word('a') + END)
  call.end()
  await first.done
  await gateway.exchange((await first.header('x-request-id')) ?? '')
  const second = new Reader(gateway.origin, chat('hi'))
  await second.done
  t.equal(second.text, first.text)
  t.equal(await second.header('x-sluice-cache'), 'hit')
  t.equal(await second.header('content-type'), await first.header('content-type'))
  t.match(await second.header('age'), /^\d+$/)
  t.match(await gateway.exchange((await second.header('x-request-id')) ?? ''), {
    ...{ shared: 'hit', sharedFrom: await first.header('x-request-id') },
    tokens: { in: 0, out: 0 },
  })
  t.match(
    await gateway.metricsWith([/^sluice_cache_answers_total\{result="hit"\} 1$/m], BEARER),
    /^sluice_cache_bytes [1-9]/m,
  )
})

test('who waits for a silent provider gets keepalives, first, follower and retry alike', async (t) => {
  const { upstream, gateway } = await start(t, { model: { coalesce: true }, server: { keepaliveMs: 100 } })
  const asks = { 'x-sluice-resume': '1' }
  const leader = new Reader(gateway.origin, chat('hi'), asks)
  const call = await upstream.next()
  const follower = new Reader(gateway.origin, chat('hi'))
  for (const reader of [leader, follower]) await reader.until(': ping')
  await leader.leave()
  call.write(word('a'))
  await follower.until('"a"')
  const retry = new Reader(gateway.origin, chat('hi'), { 'x-stainless-retry-count': '1' })
  await retry.until('"a"')
  t.equal(await retry.header('x-sluice-attached'), 'retry')
  for (const reader of [follower, retry]) {
    const before = reader.text.length
    await reader.until(`${reader.text}: ping`)
    t.ok(reader.text.length > before)
  }
  call.write(word('b') + END)
  call.end()
  for (const reader of [follower, retry]) {
    t.equal(await reader.done, 'ended')
    t.equal(reader.text.replace(/: ping\n+/g, ''), word('a') + word('b') + END)
  }
})

test('what is shared is shared by all event loops', async (t) => {
  const server = { threads: 2 }
  const { upstream, gateway } = await start(t, { server, model: { coalesce: true }, streams: { resume: 'always' } })
  const leader = new Reader(gateway.origin, chat('hi'))
  const call = await upstream.next()
  const readers = [leader]
  for (let i = 0; i < 20; i++) readers.push(new Reader(gateway.origin, chat('hi')))
  call.write(word('a'))
  for (const reader of readers) await reader.until('"a"')
  for (let i = 0; i < 20; i++) readers.push(new Reader(gateway.origin, chat('hi')))
  call.write(word('b'))
  for (const reader of readers) await reader.until('"b"')
  call.write(END)
  call.end()
  for (const reader of readers) {
    t.equal(await reader.done, 'ended')
    t.equal(reader.text, word('a') + word('b') + END)
  }
  const ids = await Promise.all(readers.map((reader) => reader.header('x-request-id')))
  t.equal(new Set(ids.map((id) => id?.split('-')[0])).size, 2, 'they were on both')
  const results = await Promise.all(readers.slice(1).map((reader) => reader.header('x-sluice-cache')))
  t.same(new Set(results), new Set(['follower']))

  for (let i = 0; i < 8; i++) {
    const keyed = { 'idempotency-key': `key-${i}` }
    const first = new Reader(gateway.origin, chat(`keyed ${i}`), keyed)
    const held = await upstream.next()
    const again = [0, 1, 2].map(() => new Reader(gateway.origin, chat(`keyed ${i}`), keyed))
    await first.leave()
    held.write(word('c') + END)
    held.end()
    for (const reader of again) {
      t.equal(await reader.done, 'ended')
      t.equal(await reader.header('x-sluice-attached'), 'retry')
      t.equal(reader.text.replace(/^id: \d+\n/gm, ''), word('c') + END)
    }
  }
})
