// One chat on its own: what it sends, and that it ends once. The socket is a list.
import { setImmediate as turn } from 'node:timers/promises'
import { test } from 'tap'
import { errorData } from '../../../src/errors.js'
import { createJsonCodec } from '../../../src/server/websocket/codec.js'
import { WsSink } from '../../../src/server/websocket/sink.js'
import { StreamLog } from '../../../src/streams/log.js'
import { COMPLETE, fakeSurface } from '../../helpers/fake-pipeline.js'

function create() {
  const sent: unknown[] = []
  const forgotten: string[] = []
  const socket = {
    codec: createJsonCodec(),
    enqueue: (sink: WsSink) => {
      while (sink.sendNext());
    },
    send: (message: Uint8Array) => sent.push(JSON.parse(Buffer.from(message).toString())),
    forget: (sink: WsSink) => forgotten.push(sink.id),
  }
  const sink = new WsSink({ socket, id: 'a', surface: fakeSurface, requestId: 'r' })
  const log = new StreamLog({ capBytes: 1000, retainBytes: 0 }, () => {})
  const results: string[] = []
  const follow = () =>
    sink.follow(
      (onReadable) => log.attach(onReadable),
      ({ result }) => results.push(result),
    )
  return { sink, sent, forgotten, log, results, follow }
}

test('numbers the events of its frames, comments and end marker apart', async (t) => {
  const { sent, log, results, follow, forgotten } = create()
  follow()
  log.append(Buffer.from(': ping\n\ndata: {"n":0}\n\nevent: x\ndata: {"n":1}\n\n'))
  log.append(Buffer.from('data: [DONE]\n\n'))
  log.close(COMPLETE)
  await turn()
  t.match(sent, [
    { type: 'event', seq: 0, data: { n: 0 } },
    { type: 'event', seq: 1, data: { n: 1 } },
    { type: 'done', outcome: 'complete', usage_source: 'provider' },
  ])
  t.same(results, ['delivered'])
  t.same(forgotten, ['a'])
})

test('its end says what the chat has cost, if that is known', async (t) => {
  for (const [costNano, cost] of [
    [285_000, 0.000285],
    [null, undefined],
  ] as const) {
    const { sent, log, follow } = create()
    follow()
    log.append(Buffer.from('data: [DONE]\n\n'))
    log.close({ ...COMPLETE, costNano })
    await turn()
    t.match(sent.at(-1), { type: 'done' })
    t.equal((sent.at(-1) as { cost?: number }).cost, cost)
  }
})

test('ends an ill stream with one error that bears outcome and usage', async (t) => {
  const { sent, log, follow } = create()
  follow()
  log.close({ ...COMPLETE, outcome: 'stalled', error: errorData('upstream_timeout') })
  await turn()
  t.match(sent, [
    { type: 'error', id: 'a', outcome: 'stalled', error: { code: 'upstream_timeout' }, usage: { total_tokens: 0 } },
  ])
  t.equal(sent.length, 1)
})

test('a payload that would not stay within its event ends the chat with an error, and the exchange as cut', async (t) => {
  const { sent, log, results, follow, forgotten } = create()
  follow()
  log.append(Buffer.from('data: {"n":0}\n\ndata: {"a":{}},"type":"done","id":"b","b":{}}\n\ndata: {"n":1}\n\n'))
  log.close(COMPLETE)
  await turn()
  t.match(sent, [
    { type: 'event', seq: 0, data: { n: 0 } },
    { type: 'error', id: 'a', outcome: 'upstream_cut', error: { code: 'upstream_malformed' } },
  ])
  t.equal(sent.length, 2)
  t.same(results, ['upstream_cut'])
  t.same(forgotten, ['a'])
  t.equal(log.readerCount, 0)
})

test('cancels by handle before the stream, by its reader afterwards, and each once', async (t) => {
  let cancels = 0
  const early = create()
  early.sink.hold({ cancel: () => (cancels += 1) })
  early.sink.cancel()
  early.sink.cancel()
  early.sink.leave('client_gone')
  t.equal(cancels, 1)
  early.follow()
  t.same(early.results, ['client_gone'])
  t.equal(early.log.readerCount, 0)
  const late = create()
  late.sink.hold({ cancel: () => (cancels += 1) })
  late.follow()
  late.sink.cancel()
  t.equal(cancels, 1)
  t.same(late.results, ['client_gone'])
  t.same(late.sent, [{ type: 'done', id: 'a', requestId: 'r', outcome: 'client_gone' }])
  t.notOk(late.sink.sendNext())
})

test('a place in the queue is a message of its chat', async (t) => {
  const { sink, sent } = create()
  sink.begin()
  sink.queued({ position: 2, etaMs: 800 })
  sink.queued({ position: 1, etaMs: null })
  t.same(sent, [
    { type: 'queued', id: 'a', position: 2, etaMs: 800 },
    { type: 'queued', id: 'a', position: 1, etaMs: null },
  ])
})

test('is silent after its end', async (t) => {
  const { sink, sent, log, follow } = create()
  sink.leave('slow_reader')
  sink.keepalive()
  sink.begin()
  sink.queued({ position: 1, etaMs: 1 })
  sink.reply({ status: 200, headers: [], body: Buffer.from('{}'), error: null })
  follow()
  log.append(Buffer.from('data: {}\n\n'))
  await turn()
  t.same(sent, [])
})

test('knows when the log has left it behind', async (t) => {
  const { sink, log } = create()
  t.notOk(sink.isCut)
  sink.follow(
    () => log.attach(() => {}),
    () => {},
  )
  for (let i = 0; i < 3; i++) log.append(Buffer.alloc(600))
  await new Promise((resolve) => setImmediate(resolve))
  t.ok(sink.isCut)
})
