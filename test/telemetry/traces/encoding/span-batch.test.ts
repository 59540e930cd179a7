// The bytes of a batch, read by OpenTelemetry's schema, and compared with those of OpenTelemetry's own encoder.
import { ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer'
import { test } from 'tap'
import {
  attributeName,
  CLIENT,
  encodeAttribute,
  encodeHead,
  SERVER,
  SpanBatch,
  type SpanStart,
} from '../../../../src/telemetry/traces/encoding/span-batch.js'
import { loadDecoder, readable } from '../../../helpers/otlp.js'

const HEAD = encodeHead({ 'service.name': 'gate', long: 'x'.repeat(300) }, { name: 'sluice', version: '1.2.3' })
const SPAN: SpanStart = {
  ...{ traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902ff', place: 0, parentId: null },
  ...{ parentPlace: 0, isParentRemote: false, state: '', name: 'POST chat', kind: SERVER },
  ...{ startMs: 1_700_000_000_000.25, endMs: 1_700_000_001_999.999 },
}
const NAME = attributeName('name')
const decode = await loadDecoder()

/** Of one byte in UTF-8, of two, three and four, and half a pair, which no encoding has. */
const TEXTS = [
  '',
  'plain',
  'é',
  '語',
  '😀',
  '\ud800',
  'x'.repeat(121),
  'x'.repeat(122),
  'é'.repeat(70),
  'x'.repeat(20_000),
]
const NUMBERS = [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2 ** 31 - 1, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER]

test('texts of any length and script, whole numbers and fractions come out as they went in', (t) => {
  const batch = new SpanBatch(HEAD, 0)
  for (const text of TEXTS) {
    batch.startSpan({ ...SPAN, name: text, state: text })
    batch.text(NAME, text)
    batch.endSpan(false)
  }
  for (const value of NUMBERS) {
    batch.startSpan(SPAN)
    batch.int(NAME, value)
    batch.encoded(encodeAttribute('known', value))
    batch.double(attributeName('share'), value / 3)
    batch.endSpan(true)
  }
  t.equal(batch.spans, TEXTS.length + NUMBERS.length)
  const spans = decode(batch.finish())
  t.same(
    spans.slice(0, TEXTS.length).map(({ name, state, attributes }) => [name, state, attributes.name]),
    TEXTS.map((text) => text.replace('\ud800', '\ufffd')).map((text) => [text, text, text]),
  )
  t.same(
    spans.slice(TEXTS.length).map(({ attributes }) => attributes),
    NUMBERS.map((value) => ({ name: value, known: value, share: value / 3 })),
  )
  t.same([spans[0]?.status, spans.at(-1)?.status], ['unset', 'error'])
  t.match(spans[0]?.resource, { 'service.name': 'gate', long: 'x'.repeat(300) })
  t.end()
})

test('OpenTelemetry\u2019s encoder has the same spans', (t) => {
  const batch = new SpanBatch(HEAD, 0)
  const parent = { parentId: 'aaaaaaaaaaaaaaaa', isParentRemote: true, state: 'v=1' }
  batch.startSpan({ ...SPAN, ...parent })
  batch.text(NAME, 'text')
  batch.int(attributeName('count'), 300)
  batch.double(attributeName('share'), 0.5)
  batch.encoded(encodeAttribute('is', true))
  batch.encoded(encodeAttribute('list', ['stop']))
  batch.link({ traceId: 'f'.repeat(32), spanId: '1'.repeat(16), isSampled: true })
  batch.endSpan(false)
  batch.startSpan({ ...SPAN, place: 1, parentId: SPAN.spanId, kind: CLIENT })
  batch.endSpan(true)
  const ours = decode(batch.finish())
  t.same(decode(ProtobufTraceSerializer.serializeRequest(ours.map(readable)) ?? new Uint8Array()), ours)
  t.match(ours, [
    { startNs: 1_700_000_000_000_250_000n, endNs: 1_700_000_001_999_999_023n, flags: 0x301, state: 'v=1' },
    { spanId: '00f067aa0ba90300', parentId: SPAN.spanId, flags: 0x101 },
  ])
  t.same(ours[0]?.attributes, { name: 'text', count: 300, share: 0.5, is: true, list: ['stop'] })
  t.same(ours[0]?.links, [`${'f'.repeat(32)}-${'1'.repeat(16)}`])
  t.end()
})

test('a span that was never ended leaves nothing behind', (t) => {
  const batch = new SpanBatch(HEAD, 0)
  batch.startSpan(SPAN)
  batch.text(NAME, 'first')
  batch.startSpan(SPAN)
  batch.text(NAME, 'second')
  batch.endSpan(false)
  batch.startSpan(SPAN)
  t.same(
    decode(batch.finish()).map(({ attributes }) => attributes),
    [{ name: 'second' }],
  )
  t.equal(batch.spans, 1)
  t.end()
})
