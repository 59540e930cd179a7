// The SSE scanner against a slow, literal reading of the WHATWG grammar, cut at every byte and at random.
import fc from 'fast-check'
import { test } from 'tap'
import { GatewayError } from '../../src/errors.js'
import { MAX_FRAME_BYTES, type RawSpan } from '../../src/wire/scanner.js'
import { encodeSseFrame, SseScanner } from '../../src/wire/sse.js'
import { cutAtEveryByte, cutAtRandom } from '../helpers/chunks.js'
import { cpuMsOf } from '../helpers/own-time.js'
import { thrownBy } from '../helpers/thrown.js'

type Frame = { payload: string; raw: string }

function scan(chunks: readonly Buffer[], maxFrameBytes = MAX_FRAME_BYTES): { frames: Frame[]; pendingBytes: number } {
  const frames: Frame[] = []
  const scanner = new SseScanner(
    (payload, raw) => {
      frames.push({
        payload: payload.toString('latin1'),
        raw: raw.source.subarray(raw.start, raw.end).toString('latin1'),
      })
    },
    { maxFrameBytes },
  )
  for (const chunk of chunks) scanner.push(chunk)
  scanner.end()
  return { frames, pendingBytes: scanner.pendingBytes }
}

function payloads(text: string): string[] {
  return scan([Buffer.from(text)])
    .frames.map((frame) => frame.payload)
    .filter((payload) => payload !== '')
}

/** What a browser would dispatch: split into lines, group by blank lines, join the data. */
function readLiterally(text: string): string[] {
  const lines = text.replace(/^\u00ef\u00bb\u00bf/, '').split(/\r\n|\n|\r/)
  const dispatched: string[] = []
  let data: string[] = []
  for (const line of lines.slice(0, -1)) {
    if (line === '') {
      if (data.join('\n') !== '') dispatched.push(data.join('\n'))
      data = []
    } else if (line === 'data') data.push('')
    else if (line.startsWith('data:')) data.push(line.slice(5).replace(/^ /, ''))
  }
  return dispatched
}

test('reads the data of a frame in every spelling', async (t) => {
  t.same(payloads('data: {"a":1}\n\n'), ['{"a":1}'], 'with a space')
  t.same(payloads('data:{"a":1}\n\n'), ['{"a":1}'], 'without a space')
  t.same(payloads('data:  two\n\n'), [' two'], 'only one space goes')
  t.same(payloads('event: x\ndata: 1\nid: 7\n\n'), ['1'], 'other fields are ignored')
  t.same(payloads(': ping\n\ndata: 1\n\n'), ['1'], 'comments are ignored')
  t.same(payloads('data: a\ndata: b\ndata\ndata:c\n\n'), ['a\nb\n\nc'], 'several data lines')
  t.same(payloads('data: a\r\n\r\ndata: b\r\rdata: c\n\n'), ['a', 'b', 'c'], 'all three line ends')
  t.same(payloads('data: a\r\ndata: b\r\n\r\n'), ['a\nb'], 'several data lines that end in CR LF')
  t.same(payloads('\ufeffdata: a\n\n'), ['a'], 'a BOM at the start')
  t.same(payloads('database: 1\ndata : 2\nDATA: 3\n\n'), [], 'fields that merely look like data')
  t.same(payloads('\n\n\ndata: a\n\n\n\n\ndata: b\n\n'), ['a', 'b'], 'extra blank lines')
  t.same(payloads('data\n\n'), [], 'empty data is nothing')
})

test('reports frames without data with an empty payload, so that a passthrough may keep them', async (t) => {
  t.same(scan([Buffer.from(': ping\n\nevent: x\n\n\n')]).frames, [
    { payload: '', raw: ': ping\n\n' },
    { payload: '', raw: 'event: x\n\n' },
    { payload: '', raw: '\n' },
  ])
})

test('gives frames of one chunk as touching spans of that chunk, without a copy', async (t) => {
  const chunk = Buffer.from('data: 1\n\nevent: e\ndata: 2\n\n: c\n\ndata: 3\n\n')
  let end = 0
  const scanner = new SseScanner(
    (_payload, raw: RawSpan) => {
      t.equal(raw.source, chunk)
      t.equal(raw.start, end)
      end = raw.end
    },
    { maxFrameBytes: MAX_FRAME_BYTES },
  )
  scanner.push(chunk)
  t.equal(end, chunk.length)
  t.equal(scanner.pendingBytes, 0)
})

test('keeps nothing of a chunk: a cut frame lies in a buffer of its own, never used again', async (t) => {
  const kept: Buffer[] = []
  const scanner = new SseScanner((_payload, raw) => kept.push(raw.source.subarray(raw.start, raw.end)), {
    maxFrameBytes: MAX_FRAME_BYTES,
  })
  for (const text of ['data: o', 'ne\n\nda', 'ta: two\n\n']) {
    const chunk = Buffer.from(text)
    scanner.push(chunk)
    if (!text.startsWith('ne')) chunk.fill(0)
  }
  t.same(
    kept.map((bytes) => bytes.toString()),
    ['data: one\n\n', 'data: two\n\n'],
  )
})

test('at the end reports a tail that lacks only its terminator, and adds that', async (t) => {
  const tail = (text: string) => scan([Buffer.from(text)])
  t.same(tail('data: [DONE]').frames, [{ payload: '[DONE]', raw: 'data: [DONE]\n\n' }])
  t.same(tail('data: [DONE]\n').frames, [{ payload: '[DONE]', raw: 'data: [DONE]\n\n' }])
  t.same(tail('data: x\r').frames, [{ payload: 'x', raw: 'data: x\r\n\n' }])
  t.same(tail('data: x\r\n').frames, [{ payload: 'x', raw: 'data: x\r\n\n' }])
  t.same(tail('data: x\r\r').frames, [{ payload: 'x', raw: 'data: x\r\r' }])
  t.same(tail('data: {"a":[1]}').frames, [{ payload: '{"a":[1]}', raw: 'data: {"a":[1]}\n\n' }])
  t.same(tail('data: {"a":').frames, [], 'cut inside its JSON')
  t.equal(tail('data: {"a":').pendingBytes, 11)
  t.same(tail('data: 12').frames, [], 'a bare number may go on')
  t.same(tail('data: [1,2').frames, [])
  t.same(scan([Buffer.from('data: {"a":"\xff"}', 'latin1')]).frames, [], 'ill-formed UTF-8')
  t.same(tail('data').frames, [])
  t.same(scan([Buffer.from([0xef, 0xbb])]).frames, [], 'half a BOM')
})

test('refuses a frame over the cap, in one chunk or in many', async (t) => {
  const text = `data: ${'x'.repeat(200)}\n\n`
  for (const chunks of [[Buffer.from(text)], cutAtEveryByte(Buffer.from(text))]) {
    t.equal(thrownBy(() => scan(chunks, 100)).code, 'upstream_malformed')
    t.equal(scan(chunks, text.length).frames.length, 1)
  }
  t.throws(() => scan([Buffer.from('x'.repeat(101))], 100), GatewayError)
})

const HARD = [
  'data: héllo 🌊 \u2028\n\nevent: e\ndata: {"x":"日本"}\n\n: c\n\ndata: [DONE]\n\n',
  'data: a\r\ndata: b\r\n\r\nevent: e\r\n\r\n\r\ndata: c\r\n\r\n',
  'data: a\r\rdata: b\rdata: c\r\r\r\ndata: d\n\r\ndata: e\n\n',
  'data: a\rdata: b\r\n\r\ndata: c\r\n\ndata: d\r\n\r\n\r\n',
  '\ufeffdata: a\n\ndata: b\n\r\ndata\n\ndata:\n\n\n\n\ndata: {"cut":1}',
  '\ufeff\n\ndata: x\n\n',
]

test('gives the same frames for a stream cut at every byte', async (t) => {
  for (const text of HARD) {
    const bytes = Buffer.from(text)
    const whole = scan([bytes])
    t.same(scan(cutAtEveryByte(bytes)), whole)
    for (let at = 0; at <= bytes.length; at++) t.same(scan([bytes.subarray(0, at), bytes.subarray(at)]), whole)
  }
})

const streams = fc
  .array(
    fc.constantFrom('data: ', 'data:', 'data', '\n', '\n\n', '\r', '\r\n', '{"a":1}', 'x', ': c', 'é', ' ', '\ufeff'),
    {
      maxLength: 40,
    },
  )
  .map((parts) => Buffer.from(parts.join('')))

test('reads what the WHATWG grammar reads, for any stream in any chunks', async () => {
  fc.assert(
    fc.property(streams, fc.array(fc.nat(60), { maxLength: 12 }), (stream, cuts) => {
      const whole = scan([stream])
      // The grammar drops an unfinished tail; end it as the scanner would have.
      const text = stream.toString('latin1')
      const dispatched = readLiterally(text)
      const read = whole.frames.map((frame) => frame.payload).filter((payload) => payload !== '')
      const isTailReported = read.length === dispatched.length + 1
      const same = JSON.stringify(isTailReported ? read.slice(0, -1) : read) === JSON.stringify(dispatched)
      const rechunked = scan(cutAtRandom(stream, cuts))
      return same && JSON.stringify(rechunked) === JSON.stringify(whole)
    }),
    { numRuns: 10_000 },
  )
})

test('loses no byte: raw frames and the pending tail are the stream itself', async () => {
  fc.assert(
    fc.property(streams, fc.array(fc.nat(60), { maxLength: 12 }), (stream, cuts) => {
      let raw = ''
      const scanner = new SseScanner(
        (_payload, span) => {
          raw += span.source.subarray(span.start, span.end).toString('latin1')
        },
        { maxFrameBytes: MAX_FRAME_BYTES },
      )
      for (const chunk of cutAtRandom(stream, cuts)) scanner.push(chunk)
      const text = stream.toString('latin1').replace(/^\u00ef\u00bb\u00bf/, '')
      return raw === text.slice(0, raw.length) && raw.length + scanner.pendingBytes === text.length
    }),
    { numRuns: 3000 },
  )
})

test('takes time in proportion to the bytes of a huge frame, however small its chunks and lines', async (t) => {
  const size = 2 * 1024 * 1024
  const huge = Buffer.from(`data: ${'x'.repeat(size)}\n\n`)
  const bits: Buffer[] = []
  for (let at = 0; at < huge.length; at += 7) bits.push(huge.subarray(at, at + 7))
  // Quadratic copying would move 300 GB here, linear moves 6 MB.
  t.equal(scan(bits).frames[0]?.payload.length, size)
  const lines = scan([Buffer.from('data\r'.repeat(400_000)), Buffer.from('\r\r')])
  t.equal(lines.frames[0]?.payload.length, 399_999)
})

test('does not search a whole chunk for the LF of each frame that ends with CR', async (t) => {
  const frames = 300_000
  const chunk = Buffer.from(`: a\r\r${'data: b\r\r'.repeat(frames)}\n`)
  let found = 0
  const scanner = new SseScanner(() => void found++, { maxFrameBytes: MAX_FRAME_BYTES })
  // 400 GB would be searched otherwise, which takes half a minute.
  t.ok(cpuMsOf(() => scanner.push(chunk)) < 5000)
  t.equal(found, frames + 1)
})

test('writes frames that it reads back', async (t) => {
  t.equal(encodeSseFrame('{"a":1}'), 'data: {"a":1}\n\n')
  t.equal(encodeSseFrame('{}', 'ping'), 'event: ping\ndata: {}\n\n')
  t.same(payloads(encodeSseFrame('{}', 'ping') + encodeSseFrame('{"a":1}')), ['{}', '{"a":1}'])
})
