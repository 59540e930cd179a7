// Tasks as envelopes: there and back gives what the codec gives, errors included.
import { test } from 'tap'
import { GatewayError } from '../../../src/errors.js'
import { createCodec } from '../../../src/protocols/contract/codec.js'
import {
  answerTask,
  buffersOf,
  type CodecTask,
  emptyEnvelope,
  packTask,
  performTask,
  unpackReply,
} from '../../../src/protocols/contract/envelope.js'
import { encodeText } from '../../../src/wire/json.js'
import { FAKE_PROTOCOLS, fakeTarget } from '../../helpers/fake-protocol.js'
import { thrownBy } from '../../helpers/thrown.js'

const codec = createCodec(FAKE_PROTOCOLS)
const fallback = { id: 'r', model: 'm', createdSec: 1, usage: null }
const body = () => encodeText('{"model":"m","text":"hé"}')
const cross = <K extends CodecTask['kind']>(task: Extract<CodecTask, { kind: K }>) =>
  unpackReply<K>(task.kind, answerTask(codec, packTask(task)))

test('gives the same results as on one thread, the parsed body aside', async (t) => {
  const decoded = cross<'decode'>({ kind: 'decode', isSkimmed: false, surfaceId: 'fake-sse', body: body() })
  const { facts, members } = decoded
  t.same(decoded, {
    ...performTask(codec, { kind: 'decode', isSkimmed: false, surfaceId: 'fake-sse', body: body() }),
    json: null,
  })
  const parts = {
    surfaceId: 'fake-sse',
    json: null,
    head: null,
    facts,
    members,
    prompt: null,
    upstreamStream: false,
    fallback,
  } as const
  const tasks: CodecTask[] = [
    { ...parts, kind: 'encode', body: body(), target: fakeTarget('fake-sse') },
    { ...parts, kind: 'encode', body: body(), target: fakeTarget('fake-lines') },
    { ...parts, kind: 'aggregate', body: encodeText('data: {"done":true}\n\n'), target: fakeTarget('fake-sse') },
    { ...parts, kind: 'transcode', body: encodeText('{"text":"x"}'), target: fakeTarget('fake-sse') },
  ]
  for (const task of tasks) t.same(cross(task), performTask(codec, task), task.kind)
})

test('never lets the sent body and the original share memory', async (t) => {
  const { facts, members } = codec.decodeBody('fake-sse', body())
  const target = fakeTarget('fake-sse', 'm')
  const task = {
    kind: 'encode',
    surfaceId: 'fake-sse',
    json: null,
    head: null,
    facts,
    members,
    target,
    prompt: null,
    upstreamStream: false,
  } as const
  const encoded = cross<'encode'>({ ...task, body: body() })
  t.same(encoded.body, encoded.original)
  t.not(encoded.body.buffer, encoded.original.buffer)
})

test('moves buffers that hold nothing but the task', async (t) => {
  const wide = new Uint8Array(1000).subarray(10, 20)
  const envelope = packTask({ kind: 'decode', isSkimmed: false, surfaceId: 'fake-sse', body: wide })
  t.same(
    buffersOf(envelope).map((buffer) => buffer.byteLength),
    [envelope.head.byteLength, 10],
  )
  const pooled = packTask({ kind: 'decode', isSkimmed: false, surfaceId: 'fake-sse', body: Buffer.from('short') })
  t.not(pooled.body.buffer, Buffer.from('x').buffer, "Node's pool of small buffers stays where it is")
  t.equal(pooled.body.buffer.byteLength, 5)
  const own = body()
  t.equal(
    packTask({ kind: 'decode', isSkimmed: false, surfaceId: 'fake-sse', body: own }).body,
    own,
    'not copied without need',
  )
  t.equal(buffersOf({ ...envelope, original: own }).length, 3)
  const { facts, members } = codec.decodeBody('fake-sse', body())
  const edit = { surfaceId: 'fake-sse', json: null, head: null, facts, members, prompt: null, upstreamStream: false }
  const target = fakeTarget('fake-sse')
  const reply = answerTask(codec, packTask({ ...edit, kind: 'encode', body: body(), target }))
  t.not(reply.body.byteLength, body().byteLength, 'edited')
  t.equal(reply.body.buffer.byteLength, reply.body.byteLength)
})

test('carries a typed error across, and makes internal of any other', async (t) => {
  const error = thrownBy(() =>
    cross<'decode'>({ kind: 'decode', isSkimmed: false, surfaceId: 'fake-sse', body: encodeText('{}') }),
  )
  t.equal(error.code, 'invalid_request')
  t.equal(error.param, 'model')
  for (const thrown of [new TypeError('a bug'), 'a bug']) {
    const broken = { ...codec, decodeBody: () => { throw thrown } } // biome-ignore format: short
    const reply = answerTask(broken, packTask({ kind: 'decode', isSkimmed: false, surfaceId: 'x', body: body() }))
    try {
      unpackReply('decode', reply)
      t.fail('nothing was thrown')
    } catch (caught) {
      t.ok(caught instanceof GatewayError)
      t.equal((caught as GatewayError).data.code, 'internal')
      t.match(String((caught as GatewayError).cause), 'a bug')
    }
  }
})

test('what an answer needs of its request crosses with the body', async (t) => {
  const echoing = createCodec(
    FAKE_PROTOCOLS.map((protocol) => {
      const { surface } = protocol
      return surface === null
        ? protocol
        : { ...protocol, surface: { ...surface, readEcho: () => ({ list: [1, null] }) } }
    }),
  )
  const { facts, members } = codec.decodeBody('fake-sse', body())
  for (const protocol of ['fake-sse', 'fake-lines']) {
    const rest = {
      json: null,
      head: null,
      facts,
      members,
      prompt: null,
      upstreamStream: false,
      target: fakeTarget(protocol),
    }
    const task: CodecTask = { kind: 'encode', surfaceId: 'fake-sse', body: body(), ...rest }
    t.same(unpackReply('encode', answerTask(echoing, packTask(task))).echo, { list: [1, null] }, protocol)
  }
})

test('an envelope that is emptied keeps none of its bytes; what was unpacked of it does', async (t) => {
  const envelope = answerTask(
    codec,
    packTask({ kind: 'decode', isSkimmed: false, surfaceId: 'fake-sse', body: body() }),
  )
  const result = unpackReply('decode', envelope)
  emptyEnvelope(envelope)
  t.same(
    buffersOf(envelope).map((buffer) => buffer.byteLength),
    [0, 0],
  )
  t.same(result.body, body())
})
