// resumingFetch against a server that keeps streams, over connections that are cut: each frame once and in order, an honest end,
// and nothing changed for requests that are none of its business.
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { type Test, test } from 'tap'
import { type ResumingFetchOptions, StreamLostError, resumingFetch as withPauses } from '../../src/client/index.js'
import { type Cut, startCuttingProxy } from '../helpers/cutting-proxy.js'
import { type Teardown } from '../helpers/gateway.js'
import { chatFrames, KeptStreams, type KeptStreamsOptions, type ScriptedStream } from '../helpers/kept-streams.js'

const WORDS = ['Zażółć ', 'gęślą ', 'jaźń, ', '你好 ', '👋 ', 'world']
const FRAMES = chatFrames(WORDS)
const NUMBERED = FRAMES.map((frame, i) => `id: ${i}\n${frame}`).join('')
const BODY = JSON.stringify({ model: 'm', stream: true, messages: [{ role: 'user', content: 'Hi' }] })
const PATH = '/gate/v1/chat/completions'

/** Without its pauses. */
function resumingFetch(options: ResumingFetchOptions = {}): typeof fetch {
  return withPauses({ random: () => 0, ...options })
}

function playAll(stream: ScriptedStream): void {
  stream.push(...FRAMES)
  stream.end()
}

/** Headers that a client library sends. */
const HEADERS = { 'content-type': 'application/json', authorization: 'Bearer key', 'x-own': '1' }

function post(signal: AbortSignal | null = null): RequestInit {
  return { method: 'POST', headers: HEADERS, body: BODY, signal }
}

type Setup = Partial<KeptStreamsOptions> & { readonly cuts?: (connection: number) => Cut | null }

async function start(t: Teardown, { cuts, ...options }: Setup = {}) {
  const kept = await KeptStreams.start(t, { play: playAll, ...options })
  const proxy = await startCuttingProxy(t, kept.port, cuts ?? (() => null))
  return { kept, proxy, url: `${proxy.origin}${PATH}` }
}

async function lossOf(reading: Promise<unknown>): Promise<StreamLostError> {
  const error = await reading.then(
    () => new Error('it ended'),
    (thrown: unknown) => thrown,
  )
  if (error instanceof StreamLostError) return error
  throw error
}

test('an answer cut at each byte of its connection, head included, is read whole', async (t) => {
  const cuts: (Cut | null)[] = []
  const { kept, proxy, url } = await start(t, { cuts: () => cuts.shift() ?? null })
  const fetch = resumingFetch()
  for (let at = 0; at < 1400; at += 7) {
    // And once more, within the second connection.
    cuts.splice(0, cuts.length, cutAt(at), cutAt((at * 3) % 900))
    const text = await (await fetch(url, post())).text()
    if (text !== NUMBERED) t.equal(text, NUMBERED, `cut at ${at}`)
  }
  t.ok(proxy.counts.cut > 200, `${proxy.counts.cut} cuts`)
  t.equal(kept.streams.size, 200, 'no request was made twice')
})

function cutAt(afterBytes: number): Cut {
  return { afterBytes, how: afterBytes % 2 === 0 ? 'fin' : 'rst' }
}

test('the POST asks for a kept stream under a key; what follows has its credentials and the cursor', async (t) => {
  const cuts = [cutAt(600)]
  const resumed: object[] = []
  const { kept, url } = await start(t, { cuts: () => cuts.shift() ?? null })
  const answer = await resumingFetch({ onResume: (event) => resumed.push(event) })(url, post())
  t.equal(answer.url, url)
  t.equal(answer.headers.get('x-sluice-stream'), 'str_0')
  t.equal(await answer.text(), NUMBERED)
  const [first, second] = kept.seen
  t.match(first, { headers: { ...HEADERS, 'x-sluice-resume': '1', 'idempotency-key': /^[0-9a-f]{32}$/ }, body: BODY })
  t.match(second, {
    method: 'GET',
    url: '/gate/v1/streams/str_0',
    headers: { authorization: 'Bearer key', 'x-own': '1' },
  })
  for (const name of ['idempotency-key', 'x-sluice-resume', 'content-type', 'content-length'])
    t.notOk(second !== undefined && name in second.headers, name)
  t.same(resumed, [{ stream: 'str_0', after: Number(second?.headers['last-event-id']) }])
})

test("the caller's own headers stay as they are", async (t) => {
  const { kept, url } = await start(t)
  const headers = { ...HEADERS, 'Idempotency-Key': 'mine', 'X-Sluice-Resume': '0' }
  await (await resumingFetch()(url, { ...post(), headers })).text()
  t.match(kept.seen[0], { headers: { 'idempotency-key': 'mine', 'x-sluice-resume': '0' } })
})

test('a Request, bytes, and a stream asked for by its type are taken, too', async (t) => {
  const cuts = [cutAt(700)]
  const { kept, url } = await start(t, { cuts: () => cuts.shift() ?? null })
  const fetch = resumingFetch()
  const byAccept = { method: 'POST', headers: { accept: 'text/event-stream' }, body: '{}' }
  const calls: [string | Request | URL, RequestInit?][] = [
    [new Request(url, { method: 'POST', body: BODY, headers: HEADERS })],
    [new URL(url), { ...post(), body: new TextEncoder().encode(BODY) }],
    [url, byAccept],
  ]
  for (const call of calls) t.equal(await (await fetch(...call)).text(), NUMBERED)
  t.same(
    kept.requestsOf('POST').map(({ body, headers }) => [body, headers['x-sluice-resume']]),
    [
      [BODY, '1'],
      [BODY, '1'],
      ['{}', '1'],
    ],
  )
})

test('other requests, whole answers, errors and foreign answers pass through untouched', async (t) => {
  const { kept, url } = await start(t, {
    intercept: ({ url: path }, res) => {
      if (path.includes('/kept')) return false
      const isError = path.includes('/no')
      const headers = { 'content-type': 'text/event-stream', ...(isError ? { 'x-sluice-stream': 'x' } : {}) }
      res.writeHead(isError ? 429 : 200, headers)
      res.end('data: a\n\n')
      return true
    },
  })
  const sent: [unknown, unknown][] = []
  const answers: Response[] = []
  const fetch = resumingFetch({
    fetch: async (input, init) => {
      sent.push([input, init])
      const answer = await globalThis.fetch(input, init)
      answers.push(answer)
      return answer
    },
  })
  const own: RequestInit[] = [
    { method: 'GET' },
    { method: 'POST', body: '{"stream":false,"a":"\\"stream\\":true"}' },
    { method: 'POST', body: new URLSearchParams({ stream: 'true' }) },
  ]
  for (const init of own) {
    const answer = await fetch(url, init)
    t.same(sent.at(-1), [url, init])
    t.equal(sent.at(-1)?.[1], init, 'the same object')
    t.equal(answer, answers.at(-1))
    await answer.text()
  }
  for (const path of ['/foreign', '/no']) {
    const answer = await fetch(`${url}${path}`, post())
    t.equal(answer, answers.at(-1), path)
    t.equal(await answer.text(), 'data: a\n\n')
  }
  t.equal(kept.streams.size, 0)
})

test('stopping is not losing: an aborted signal and a cancelled body end the stream at the gateway, once', async (t) => {
  const play = (stream: ScriptedStream) => stream.push(...FRAMES.slice(0, 2))
  for (const way of ['signal', 'cancel', 'during the pause'] as const) {
    const isOffline = way === 'during the pause'
    const { kept, url } = await start(t, {
      play: (stream) => {
        play(stream)
        if (isOffline) stream.end()
      },
      intercept: (seen, res) => {
        if (!isOffline || seen.method !== 'GET') return false
        res.writeHead(503, { 'retry-after': '30' }).end()
        return true
      },
    })
    const controller = new AbortController()
    const answer = await resumingFetch()(url, post(controller.signal))
    const reader = answer.body?.getReader()
    const first = await reader?.read()
    t.match(new TextDecoder().decode(first?.value), /^id: 0\n/)
    const rest = readAll(reader)
    rest.catch(() => undefined)
    if (isOffline) while (kept.requestsOf('GET').length === 0) await turn()
    if (way === 'cancel') await reader?.cancel()
    else controller.abort(new Error('mine'))
    if (way !== 'cancel') await t.rejects(rest, { message: 'mine' }, way)
    while (kept.requestsOf('DELETE').length === 0) await turn()
    await reader?.cancel().catch(() => undefined)
    controller.abort()
    await turn()
    t.match(
      kept.requestsOf('DELETE'),
      [{ url: '/gate/v1/streams/str_0', headers: { authorization: 'Bearer key' } }],
      way,
    )
    t.equal(kept.requestsOf('DELETE').length, 1)
    t.ok(kept.streams.get('str_0')?.isCancelled)
  }
})

async function readAll(reader: ReadableStreamDefaultReader<Uint8Array> | undefined): Promise<void> {
  while ((await reader?.read())?.done === false);
}

test('a stop whose DELETE fails is tried again, and an ended stream needs none', async (t) => {
  let failures = 0
  const { kept, url } = await start(t, {
    play: (stream) => stream.push(...FRAMES.slice(0, 2)),
    intercept: ({ method }, res) => {
      if (method !== 'DELETE' || failures++ > 0) return false
      res.writeHead(503).end()
      return true
    },
  })
  const controller = new AbortController()
  const answer = await resumingFetch()(url, post(controller.signal))
  await answer.body?.getReader().read()
  controller.abort()
  while (kept.streams.get('str_0')?.isCancelled !== true) await turn()
  t.equal(kept.requestsOf('DELETE').length, 2)

  const ended = await start(t)
  const own = new AbortController()
  const whole = await resumingFetch()(ended.url, post(own.signal))
  const reader = whole.body?.getReader()
  while (!new TextDecoder().decode((await reader?.read())?.value).includes('[DONE]'));
  own.abort()
  await reader?.cancel().catch(() => undefined)
  for (let i = 0; i < 20; i++) await turn()
  t.equal(ended.kept.requestsOf('DELETE').length, 0)
})

test('a signal that is aborted before the head rejects at once, also while the POST is being repeated', async (t) => {
  const { url } = await start(t, { cuts: () => cutAt(0) })
  const controller = new AbortController()
  const asked = resumingFetch()(url, post(controller.signal))
  setTimeout(() => controller.abort(), 30)
  await t.rejects(asked, { name: 'AbortError' })
  await t.rejects(resumingFetch()(url, post(AbortSignal.abort())), { name: 'AbortError' })
})

test('what the gateway no longer has is an error in the body, with what was read and why', async (t) => {
  const cases = [
    { status: 404, reason: 'gone' },
    { status: 410, reason: 'gone' },
    { status: 401, reason: 'refused' },
    { status: 204, reason: 'ended' },
  ]
  for (const { status, reason } of cases) {
    const cuts = [cutAt(600)]
    const { url } = await start(t, {
      cuts: () => cuts.shift() ?? null,
      intercept: ({ method }, res) => {
        if (method === 'GET') res.writeHead(status).end()
        return method === 'GET'
      },
    })
    const error = await lossOf((await resumingFetch()(url, post())).text())
    t.match(error, { reason, status, stream: 'str_0', name: 'StreamLostError' })
    t.ok(error.after >= 0 && error.after < FRAMES.length)
    t.match(error.message, /^The answer is incomplete: .*\(status \d+\)\.$/)
  }
})

test('a node that does not know the stream yet is asked again, and believed the third time', async (t) => {
  for (const [unknown, isThere] of [
    [2, true],
    [3, false],
  ] as const) {
    const cuts = [cutAt(600)]
    const { kept, url } = await start(t, {
      cuts: () => cuts.shift() ?? null,
      intercept: ({ method }, res) => {
        const isUnknown = method === 'GET' && kept.requestsOf('GET').length <= unknown
        if (isUnknown) res.writeHead(404).end()
        return isUnknown
      },
    })
    const text = (await resumingFetch()(url, post())).text()
    if (isThere) t.equal(await text, NUMBERED)
    else t.match(await lossOf(text), { reason: 'gone', status: 404 })
    t.equal(kept.requestsOf('GET').length, 3)
  }
})

test('an orderly end without an end marker is believed of a finished answer alone, if the gateway has nothing more', async (t) => {
  const play = (stream: ScriptedStream) => {
    stream.push('data: {"a":1}\n\n', 'data: {"finishReason":"STOP"}\n\n')
    stream.end()
  }
  const { kept, url } = await start(t, { play })
  t.match(await (await resumingFetch()(url, post())).text(), /^id: 0\n.*\n\nid: 1\n.*\n\n$/)
  t.match(kept.requestsOf('GET'), [{ headers: { 'last-event-id': '1' } }], 'it is asked once')

  // A proxy that ends in good order what was cut behind it.
  const cut = await start(t, {
    play: (stream) => playAll(stream),
    intercept: ({ method }, res) => {
      if (method === 'POST') {
        res.writeHead(200, { 'content-type': 'text/event-stream', 'x-sluice-stream': 'str_9' })
        res.end(NUMBERED.slice(0, 300))
      } else res.writeHead(404).end()
      return true
    },
  })
  t.equal((await lossOf((await resumingFetch()(cut.url, post())).text())).reason, 'gone')

  // It was stopped elsewhere.
  const stopped = await start(t, {
    play: (stream) => {
      stream.push(...FRAMES.slice(0, 2))
      stream.end()
    },
  })
  t.match(await lossOf((await resumingFetch()(stopped.url, post())).text()), { reason: 'ended', status: 204, after: 1 })
})

test('missing frames are an error after those before them', async (t) => {
  const { url } = await start(t, {
    intercept: (_seen, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream', 'x-sluice-stream': 'str_9' })
      res.end('id: 0\ndata: a\n\nid: 2\ndata: c\n\n')
      return true
    },
  })
  const reader = (await resumingFetch()(url, post())).body?.getReader()
  t.equal(new TextDecoder().decode((await reader?.read())?.value), 'id: 0\ndata: a\n\n')
  t.match(await lossOf(readAll(reader)), { reason: 'gap', after: 0 })
})

test('a gateway that stays away is given up after maxOfflineMs, and one that answers 503 is asked again until then', async (t) => {
  const cuts = [cutAt(600)]
  const { kept, url } = await start(t, {
    cuts: () => cuts.shift() ?? null,
    intercept: ({ method }, res) => {
      if (method === 'GET') res.writeHead(503, { 'retry-after': '0' }).end()
      return method === 'GET'
    },
  })
  const fetch = resumingFetch({ maxOfflineMs: 500 })
  const error = await lossOf((await fetch(url, post())).text())
  t.match(error, { reason: 'unreachable', status: null, cause: { message: /503/ } })
  t.ok(kept.requestsOf('GET').length >= 2)
})

test('a silent connection counts as lost', async (t) => {
  const { kept, url } = await start(t, {
    intercept: ({ method }, res) => {
      if (method !== 'POST') return false
      playAll(kept.open('str_0'))
      res.writeHead(200, { 'content-type': 'text/event-stream', 'x-sluice-stream': 'str_0' })
      res.write(NUMBERED.slice(0, 300))
      return true
    },
  })
  t.equal(await (await resumingFetch({ idleMs: 100 })(url, post())).text(), NUMBERED)
})

test('a POST lost before its head is sent again with its key, and a 409 for it waits', async (t) => {
  let conflicts = 0
  const cuts = [cutAt(0), cutAt(0)]
  const { kept, url } = await start(t, {
    cuts: () => cuts.shift() ?? null,
    intercept: ({ method }, res) => {
      if (method !== 'POST' || kept.requestsOf('POST').length !== 3 || conflicts++ > 0) return false
      res.writeHead(409, { 'retry-after': '0' }).end()
      return true
    },
  })
  t.equal(await (await resumingFetch()(url, post())).text(), NUMBERED)
  const keys = new Set(kept.requestsOf('POST').map(({ headers }) => headers['idempotency-key']))
  t.equal(kept.requestsOf('POST').length, 4)
  t.equal(keys.size, 1)
  t.equal(kept.streams.size, 1)
})

test('a first answer of 409 or 503, and a connection that is refused, are the business of the calling library', async (t) => {
  for (const status of [409, 503]) {
    const { kept, url } = await start(t, {
      intercept: (_seen, res) => {
        res.writeHead(status).end()
        return true
      },
    })
    t.equal((await resumingFetch()(url, post())).status, status)
    t.equal(kept.seen.length, 1)
  }
  let calls = 0
  const refused = resumingFetch({
    fetch: (input, init) => {
      calls += 1
      return fetch(input, init)
    },
  })(`http://127.0.0.1:${await closedPort()}/v1/messages`, post())
  await t.rejects(refused, { cause: { code: 'ECONNREFUSED' } })
  t.equal(calls, 1)
})

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

test('NDJSON is continued by the count of its lines', async (t) => {
  const lines = Array.from({ length: 8 }, (_, i) => `{"n":${i},"done":${i === 7}}\n`)
  const cuts: Cut[] = []
  const { url } = await start(t, {
    framing: 'ndjson',
    play: (stream) => {
      stream.push(...lines)
      stream.end()
    },
    cuts: () => cuts.shift() ?? null,
  })
  for (let at = 0; at < 500; at += 11) {
    cuts.splice(0, cuts.length, cutAt(at))
    const text = await (await resumingFetch()(url, post())).text()
    if (text !== lines.join('')) t.equal(text, lines.join(''), `at ${at}`)
  }
  t.pass('each cut')
})

test('what the caller does not read is not read from the network', async (t: Test) => {
  let pulled = 0
  const body = new ReadableStream<Uint8Array>(
    {
      pull: (controller) => {
        controller.enqueue(new TextEncoder().encode(`id: ${pulled}\ndata: x\n\n`))
        pulled += 1
      },
    },
    { highWaterMark: 0 },
  )
  const headers = { 'content-type': 'text/event-stream', 'x-sluice-stream': 'str_1' }
  const fetch = resumingFetch({ fetch: async () => new Response(body, { headers }) })
  const reader = (await fetch('http://a/v1/x', post())).body?.getReader()
  for (let i = 0; i < 10; i++) await turn()
  t.equal(pulled, 0)
  await reader?.read()
  for (let i = 0; i < 10; i++) await turn()
  t.equal(pulled, 1)
  await reader?.cancel()
})

test('where streams are is told by the path that is called, or by streamsUrl', async (t) => {
  const urls: string[] = []
  const ask = async (url: string, streamsUrl?: string) => {
    const fetch = resumingFetch({
      ...(streamsUrl === undefined ? {} : { streamsUrl }),
      fetch: async (input, init) => {
        const headers = { 'content-type': 'text/event-stream', 'x-sluice-stream': 'str_1' }
        if (init?.method === 'POST') return new Response('id: 0\ndata: {"finishReason":"STOP"}\n\n', { headers })
        urls.push(String(input))
        return new Response(null, { status: 204 })
      },
    })
    await (await fetch(url, post())).text()
  }
  await ask('https://host:8443/v1/chat/completions?x=1')
  await ask('https://host/llm/v1/messages')
  await ask('https://host/stream')
  await ask('https://host/v1/messages', 'https://other/v1/streams/')
  t.same(urls, [
    'https://host:8443/v1/streams/str_1',
    'https://host/llm/v1/streams/str_1',
    'https://host/v1/streams/str_1',
    'https://other/v1/streams/str_1',
  ])
})
