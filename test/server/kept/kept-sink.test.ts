// The sink between an exchange and a kept stream: what the first client gets, and what becomes of the exchange without it.
import { test } from 'tap'
import { errorData } from '../../../src/errors.js'
import { type Delivery, type Sink } from '../../../src/pipeline/sink.js'
import { StreamLog } from '../../../src/streams/log.js'
import { FakeSink } from '../../helpers/fake-sink.js'
import { COMPLETE, CUT, frame, readAll, turn, usedBytes } from '../../helpers/kept.js'
import { createKeptRig, FORMAT } from '../../helpers/kept-sink.js'

const HEAD = {
  headers: [['x-sluice-target', 'a/b']] as const,
  contentType: 'text/event-stream',
  transport: 'sse',
} as const

/** An exchange's side: a log that the sink follows. */
function exchangeOn(sink: Sink) {
  const deliveries: Delivery[] = []
  let aborted = 0
  const log = new StreamLog({ capBytes: 1024, retainBytes: 0 }, () => {
    aborted += 1
  })
  const follow = () =>
    sink.follow(
      (onReadable) => log.attach(onReadable),
      (delivery) => deliveries.push(delivery),
    )
  return { log, follow, deliveries, aborted: () => aborted }
}

function begun(options: Parameters<typeof createKeptRig>[0] = {}, hasIds = true) {
  const rig = createKeptRig(options)
  const client = new FakeSink()
  const sink = rig.wrap(client, hasIds)
  const exchange = exchangeOn(sink)
  sink.begin(HEAD, FORMAT)
  const stream = rig.streamOf(client.heads[0]?.headers ?? [])
  return { rig, client, sink, exchange, stream }
}

test('the client gets the frames with their numbers, and the exchange is done when the upstream is', async (t) => {
  const { rig, client, sink, exchange, stream } = begun()
  exchange.follow()
  exchange.log.append(Buffer.concat([frame('a'), frame('b')]))
  await turn()
  t.equal(client.text, 'id: 0\ndata: a\n\nid: 1\ndata: b\n\n')
  client.isPaused = true
  exchange.log.append(frame('c'))
  exchange.log.close(COMPLETE)
  await turn()
  t.same(exchange.deliveries, [{ result: 'delivered', bytes: 27 }], 'the client has not taken all of it yet')
  t.same(rig.counters.readers, [])
  client.resume()
  t.equal(client.text, 'id: 0\ndata: a\n\nid: 1\ndata: b\n\nid: 2\ndata: c\n\n')
  t.same(rig.counters.readers, ['first delivered'])
  t.equal(exchange.aborted(), 0)
  t.equal(sink.streamId, stream.facts.id.slice(0, 12))
  t.equal(sink.transport, 'sse')
  t.match(client.heads, [
    {
      headers: [
        ['x-sluice-target', 'a/b'],
        ['x-sluice-stream', stream.facts.id],
      ],
      transport: 'sse',
    },
  ])
})

test('the stream remembers whose it is and how it was answered, but not the state of a limit', async (t) => {
  const rig = createKeptRig()
  const client = new FakeSink()
  const headers = [
    ['x-sluice-target', 'a/b'],
    ['x-ratelimit-remaining-requests', '5'],
    ['retry-after', '1'],
  ] as const
  rig.wrap(client).begin({ ...HEAD, headers }, FORMAT)
  const { facts } = rig.streamOf(client.heads[0]?.headers ?? [])
  t.same(facts, {
    ...{ id: facts.id, owner: 'owner-1', surfaceId: 'fake', requestId: 'req-1', framing: 'sse' },
    ...{ contentType: 'text/event-stream', headers: [['x-sluice-target', 'a/b']] },
  })
  t.equal(client.heads[0]?.headers.length, 5, 'the client gets them all the same')
})

test('without being asked, and in a framing without ids, frames are as they were', async (t) => {
  const unasked = begun({}, false)
  unasked.exchange.follow()
  unasked.exchange.log.append(frame('a'))
  unasked.exchange.log.close(CUT)
  await turn()
  t.equal(unasked.client.text, 'data: a\n\ndata: {"error":"upstream_cut"}\n\n')
  const rig = createKeptRig()
  const client = new FakeSink('ndjson')
  const sink = rig.wrap(client)
  const exchange = exchangeOn(sink)
  sink.begin({ ...HEAD, transport: 'ndjson', contentType: 'application/x-ndjson' }, FORMAT)
  exchange.follow()
  exchange.log.append(Buffer.from('{"a":1}\n'))
  await turn()
  t.equal(client.text, '{"a":1}\n')
  t.equal(rig.streamOf(client.heads[0]?.headers ?? []).facts.framing, 'ndjson')
})

test('a failure is a numbered frame', async (t) => {
  const { client, exchange, stream } = begun()
  exchange.follow()
  exchange.log.append(frame('a'))
  exchange.log.close(CUT)
  await turn()
  t.equal(client.text, 'id: 0\ndata: a\n\nid: 1\ndata: {"error":"upstream_cut"}\n\n')
  t.match([stream.next, stream.streamEnd], [1, { ...CUT, errorFrame: 'data: {"error":"upstream_cut"}\n\n' }])
  t.same(exchange.deliveries, [{ result: 'delivered', bytes: 9 }])
})

test('a client that leaves leaves the exchange as it is, and one that comes back reads on', async (t) => {
  const { rig, client, exchange, stream } = begun()
  exchange.follow()
  exchange.log.append(frame('a'))
  await turn()
  client.leave()
  t.same(rig.counters.readers, ['first client_gone'])
  rig.timers.advance(999)
  exchange.log.append(frame('b'))
  await turn()
  const reader = stream.attach({ how: 'resume', offset: 1, onReadable: () => undefined })
  rig.timers.advance(10_000)
  t.same(exchange.deliveries, [])
  exchange.log.close(COMPLETE)
  await turn()
  t.same(readAll(reader), ['data: b\n\n'])
  t.equal(reader.end(), COMPLETE)
  t.same(exchange.deliveries, [{ result: 'delivered', bytes: 18 }])
})

test('a grace that runs out ends the exchange as left by its client, and the upstream with it', async (t) => {
  const { rig, client, exchange, stream } = begun()
  exchange.follow()
  exchange.log.append(frame('a'))
  await turn()
  client.leave()
  rig.timers.advance(1000)
  t.same(exchange.deliveries, [{ result: 'client_gone', bytes: 9 }])
  t.equal(exchange.aborted(), 1)
  const late = stream.attach({ how: 'resume', offset: 0, onReadable: () => undefined })
  t.same(readAll(late), ['data: a\n\n'])
  t.match(late.end(), { outcome: 'client_gone', error: { code: 'client_gone' } }, 'who comes too late is told')
  exchange.log.append(frame('b'))
  exchange.log.close(COMPLETE)
  await turn()
  t.equal(exchange.deliveries.length, 1)
  t.equal(stream.next, 1)
})

test('a client may leave, and come back, before the first content', async (t) => {
  const { rig, client, sink, exchange, stream } = begun()
  sink.keepalive()
  t.equal(client.text, ': ping\n')
  let cancels = 0
  const noting = {
    cancel: () => {
      cancels += 1
    },
  }
  sink.hold(noting)
  client.leave()
  t.equal(cancels, 0)
  rig.timers.advance(500)
  const back = stream.attach({ how: 'resume', offset: 0, onReadable: () => undefined })
  rig.timers.advance(5000)
  exchange.follow()
  exchange.log.append(frame('a'))
  await turn()
  t.same(readAll(back), ['data: a\n\n'])
  back.detach()
  rig.timers.advance(1000)
  t.same([cancels, exchange.deliveries.length], [0, 1])
})

test('abandoned before the first content, the exchange is cancelled', async (t) => {
  const { rig, client, sink } = begun()
  let cancels = 0
  const noting = {
    cancel: () => {
      cancels += 1
    },
  }
  sink.hold(noting)
  client.leave()
  rig.timers.advance(1000)
  t.equal(cancels, 1)
  t.equal(rig.streams.size, 0, 'nothing was said in it')
})

test('a client that is gone when the stream begins is waited for', async (t) => {
  const rig = createKeptRig()
  const client = new FakeSink()
  client.isGoneAtFollow = true
  const sink = rig.wrap(client)
  const exchange = exchangeOn(sink)
  sink.begin(HEAD, FORMAT)
  exchange.follow()
  exchange.log.append(frame('a'))
  await turn()
  t.same(exchange.deliveries, [])
  rig.timers.advance(1000)
  t.match(exchange.deliveries, [{ result: 'client_gone' }])
})

test('keepalives reach everyone who reads, also in place of the upstream’s own', async (t) => {
  const { client, sink, exchange, stream } = begun()
  exchange.follow()
  let others = 0
  const onKeepalive = () => {
    others += 1
  }
  stream.attach({ how: 'resume', offset: 0, onReadable: () => undefined, onKeepalive })
  sink.keepalive()
  t.same([client.keepalives, others], [1, 1])
  exchange.log.append(Buffer.from(': upstream\n\n'))
  await turn()
  t.same([client.keepalives, others], [2, 2])
  exchange.log.append(frame('a'))
  await turn()
  t.same([client.keepalives, others], [2, 2])
})

test('what is no stream, or finds no room, passes through', async (t) => {
  const rig = createKeptRig({ maxBytes: 0 })
  const whole = new FakeSink()
  rig.wrap(whole).reply({ status: 200, headers: [], body: Buffer.from('{}'), error: null })
  t.equal(whole.answers.length, 1)
  const client = new FakeSink()
  const sink = rig.wrap(client)
  const exchange = exchangeOn(sink)
  sink.begin(HEAD, FORMAT)
  t.same(client.heads, [HEAD])
  t.equal(sink.streamId, null)
  sink.keepalive()
  exchange.follow()
  exchange.log.append(frame('a'))
  exchange.log.close(COMPLETE)
  await turn()
  t.equal(client.text, ': ping\ndata: a\n\n')
  t.match(exchange.deliveries, [{ result: 'delivered' }])
  t.same(rig.counters.notKept, ['gateway'])
  const roomy = createKeptRig()
  const document = new FakeSink()
  const json = roomy.wrap(document)
  json.begin({ ...HEAD, transport: 'json' }, FORMAT)
  t.same(document.heads, [{ ...HEAD, transport: 'json' }], 'one JSON document has no place to go on from')
  t.equal(roomy.streams.size, 0)
})

test('frames that cannot be kept end the stream as cut', async (t) => {
  const { client, exchange, rig } = begun({ maxStreamBytes: Number.POSITIVE_INFINITY })
  exchange.follow()
  exchange.log.append(frame('a'))
  exchange.log.append(Buffer.alloc(16 * 1024 * 1024 + 1, 0x20))
  await turn()
  t.match(exchange.deliveries, [{ result: 'upstream_cut' }])
  t.match(client.text, /^id: 0\ndata: a\n\nid: 1\n.*upstream_cut/)
  t.same(rig.counters.readers, ['first delivered'])
  exchange.log.close({ ...CUT, error: errorData('internal') })
  await turn()
  t.equal(exchange.deliveries.length, 1)
})

test('a place in the queue is for the client that asked', async (t) => {
  const { wrap } = createKeptRig()
  const client = new FakeSink()
  const sink = wrap(client)
  sink.begin(HEAD, FORMAT)
  sink.queued?.({ position: 2, etaMs: null })
  t.same(client.places, [{ position: 2, etaMs: null }])
})

test('the error frame is encoded once, where the stream ends, for whoever reads it', async (t) => {
  let count = 0
  const { wrap } = createKeptRig()
  const client = new FakeSink()
  client.isPaused = true
  const sink = wrap(client)
  const exchange = exchangeOn(sink)
  sink.begin(HEAD, { ...FORMAT, encodeErrorFrame: () => `data: {"sequence_number":${++count}}\n\n` })
  exchange.follow()
  exchange.log.close(CUT)
  await turn()
  client.resume()
  t.equal(client.text, 'id: 0\ndata: {"sequence_number":1}\n\n')
  t.equal(count, 1)
})

test('an ended stream takes no more memory than it is counted with, and nothing of its exchange', async (t) => {
  const rig = createKeptRig({ keepMs: 600_000 })
  const before = usedBytes()
  for (let i = 0; i < 2000; i++) {
    const client = new FakeSink()
    const sink = rig.wrap(client)
    const exchange = exchangeOn(sink)
    // What an exchange holds, such as its request.
    const held = Buffer.alloc(10_000, 1)
    sink.hold({ cancel: () => void held.length })
    sink.begin({ ...HEAD, headers: [['x-sluice-target', `provider/model-${i % 5}`]] }, FORMAT)
    exchange.follow()
    for (let n = 0; n < 30; n++) exchange.log.append(frame(`${n} ${'x'.repeat(100)}`))
    exchange.log.close(COMPLETE)
    await turn()
  }
  const used = usedBytes() - before
  t.equal(rig.streams.size, 2000)
  t.ok(used < rig.budget.heldBytes, `${used} bytes of ${rig.budget.heldBytes} that are counted`)
  t.ok(rig.budget.heldBytes < 1.5 * used, 'and not much is counted that is not taken')
})

function lasting() {
  const rig = createKeptRig()
  const client = new FakeSink()
  const key = { index: 0, name: 'team-a', owner: 'owner-1' }
  const sink = rig.keeping.keep(client, { key, surfaceId: 'fake', requestId: 'r', hasIds: false, isLasting: true })
  const exchange = exchangeOn(sink)
  sink.begin(HEAD, FORMAT)
  exchange.follow()
  const stream = rig.streams.find(sink.keptId ?? '', 'owner-1')
  if (stream === null) throw new Error('not kept')
  return { rig, client, sink, exchange, stream }
}

test('a stream that lasts goes on to its end without any reader, through a drain as well', async (t) => {
  const { rig, client, exchange, stream } = lasting()
  t.match(client.heads, [{ transport: 'sse', headers: HEAD.headers }])
  rig.timers.advance(1_000_000)
  rig.streams.leave()
  exchange.log.append(frame('a'))
  await turn()
  t.equal(stream.next, 1)
  t.equal(client.text, '', 'its sink reads nothing of it')
  t.equal(stream.hasFixedReader, false, 'where others can serve it, it is theirs')
  exchange.log.close(COMPLETE)
  await turn()
  t.match(exchange.deliveries, [{ result: 'delivered' }])
  t.equal(stream.readerCount, 0, 'once ended it may make room')
})

test('it is stopped with the error that its readers get', async (t) => {
  const { sink, exchange, stream } = lasting()
  exchange.log.append(frame('a'))
  await turn()
  sink.stop(errorData('client_gone', { message: 'Cancelled.' }))
  t.match(stream.streamEnd, { outcome: 'client_gone', error: { message: 'Cancelled.' } })
  t.match(exchange.deliveries, [{ result: 'client_gone' }])
})
