// The two spellings of the WebSocket protocol.
import { isUtf8 } from 'node:buffer'
import fc from 'fast-check'
import { unpack } from 'msgpackr'
import { test } from 'tap'
import { createJsonCodec, createMsgpackCodec, eventHead, readErrorMember } from '../../../src/server/websocket/codec.js'
import { pack } from '../../../src/wire/pack.js'
import { assertHolds } from '../../helpers/fuzz.js'

const PAYLOADS = ['{}', '{"a":"é\\u2028","b":[1,2]}', `{"long":"${'x'.repeat(100_000)}"}`]
const ILL = ['', '[DONE]', '[1]', '{"a":1', 'null', '"{}"']

function exact(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer
}

test('splices an event of any size and id into JSON that reads back', async (t) => {
  const codec = createJsonCodec()
  for (const id of ['a1', '"quoted"', 'é\n']) {
    for (const payload of PAYLOADS) {
      const bytes = codec.encodeEvent(eventHead(id), id, 4_000_000_000, Buffer.from(payload))
      const wanted = { type: 'event', id, seq: 4_000_000_000, data: JSON.parse(payload) }
      t.same(JSON.parse(Buffer.from(bytes ?? []).toString()), wanted)
    }
  }
})

test('packs an event as the same object', async (t) => {
  const codec = createMsgpackCodec()
  for (const payload of PAYLOADS) {
    const bytes = codec.encodeEvent(eventHead('a'), 'a', 7, Buffer.from(payload))
    t.same(unpack(Buffer.from(bytes ?? [])), { type: 'event', id: 'a', seq: 7, data: JSON.parse(payload) })
  }
})

test('never writes a text frame that is not UTF-8', async (t) => {
  const bytes = createJsonCodec().encodeEvent(eventHead('a'), 'a', 0, Buffer.from('{"a":"\xff\xc3"}', 'latin1'))
  t.same(JSON.parse(Buffer.from(bytes ?? []).toString()).data, { a: '\ufffd\ufffd' })
  t.ok(isUtf8(bytes ?? Buffer.from([0xff])))
})

test('makes no event of what is no object', async (t) => {
  for (const codec of [createJsonCodec(), createMsgpackCodec()]) {
    for (const payload of ILL) t.equal(codec.encodeEvent(eventHead('a'), 'a', 0, Buffer.from(payload)), null)
  }
  t.equal(createMsgpackCodec().encodeEvent(eventHead('a'), 'a', 0, Buffer.from('{ill}')), null)
})

test('whatever an upstream sends as an event, no byte of it becomes a member of the frame around it', (t) => {
  const codec = createJsonCodec()
  const head = eventHead('a')
  const forgery = fc.tuple(fc.json({ maxDepth: 2 }), fc.json({ maxDepth: 1 })).map(([data, value]) => {
    return `{"a":${data}},"type":"done","id":"victim","x":{"b":${value}}}`
  })
  const shuffled = fc.string({
    unit: fc.constantFrom(...'{}[]",:\\ae0 '.split(''), '"type":"done"', '"id":"victim"', '},'),
  })
  const inputs = fc.oneof(
    forgery,
    shuffled.map((text) => `{${text}}`),
    fc.json().map((text) => `{"a":${text}}`),
  )
  let sent = 0
  assertHolds({ name: 'ws-events', inputs }, (payload) => {
    const bytes = codec.encodeEvent(head, 'a', 3, Buffer.from(payload))
    if (bytes === null) return true
    sent += 1
    const text = Buffer.from(bytes).toString()
    const { data, ...rest } = JSON.parse(text) as Record<string, unknown>
    // A name that stands twice in the text would be lost on the way through an object.
    return (
      JSON.stringify(rest) === '{"type":"event","id":"a","seq":3}' &&
      text === `${head}3,"data":${payload}}` &&
      isObject(data)
    )
  })
  t.ok(sent > 1000, `${sent} events`)
  t.end()
})

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

test('reads frames in its own spelling', async (t) => {
  t.same(createJsonCodec().decode(exact(Buffer.from('{"type":"ping"}'))).message, { type: 'ping' })
  t.same(createMsgpackCodec().decode(exact(pack({ type: 'ping' }))).message, { type: 'ping' })
})

test('finds the error of an envelope, or says that there was one', async (t) => {
  t.same(readErrorMember(Buffer.from('{"error":{"code":"x"}}')), { code: 'x' })
  t.match(readErrorMember(Buffer.from('{"error":"text"}')), { type: 'server_error' })
  t.match(readErrorMember(Buffer.from('[]')), { type: 'server_error' })
})
