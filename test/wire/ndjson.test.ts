// The NDJSON scanner: one line, one frame, however it is cut.
import fc from 'fast-check'
import { test } from 'tap'
import { NdjsonScanner } from '../../src/wire/ndjson.js'
import { MAX_FRAME_BYTES } from '../../src/wire/scanner.js'
import { cutAtEveryByte, cutAtRandom } from '../helpers/chunks.js'
import { thrownBy } from '../helpers/thrown.js'

function scan(chunks: readonly Buffer[], maxFrameBytes = MAX_FRAME_BYTES) {
  const frames: [payload: string, raw: string][] = []
  const scanner = new NdjsonScanner(
    (payload, raw) => frames.push([payload.toString(), raw.source.subarray(raw.start, raw.end).toString()]),
    { maxFrameBytes },
  )
  for (const chunk of chunks) scanner.push(chunk)
  scanner.end()
  return { frames, pendingBytes: scanner.pendingBytes }
}

test('takes one line as one frame, skips blank ones and tolerates CR LF', async (t) => {
  t.same(scan([Buffer.from('{"a":1}\n\n\r\n{"b":2}\r\n')]).frames, [
    ['{"a":1}', '{"a":1}\n'],
    ['{"b":2}', '{"b":2}\r\n'],
  ])
})

test('reports a last line without its line end only if it is whole', async (t) => {
  t.same(scan([Buffer.from('{"a":1}')]).frames, [['{"a":1}', '{"a":1}\n']])
  t.same(scan([Buffer.from('{"a":1}\r')]).frames, [['{"a":1}', '{"a":1}\r\n']])
  t.same(scan([Buffer.from('{"a":')]), { frames: [], pendingBytes: 5 })
})

test('refuses a line over the cap, in one chunk or in many', async (t) => {
  const line = Buffer.from(`${'x'.repeat(99)}\n`)
  for (const chunks of [[line], cutAtEveryByte(line)]) {
    t.equal(thrownBy(() => scan(chunks, 99)).code, 'upstream_malformed')
    t.equal(scan(chunks, 100).frames.length, 1)
  }
})

test('gives the same frames for any chunks', async () => {
  const streams = fc
    .array(fc.constantFrom('{"a":"é🌊"}', '\n', '\r\n', '{', ' '), { maxLength: 30 })
    .map((parts) => Buffer.from(parts.join('')))
  fc.assert(
    fc.property(streams, fc.array(fc.nat(30), { maxLength: 10 }), (stream, cuts) => {
      const whole = JSON.stringify(scan([stream]))
      return (
        JSON.stringify(scan(cutAtRandom(stream, cuts))) === whole &&
        JSON.stringify(scan(cutAtEveryByte(stream))) === whole
      )
    }),
    { numRuns: 3000 },
  )
})
