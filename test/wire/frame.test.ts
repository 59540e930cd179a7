// The choice of a scanner by framing.
import { test } from 'tap'
import { createFrameScanner } from '../../src/wire/frame.js'
import { thrownBy } from '../helpers/thrown.js'

test('picks the scanner of the framing', async (t) => {
  for (const [framing, text] of [
    ['sse', 'data: {"a":1}\n\n'],
    ['ndjson', '{"a":1}\n'],
  ] as const) {
    const payloads: string[] = []
    createFrameScanner(framing, (payload) => payloads.push(payload.toString())).push(Buffer.from(text))
    t.same(payloads, ['{"a":1}'])
  }
})

test('takes a cap of its own', async (t) => {
  const scanner = createFrameScanner('sse', () => undefined, { maxFrameBytes: 10 })
  t.equal(thrownBy(() => scanner.push(Buffer.from('data: 1234567890'))).code, 'upstream_malformed')
})
