// What is held back, and who hears of an end.
import { test } from 'tap'
import { GatewayError } from '../../../src/errors.js'
import { FirstContentGate } from '../../../src/pipeline/delivery/first-content-gate.js'
import { Exchange } from '../../../src/pipeline/exchange.js'
import { FakeSink } from '../../helpers/fake-sink.js'
import { PipelineRig, turn } from '../../helpers/pipeline.js'
import { KEY } from '../../helpers/pipeline-config.js'
import { OPENAI, STREAMS, surfaceOf } from '../../helpers/pipeline-wires.js'

function open() {
  const { parts } = new PipelineRig()
  const body = new Uint8Array(1)
  const sink = new FakeSink()
  const request = { requestId: 'r', surface: surfaceOf(OPENAI), key: KEY, body, parameterHeaders: {}, acceptedAtMs: 0 }
  const exchange = new Exchange(request, sink, parts, () => {})
  return { gate: new FirstContentGate(exchange), exchange, sink }
}

test('frames before content are held back and then come first, each once', async (t) => {
  const { gate, sink } = open()
  const passed = gate.passed()
  gate.append(Buffer.from('a'), false)
  gate.append(Buffer.from('b'), false)
  await turn()
  t.notOk(sink.isFollowing)
  gate.append(Buffer.from('c'), true)
  gate.append(Buffer.from('d'), false)
  await passed
  await turn()
  t.equal(sink.text, 'abcd')
})

test('an upstream that sends much without content is not held back for ever, and nothing of it comes twice', async (t) => {
  const { gate, sink } = open()
  const passed = gate.passed()
  const piece = Buffer.alloc(100_000, '.')
  for (const mark of ['1', '2', '3', '4']) gate.append(Buffer.from(`${mark}${piece}`), false)
  await passed
  await turn()
  t.equal(sink.text.replaceAll('.', ''), '1234')
})

test('an end without any content lets out what was held back', async (t) => {
  const { gate, sink } = open()
  gate.append(Buffer.from('role'), false)
  gate.complete()
  await turn()
  t.equal(sink.text, 'role')
  t.same(sink.deliveries, [{ result: 'delivered', bytes: 4 }])
})

test('before content a failure is dispatch’s to hear, and nothing that was held back comes out', async (t) => {
  const { gate, sink, exchange } = open()
  const passed = gate.passed()
  gate.append(Buffer.from('role'), false)
  const error = new GatewayError('upstream_cut')
  gate.fail(error)
  await t.rejects(passed, error)
  t.notOk(sink.isFollowing)
  t.notOk(exchange.isEnded)
})

test('after content a failure is the client’s to hear', async (t) => {
  const { gate, sink } = open()
  const passed = gate.passed()
  gate.append(Buffer.from('data: 1\n\n'), true)
  await passed
  gate.fail(new GatewayError('upstream_cut'))
  await turn()
  t.match(sink.text, /data: 1\n\ndata: \{"error"/)
})

test('an exchange that has ended stops the wait and notifies no one', async (t) => {
  const { gate, sink } = open()
  const passed = gate.passed()
  gate.abandon()
  await t.rejects(passed, new GatewayError('client_gone'))
  t.equal(sink.answers.length, 0)
})

test('a stream that ends by its finish reason alone, without a marker, is whole', async (t) => {
  const rig = new PipelineRig({ doneMarker: false })
  const sink = await rig.ask()
  const { head, finish } = STREAMS[OPENAI]
  rig.call.head().send(head, finish).end()
  await turn()
  t.equal(rig.record.outcome, 'complete')
  t.ok(sink.text.startsWith(head), 'an empty answer has its head')
  t.match(sink.text, /"finish_reason":"stop"/)
})
