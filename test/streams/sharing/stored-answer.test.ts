// A cached answer as bytes: what is stored comes back, and nothing else does.
import { crc32 } from 'node:zlib'
import { test } from 'tap'
import { type CachedAnswer } from '../../../src/streams/sharing/exact-cache.js'
import { decodeAnswer, encodeAnswer } from '../../../src/streams/sharing/stored-answer.js'

const BYTES = Uint8Array.from({ length: 256 }, (_, i) => i)
const ANSWER: CachedAnswer = {
  ...{ kind: 'stream', body: BYTES, contentType: 'text/event-stream; charset=utf-8', requestId: 'r-1' },
  headers: [['x-sluice-target', 'up/m']],
}
const TTL_MS = 60_000

test('an answer comes back byte for byte, also an empty one', (t) => {
  for (const body of [BYTES, new Uint8Array(0)]) {
    const stored = decodeAnswer(encodeAnswer({ answer: { ...ANSWER, body }, ttlMs: TTL_MS }))
    t.same(stored?.answer, { ...ANSWER, body: Buffer.from(body) })
    t.equal(stored?.ttlMs, TTL_MS)
  }
  t.end()
})

test('a value that was cut anywhere, or has one byte altered or added, is no answer', (t) => {
  const value = encodeAnswer({ answer: ANSWER, ttlMs: TTL_MS })
  for (let at = 0; at < value.length; at++) {
    if (decodeAnswer(value.subarray(0, at)) !== null) t.fail(`cut at ${at}`)
    const altered = Buffer.from(value)
    altered[at] = (altered[at] ?? 0) ^ 1
    if (decodeAnswer(altered) !== null) t.fail(`altered at ${at}`)
  }
  t.equal(decodeAnswer(Buffer.concat([value, Buffer.alloc(1)])), null)
  t.equal(decodeAnswer(Buffer.from('something of another program, long enough')), null)
  t.end()
})

/** As if another version, or somebody else, had written it with the right checksum. */
function forge(head: string, length = Buffer.byteLength(head)): Buffer {
  const rest = Buffer.concat([Buffer.alloc(4), Buffer.from(head), BYTES])
  rest.writeUInt32BE(length)
  const sum = Buffer.alloc(4)
  sum.writeUInt32BE(crc32(rest))
  return Buffer.concat([Buffer.from('SLA1'), sum, rest])
}

test('a head that is not one of an answer is no answer, whatever its checksum says', (t) => {
  const { body: _, ...facts } = ANSWER
  const good = { ...facts, ttlMs: TTL_MS }
  t.ok(decodeAnswer(forge(JSON.stringify(good))), 'the right one is')
  t.equal(decodeAnswer(forge(JSON.stringify(good), 10_000)), null)
  const ill = [
    ...[null, [], 1, { ...good, kind: 'error' }, { ...good, contentType: 1 }, { ...good, requestId: undefined }],
    ...[
      { ...good, ttlMs: '1' },
      { ...good, headers: {} },
      { ...good, headers: [['a']] },
      { ...good, headers: [[1, 2]] },
    ],
    ...[
      { ...good, headers: [['a', 'b\r\nset-cookie: c']] },
      { ...good, contentType: 'a\n' },
    ],
  ]
  for (const head of ill) t.equal(decodeAnswer(forge(JSON.stringify(head))), null, JSON.stringify(head))
  t.equal(decodeAnswer(forge('{')), null)
  t.end()
})
