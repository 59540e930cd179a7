// The shape of a stream's chunks: whatever it says without a scan, the scan says too.
import fc from 'fast-check'
import { test } from 'tap'
import { FrameScan, SEEN_CHOICES, SEEN_CONTENT } from '../../../../src/protocols/openai-chat/dialect/frame-scan.js'
import { FrameShape } from '../../../../src/protocols/openai-chat/dialect/frame-shape.js'

function chunk(content: unknown, rest: object = { finish_reason: null }, id = 'c1'): Buffer {
  return Buffer.from(JSON.stringify({ id, choices: [{ index: 0, delta: { content }, ...rest }], usage: null }))
}

function learnt(data: Buffer): FrameShape {
  const shape = new FrameShape()
  const scan = new FrameScan()
  scan.scan(data)
  shape.learn(data, scan)
  return shape
}

test('a chunk that differs in its text alone has its text counted without a scan', async (t) => {
  const shape = learnt(chunk('Hello'))
  t.equal(shape.contentBytesOf(chunk(' world')), 6)
  t.equal(shape.contentBytesOf(chunk('ż "quoted" \\ \n')), Buffer.byteLength(JSON.stringify('ż "quoted" \\ \n')) - 2)
})

test('anything else goes to the scan: no text, another id, a finish reason, usage, no shape yet', async (t) => {
  const shape = learnt(chunk('Hello'))
  t.equal(shape.contentBytesOf(chunk('')), 0)
  t.equal(shape.contentBytesOf(chunk('x', { finish_reason: null }, 'c2')), 0)
  t.equal(shape.contentBytesOf(chunk('x', { finish_reason: 'stop' })), 0)
  t.equal(shape.contentBytesOf(Buffer.from('[DONE]')), 0)
  t.equal(new FrameShape().contentBytesOf(chunk('x')), 0)
})

test('a text that breaks out of its string goes to the scan, though both ends are those of the shape', async (t) => {
  const shape = learnt(chunk('Hello'))
  const raw = (text: string): Buffer =>
    Buffer.from(
      chunk('%')
        .toString()
        .replace('%', () => text),
    )
  t.equal(shape.contentBytesOf(raw('x')), 1)
  for (const text of ['","extra":"', 'a"b', 'a\\', '\n', '\\x']) t.equal(shape.contentBytesOf(raw(text)), 0, text)
})

test('a stream that never matches is not compared for ever', async (t) => {
  const shape = new FrameShape()
  const scan = new FrameScan()
  for (let i = 0; i < 20; i++) {
    const data = chunk('x', { finish_reason: null }, `id-${i}`)
    shape.contentBytesOf(data)
    scan.scan(data)
    shape.learn(data, scan)
  }
  t.equal(shape.contentBytesOf(chunk('y', { finish_reason: null }, 'id-19')), 0)
})

test('a chunk of two texts, or a very long one, teaches no shape', async (t) => {
  const two = Buffer.from('{"choices":[{"delta":{"reasoning":"a","content":"b"}}]}')
  t.equal(learnt(two).contentBytesOf(two), 0)
  const long = chunk('x', { padding: 'p'.repeat(4000) })
  t.equal(learnt(long).contentBytesOf(long), 0)
})

test('whatever the texts are, shape and scan agree', async (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary', minLength: 1 }), (first, second) => {
      const shape = learnt(chunk(first))
      const data = chunk(second)
      const told = shape.contentBytesOf(data)
      const scan = new FrameScan()
      scan.scan(data)
      return told === 0 || (told === scan.contentBytes && scan.seen === (SEEN_CHOICES | SEEN_CONTENT))
    }),
    { numRuns: 2000 },
  )
  t.pass()
})
