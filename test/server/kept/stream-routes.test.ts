// The routes of kept streams: what each cursor gets, who may ask, and that all refusals of the same kind look alike.
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'tap'
import { GatewayError } from '../../../src/errors.js'
import { type Surface } from '../../../src/protocols/contract/protocol.js'
import { MAX_READERS } from '../../../src/streams/kept/readable-log.js'
import { loopOf } from '../../../src/streams/kept/stream-id.js'
import { fakeSurface } from '../../helpers/fake-pipeline.js'
import { COMPLETE, CUT, frame, turn } from '../../helpers/kept.js'
import { type KeptFront, linkIn, startKeptFront } from '../../helpers/kept-front.js'

const THREE = ['id: 0\ndata: {"n":0}\n\n', 'id: 1\ndata: {"n":1}\n\n', 'id: 2\ndata: [DONE]\n\n']

/** A stream of three frames, the last of them the end marker. */
function finished(front: KeptFront, facts: Parameters<KeptFront['begin']>[0] = {}) {
  const stream = front.begin(facts)
  for (const text of ['{"n":0}', '{"n":1}', '[DONE]']) stream.append(frame(text))
  stream.close(COMPLETE)
  return { stream, path: `/v1/streams/${stream.facts.id}` }
}

test('each cursor gets the frames after it, with their numbers, and the headers of the first answer', async (t) => {
  const front = await startKeptFront(t)
  const { stream, path } = finished(front, { headers: [['x-sluice-target', 'one/model']] })
  for (const [query, headers, expected] of [
    ['', {}, THREE],
    ['?after=0', {}, THREE.slice(1)],
    ['', { 'last-event-id': '0' }, THREE.slice(1)],
    ['?after=0', { 'last-event-id': '1' }, THREE.slice(2)],
    ['?after=0', { 'last-event-id': '' }, THREE.slice(1)],
    ['?after=001', {}, THREE.slice(2)],
  ] as const) {
    const told = await front.ask(path + query, { headers })
    t.equal(told.status, 200)
    t.equal(told.text, expected.join(''), `${query} ${JSON.stringify(headers)}`)
    t.equal(told.headers.get('content-type'), 'text/event-stream')
    t.equal(told.headers.get('x-sluice-target'), 'one/model')
    t.equal(told.headers.get('x-sluice-stream'), stream.facts.id)
    t.equal(told.headers.get('cache-control'), 'no-cache, no-transform')
  }
  t.equal(stream.readerCount, 0)
  t.same(
    front.counters.readers,
    Array.from({ length: 6 }, () => 'resume delivered'),
  )
  t.equal(front.pipeline.exchanges.length, 0, 'no exchange: neither a slot nor tokens')
})

test('a stream that has ended, with nothing left, is 204, which stops an EventSource', async (t) => {
  const front = await startKeptFront(t)
  const { path } = finished(front)
  for (const cursor of ['2', '3', '99999999999999999999']) {
    const told = await front.ask(`${path}?after=${cursor}`)
    t.same([told.status, told.text, told.headers.get('cache-control')], [204, '', 'no-store'], cursor)
  }
})

test('an error is the last frame and has a number: a cursor before it gets it, one at it gets 204', async (t) => {
  const front = await startKeptFront(t)
  const stream = front.begin()
  stream.append(frame('{"n":0}'))
  stream.close(CUT)
  const path = `/v1/streams/${stream.facts.id}`
  const all = await front.ask(path)
  t.match(all.text, /^id: 0\ndata: {"n":0}\n\nid: 1\ndata: {"error":{[^\n]*"code":"upstream_cut"}}\n\n$/)
  const last = await front.ask(`${path}?after=0`)
  t.equal(last.text, all.text.slice(all.text.indexOf('id: 1')))
  t.equal((await front.ask(`${path}?after=1`)).status, 204)
  t.equal((await front.ask(`${path}?after=7`)).status, 204)
})

test('an error frame that was made with the stream is the same for all its readers', async (t) => {
  const front = await startKeptFront(t)
  const stream = front.begin()
  stream.append(frame('{"n":0}'))
  stream.close({ ...CUT, errorFrame: 'data: {"sequence_number":1}\n\n' })
  for (let n = 0; n < 2; n++) {
    t.equal((await front.ask(`/v1/streams/${stream.facts.id}?after=0`)).text, 'id: 1\ndata: {"sequence_number":1}\n\n')
  }
})

test('an open stream goes on live, waits at its end with its head sent, and gets its keepalives', async (t) => {
  const front = await startKeptFront(t)
  const stream = front.begin()
  stream.append(frame('{"n":0}'))
  const answer = await fetch(`${front.url}/v1/streams/${stream.facts.id}`, {
    headers: { authorization: 'Bearer a', 'last-event-id': '0' },
  })
  t.equal(answer.status, 200, 'before anything more has come')
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  const until = async (words: string): Promise<void> => {
    while (!text.includes(words)) text += (await reader?.read())?.value ?? ''
  }
  await until(': ping\n')
  stream.append(frame('{"n":1}'))
  await until('{"n":1}')
  stream.keepalive()
  await until('{"n":1}\n\n: ping\n')
  stream.append(frame('[DONE]'))
  stream.close(COMPLETE)
  while (!((await reader?.read())?.done ?? true));
  t.match(text, /^: ping\nid: 1\ndata: {"n":1}\n\n: ping\n/)
})

test('a cursor beyond the last frame of an open stream waits for the frame after it', async (t) => {
  const front = await startKeptFront(t)
  const stream = front.begin()
  const asked = front.ask(`/v1/streams/${stream.facts.id}?after=1`)
  while (stream.readerCount === 0) await turn()
  for (const text of ['{"n":0}', '{"n":1}', '[DONE]']) stream.append(frame(text))
  stream.close(COMPLETE)
  t.equal((await asked).text.replace(': ping\n', ''), THREE[2])
})

test('lines of JSON have no numbers in them', async (t) => {
  const front = await startKeptFront(t)
  const stream = front.begin({ framing: 'ndjson', contentType: 'application/x-ndjson' })
  stream.append(Buffer.from('{"n":0}\n{"n":1}\n'))
  stream.close(COMPLETE)
  const told = await front.ask(`/v1/streams/${stream.facts.id}?after=0`)
  t.same([told.text, told.headers.get('content-type')], ['{"n":1}\n', 'application/x-ndjson'])
})

test('a cursor before what is held is 410 in the words of the API of the stream, with the first number that is', async (t) => {
  const front = await startKeptFront(t)
  const stream = front.begin({}, { maxStreamBytes: 64 * 1024 })
  for (let n = 0; n < 200; n++) {
    stream.append(frame(`{"n":${n},"fill":"${'x'.repeat(1000)}"}`))
    await turn()
  }
  const path = `/v1/streams/${stream.facts.id}`
  t.ok(stream.first > 0)
  for (const query of ['', '?after=0', `?after=${stream.first - 2}`]) {
    const told = await front.ask(path + query)
    t.equal(told.status, 410, query)
    t.match(JSON.parse(told.text), { error: { type: 'fake', code: 'stream_gone' } })
    t.equal(told.headers.get('x-sluice-stream-first'), String(stream.first))
    t.equal(told.headers.get('cache-control'), 'no-store')
  }
  t.same(
    front.counters.readers,
    Array.from({ length: 3 }, () => 'resume gone'),
  )
  stream.close(COMPLETE)
  const rest = await front.ask(`${path}?after=${stream.first - 1}`)
  t.equal(rest.status, 200, 'the frame before the first one is all that is needed')
  t.ok(rest.text.startsWith(`id: ${stream.first}\n`))
})

test('what is no number is 400, before anything is looked for', async (t) => {
  const front = await startKeptFront(t)
  const { path } = finished(front)
  for (const [query, headers, param] of [
    ['?after=x', {}, 'after'],
    ['?after=-1', {}, 'after'],
    ['?after=1', { 'last-event-id': '1.5' }, 'Last-Event-ID'],
  ] as const) {
    for (const where of [path, '/v1/streams/none']) {
      const told = await front.ask(where + query, { headers })
      t.equal(told.status, 400, query)
      t.match(JSON.parse(told.text), { error: { param } })
    }
  }
})

test('HEAD tells how far a stream is, without its frames', async (t) => {
  const front = await startKeptFront(t)
  const stream = front.begin()
  const stateOf = async (path = `/v1/streams/${stream.facts.id}`) => {
    const { status, text, headers } = await front.ask(path, { method: 'HEAD' })
    t.same([status, text, headers.get('cache-control')], [200, '', 'no-store'])
    return ['state', 'first', 'next'].map((name) => headers.get(`x-sluice-stream-${name}`)).join(' ')
  }
  t.equal(await stateOf(), 'open 0 0')
  stream.append(frame('{"n":0}'))
  t.equal(await stateOf(), 'open 0 1')
  stream.close(CUT)
  t.equal(await stateOf(), 'ended 0 1')
  t.equal(await stateOf(finished(front).path), 'ended 0 3')
  t.equal(stream.readerCount, 0)
})

test('DELETE stops a running stream and forgets one that has ended', async (t) => {
  const front = await startKeptFront(t)
  const stream = front.begin({ requestId: 'running' })
  const remove = (path: string) => front.ask(path, { method: 'DELETE' })
  const running = `/v1/streams/${stream.facts.id}`
  t.same([(await remove(running)).status, front.abandoned], [204, ['running']])
  const { path } = finished(front)
  t.equal((await remove(path)).status, 204)
  t.equal((await front.ask(path)).status, 404)
  t.equal((await remove(path)).status, 404)
})

test('not there and not yours are one answer, for keys and for links, to read, to look and to stop', async (t) => {
  const front = await startKeptFront(t)
  const { stream, path } = finished(front)
  const other = finished(front, { owner: 'b' })
  const token = new URL(linkIn((await front.ask(path)).headers), front.url).search
  const foreign = new URL(linkIn((await front.ask(other.path, { key: 'b' })).headers), front.url).search
  front.clock.nowMs += 15 * 60_000
  const expired = token
  const fresh = new URL(linkIn((await front.ask(path)).headers), front.url).search
  const unknown = `/v1/streams/str_00${'A'.repeat(22)}`
  const shapes = new Set<string>()
  const asks: readonly [path: string, options: Parameters<KeptFront['ask']>[1]][] = [
    [unknown, {}],
    [unknown, { key: 'b' }],
    [path, { key: 'b' }],
    [path, { key: 'b', method: 'DELETE' }],
    [`${unknown}?after=1`, {}],
    ['/v1/streams/x', {}],
    [`/v1/streams/${stream.facts.id}x`, {}],
    [`/v1/streams/${stream.facts.id.slice(0, -1)}`, {}],
    [path + foreign, { key: null }],
    [path + expired, { key: null }],
    [other.path + fresh, { key: null }],
    [`${path}?token=x`, { key: null }],
    [`${path}${fresh}x`, { key: null }],
    [unknown + fresh, { key: null }],
    [path + fresh, { key: null, method: 'DELETE' }],
  ]
  for (const [where, options] of asks) {
    const told = await front.ask(where, options)
    t.equal(told.status, 404, `${options?.method ?? 'GET'} ${where} ${options?.key}`)
    const names = [...told.headers.keys()].filter((name) => name !== 'x-ratelimit-limit-requests').sort()
    shapes.add(JSON.stringify([told.text, names]))
  }
  t.equal(shapes.size, 1, [...shapes].join('\n'))
  for (const [where, options] of asks) {
    const told = await front.ask(where, { ...options, method: 'HEAD' })
    if (options?.method !== 'DELETE') t.equal(told.status, 404, where)
  }
  t.equal((await front.ask(path)).status, 200, 'and nothing was stopped')
})

test('without a key and without a link it is 401, and so is a wrong key beside a link', async (t) => {
  const front = await startKeptFront(t)
  const { path } = finished(front)
  const link = linkIn((await front.ask(path)).headers)
  for (const [where, key] of [
    [path, null],
    [link, 'wrong'],
    [`/v1/streams/str_00${'A'.repeat(22)}`, null],
  ] as const) {
    t.equal((await front.ask(where, { key })).status, 401)
    t.equal((await front.ask(where, { key, method: 'HEAD' })).status, 401)
  }
  t.equal((await front.ask(path, { key: null, method: 'DELETE' })).status, 401)
})

test('a wrong key counts as anywhere else, and a locked address gets 429; a link is no key', async (t) => {
  const state = { noted: 0, isLocked: false }
  const failedKeys = {
    isQuiet: false,
    note: () => {
      state.noted += 1
    },
    check: () => {
      if (state.isLocked) throw new GatewayError('rate_limited')
    },
  }
  const front = await startKeptFront(t, { options: { failedKeys } })
  const { path } = finished(front)
  const link = linkIn((await front.ask(path)).headers)
  for (const method of ['GET', 'HEAD', 'DELETE']) await front.ask(path, { key: 'wrong', method })
  t.equal(state.noted, 3)
  await front.ask(`${path}?token=x`, { key: null })
  t.equal(state.noted, 3, 'no guess of it could succeed')
  state.isLocked = true
  t.equal((await front.ask(path)).status, 429)
  t.equal((await front.ask(link, { key: null })).status, 200)
})

test('a link reads its stream without a key, from any cursor, and does not renew itself', async (t) => {
  const front = await startKeptFront(t)
  const { path } = finished(front)
  const link = linkIn((await front.ask(path)).headers)
  t.ok(link.startsWith(`${path}?token=`))
  const told = await front.ask(link, { key: null })
  t.same([told.status, told.text, told.headers.get('link')], [200, THREE.join(''), null])
  const rest = await front.ask(`${link}&after=0`, { key: null, headers: { 'last-event-id': '1' } })
  t.equal(rest.text, THREE[2])
  const head = await front.ask(link, { key: null, method: 'HEAD' })
  t.same([head.status, head.headers.get('x-sluice-stream-next'), head.headers.get('link')], [200, '3', null])
  front.clock.nowMs += 14 * 60_000
  const renewed = linkIn((await front.ask(path, { method: 'HEAD' })).headers)
  front.clock.nowMs += 60_000
  t.equal((await front.ask(link, { key: null })).status, 404, 'its time is over')
  t.equal((await front.ask(renewed, { key: null })).status, 200, 'the key got another one meanwhile')
})

test('a page of an allowed origin may send the cursor and read the headers', async (t) => {
  const origin = 'https://app.example'
  const front = await startKeptFront(t, { config: { cors: { origins: [origin] } } })
  const { path } = finished(front)
  const preflight = await fetch(front.url + path, {
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': 'GET', 'access-control-request-headers': 'last-event-id' },
  })
  t.equal(preflight.status, 204)
  t.equal(preflight.headers.get('access-control-allow-headers'), 'last-event-id')
  t.equal(preflight.headers.get('access-control-allow-methods'), 'GET, HEAD, DELETE, OPTIONS')
  const exposed = (await front.ask(path, { headers: { origin } })).headers.get('access-control-expose-headers') ?? ''
  for (const name of [
    'x-sluice-stream',
    'link',
    'x-sluice-cache',
    'x-sluice-attached',
    'age',
    'x-sluice-stream-first',
  ]) {
    t.ok(exposed.split(', ').includes(name), name)
  }
})

test('a reader that leaves stops reading, and the last one starts the grace', async (t) => {
  const front = await startKeptFront(t)
  const stream = front.begin({ requestId: 'left' })
  stream.append(frame('{"n":0}'))
  const leaving = new AbortController()
  const answer = await fetch(`${front.url}/v1/streams/${stream.facts.id}`, {
    headers: { authorization: 'Bearer a' },
    signal: leaving.signal,
  })
  t.equal(stream.readerCount, 1)
  leaving.abort()
  await answer.text().catch(() => '')
  while (stream.readerCount > 0) await turn()
  t.same(front.counters.readers, ['resume client_gone'])
  front.timers.advance(999)
  t.same(front.abandoned, [])
  front.timers.advance(1)
  t.same(front.abandoned, ['left'])
})

test('ids and tokens stay out of the log: it gets the beginning of an id, and no query', async (t) => {
  const front = await startKeptFront(t)
  const { stream, path } = finished(front)
  const { id } = stream.facts
  await front.ask(`${path}?after=x`)
  await front.ask(`${path}?token=secret-token`, { key: null })
  await front.ask(`${path}/more?token=secret-token`)
  await front.ask(`/v1/v1/streams/${id}`)
  await front.ask(path, { method: 'POST' })
  t.equal(front.pipeline.rejections.length, 5)
  const logged = JSON.stringify(front.pipeline.rejections.map(({ origin, error }) => [origin, error.data]))
  t.notMatch(logged, id)
  t.notMatch(logged, 'secret-token')
  t.equal(front.pipeline.rejections[0]?.origin?.path, `/v1/streams/${id.slice(0, 12)}`)
})

test('reading goes on while the gateway drains, on a connection that is open', async (t) => {
  const front = await startKeptFront(t)
  const { path } = finished(front)
  const socket = connect(front.port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  const request = (method: string, where: string): string =>
    `${method} ${where} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer a\r\n\r\n`
  socket.write(request('HEAD', path))
  await once(socket, 'data')
  front.server.closeListener()
  socket.write(request('GET', path))
  let text = ''
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString()
  })
  while (!text.includes('[DONE]')) await turn()
  t.match(text, /^HTTP\/1.1 200/)
})

test('a stream that lives elsewhere is waited for; a client that leaves meanwhile attaches nothing', async (t) => {
  const front = await startKeptFront(t)
  const { stream, path } = finished(front)
  t.equal(loopOf(stream.facts.id), 0)
  const arrivals: (() => void)[] = []
  const near = front.streams.reach.bind(front.streams)
  front.streams.reach = (id, owner) =>
    new Promise((resolve, reject) => {
      arrivals.push(() => (id === `${stream.facts.id}x` ? reject(new Error('lost')) : resolve(near(id, owner))))
    })
  const arrive = async (count: number): Promise<void> => {
    while (arrivals.length < count) await turn()
    for (const each of arrivals.splice(0)) each()
  }
  const asked = [front.ask(`${path}?after=1`), front.ask(path, { key: 'b' }), front.ask(`${path}x`)]
  await arrive(3)
  const told = await Promise.all(asked)
  t.same(
    told.map(({ status }) => status),
    [200, 404, 500],
  )
  t.equal(told[0]?.text, THREE[2])
  const leaving = new AbortController()
  const left = fetch(front.url + path, { headers: { authorization: 'Bearer a' }, signal: leaving.signal })
  while (arrivals.length === 0) await turn()
  leaving.abort()
  await left.catch(() => null)
  while (front.server.open.requests > 0) await turn()
  await arrive(1)
  await turn()
  t.equal(stream.readerCount, 0)
  t.same(front.counters.readers, ['resume delivered'])
})

test('where no stream is kept, none is found', async (t) => {
  const front = await startKeptFront(t, { options: { keep: null } })
  const { path } = finished(front)
  t.equal((await front.ask(path)).status, 404)
  t.equal((await front.ask(`${path}?token=x`, { key: null })).status, 404)
  t.equal((await front.ask(path, { method: 'DELETE' })).status, 404)
})

test('a stream of an API that is not served any more is not there', async (t) => {
  const front = await startKeptFront(t)
  t.equal((await front.ask(finished(front, { surfaceId: 'gone' }).path)).status, 404)
})

test('error frames and keepalives are those of the first answer, where frames are the provider’s own as well', async (t) => {
  const raw: Surface = {
    ...fakeSurface,
    id: 'raw',
    routes: [],
    upstreamFrames: {
      sse: { keepaliveFrame: ': raw\n', encodeErrorFrame: () => 'data: "raw"\n\n' },
      ndjson: { keepaliveFrame: '\n', encodeErrorFrame: () => '"raw"\n' },
    },
  }
  const front = await startKeptFront(t, { options: { surfaces: [fakeSurface, raw] } })
  for (const [framing, expected] of [
    ['sse', /^: raw\nid: 0\ndata: "raw"\n\n$/],
    ['ndjson', /^\n"raw"\n$/],
  ] as const) {
    const stream = front.begin({ surfaceId: 'raw', framing })
    const asked = front.ask(`/v1/streams/${stream.facts.id}?after=0`)
    const waiting = front.ask(`/v1/streams/${stream.facts.id}`)
    while (stream.readerCount < 2) await turn()
    stream.close(CUT)
    t.match((await waiting).text, expected, framing)
    await asked
  }
})

test('a flood of readers of one stream is refused, and costs those who read it nothing', async (t) => {
  const front = await startKeptFront(t)
  const stream = front.begin()
  stream.append(frame('{"n":0}'))
  const path = `/v1/streams/${stream.facts.id}`
  const readers = Array.from({ length: MAX_READERS }, () =>
    stream.attach({ how: 'resume', offset: 0, onReadable: () => undefined }),
  )
  for (const query of ['', '?after=0', '?after=100']) {
    const told = await front.ask(path + query)
    t.equal(told.status, 429)
    t.match(JSON.parse(told.text), { error: { code: 'rate_limited', message: /64 readers/ } })
  }
  t.equal((await front.ask(path, { method: 'HEAD' })).status, 200, 'which is no reader')
  t.equal(stream.readerCount, MAX_READERS)
  for (const reader of readers) reader.detach()
  stream.close(COMPLETE)
  t.equal((await front.ask(path)).text, 'id: 0\ndata: {"n":0}\n\n')
})

test('no cache keeps a refusal: a moment later the stream may be there, or the link be new', async (t) => {
  const front = await startKeptFront(t)
  const { path } = finished(front)
  for (const [where, key, status] of [
    [`/v1/streams/str_00${'A'.repeat(22)}`, 'a', 404],
    [`/v1/streams/str_01${'A'.repeat(22)}`, 'a', 404],
    [`${path}?token=x`, null, 404],
    [`${path}?after=x`, 'a', 400],
  ] as const) {
    const told = await front.ask(where, { key })
    t.same([told.status, told.headers.get('cache-control')], [status, 'no-store'], where)
  }
})
