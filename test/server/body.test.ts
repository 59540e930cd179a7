// Collecting a body: exact buffers, the limit, and letting go.
import { test } from 'tap'
import { BodyCollector } from '../../src/server/body.js'

function bytesOf(text: string): ArrayBuffer {
  return new Uint8Array(Buffer.from(text)).buffer
}

function collect(contentLength: number, maxBytes: number) {
  const bodies: Uint8Array<ArrayBuffer>[] = []
  const tooLarge: number[] = []
  const events = {
    onBody: (body: Uint8Array<ArrayBuffer>) => bodies.push(body),
    onTooLarge: (bytes: number) => tooLarge.push(bytes),
  }
  return { collector: new BodyCollector(contentLength, maxBytes, events), bodies, tooLarge }
}

test('gives a body of any chunking in an exact buffer of its own', async (t) => {
  const text = 'The quick brown fox'.repeat(2000)
  for (const contentLength of [text.length, -1]) {
    for (const size of [1, 7, 16_384, 20_000, text.length]) {
      const { collector, bodies } = collect(contentLength, 1_000_000)
      for (let at = 0; at < text.length; at += size)
        collector.push(bytesOf(text.slice(at, at + size)), at + size >= text.length)
      t.equal(Buffer.from(bodies[0] ?? []).toString(), text)
      t.equal(bodies[0]?.buffer.byteLength, text.length)
      t.equal(bodies.length, 1)
    }
  }
})

test("does not keep the engine's own chunk", async (t) => {
  const { collector, bodies } = collect(3, 10)
  const chunk = bytesOf('abc')
  collector.push(chunk, true)
  new Uint8Array(chunk).fill(0)
  t.equal(Buffer.from(bodies[0] ?? []).toString(), 'abc')
})

test('takes the limit and not a byte more', async (t) => {
  const exact = collect(-1, 4)
  exact.collector.push(bytesOf('ab'), false)
  exact.collector.push(bytesOf('cd'), true)
  t.equal(exact.bodies[0]?.length, 4)
  const over = collect(-1, 4)
  over.collector.push(bytesOf('ab'), false)
  over.collector.push(bytesOf('cde'), false)
  over.collector.push(bytesOf('f'), true)
  t.same(over.tooLarge, [5])
  t.equal(over.bodies.length, 0)
})

test('an empty last chunk ends a body, and nothing at all is an empty one', async (t) => {
  const { collector, bodies } = collect(-1, 10)
  collector.push(bytesOf('ab'), false)
  collector.push(new ArrayBuffer(0), true)
  t.equal(Buffer.from(bodies[0] ?? []).toString(), 'ab')
  const none = collect(-1, 10)
  none.collector.push(new ArrayBuffer(0), true)
  t.equal(none.bodies[0]?.length, 0)
})

test('is silent once stopped', async (t) => {
  const { collector, bodies, tooLarge } = collect(-1, 2)
  collector.push(bytesOf('a'), false)
  collector.stop()
  collector.push(bytesOf('bcd'), true)
  t.equal(bodies.length + tooLarge.length, 0)
  t.equal(collector.receivedBytes, 1)
})
