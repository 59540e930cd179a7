// Ids: their form, that none is zero, and that random bytes are fetched in blocks.
import { test } from 'tap'
import { SpanIds } from '../../../src/telemetry/traces/span-ids.js'

test('ids are lower-case hex, never all zeros, and each byte is used once', (t) => {
  let blocks = 0
  const ids = new SpanIds((block) => {
    blocks += 1
    for (let i = 0; i < block.length; i++) block[i] = i < 16 ? 0 : i % 251
  })
  t.equal(ids.traceId(), '101112131415161718191a1b1c1d1e1f', 'the first sixteen bytes are zeros')
  t.equal(ids.spanId(), '2021222324252627')
  const seen = Array.from({ length: 5000 }, () => ids.spanId())
  for (const id of seen) t.match(id, /^[0-9a-f]{16}$/)
  t.equal(blocks, 10)
  t.end()
})

test('they are random', (t) => {
  const ids = new SpanIds()
  const seen = new Set(Array.from({ length: 1000 }, () => ids.traceId()))
  t.equal(seen.size, 1000)
  t.end()
})
