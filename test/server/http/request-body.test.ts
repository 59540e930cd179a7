// Collecting a body: exact buffers, the limit, and letting go.
import { test } from 'tap'
import { GatewayError } from '../../../src/errors.js'
import { RequestBody } from '../../../src/server/http/request-body.js'

function bytesOf(text: string): ArrayBuffer {
  return new Uint8Array(Buffer.from(text)).buffer
}

function collect(contentLength: number, maxBytes: number, roomBytes = Number.POSITIVE_INFINITY) {
  const bodies: Uint8Array<ArrayBuffer>[] = []
  const tooLarge: number[] = []
  const events = {
    onBody: (body: Uint8Array<ArrayBuffer>) => bodies.push(body),
    onTooLarge: (bytes: number) => tooLarge.push(bytes),
    onNoRoom: (refusal: GatewayError) => noRoom.push(refusal),
    reserve: () => {
      opened += 1
      return {
        grow(bytes: number) {
          if (bytes > roomBytes) return new GatewayError('overloaded')
          reserved.push(bytes)
          return null
        },
        release: () => reserved.push(0),
      }
    },
  }
  let opened = 0
  const reserved: number[] = []
  const noRoom: GatewayError[] = []
  const collector = new RequestBody(contentLength, maxBytes, events)
  return { collector, bodies, tooLarge, reserved, noRoom, opened: () => opened }
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

test('reserves a declared length at once, an unknown one as it grows, and releases it when the body is complete', async (t) => {
  const part = new ArrayBuffer(10_000)
  const known = collect(30_000, 1_000_000)
  for (const isLast of [false, false, true]) known.collector.push(part, isLast)
  t.same(known.reserved, [30_000, 0])
  const unknown = collect(-1, 40_000)
  for (const isLast of [false, false, false, true]) unknown.collector.push(part, isLast)
  t.same(unknown.reserved, [16_384, 32_768, 40_000, 0])
  t.equal(known.bodies.length + unknown.bodies.length, 2)
})

test('a body that arrives at once reserves nothing, and neither does a head alone', async (t) => {
  const whole = collect(3, 10)
  t.equal(whole.opened(), 0)
  whole.collector.push(bytesOf('abc'), true)
  t.equal(whole.opened(), 0)
  t.same(whole.reserved, [])
})

test('a body that exceeds the memory is rejected once and releases its reservation', async (t) => {
  const { collector, noRoom, reserved, bodies } = collect(-1, 1_000_000, 20_000)
  collector.push(new ArrayBuffer(10_000), false)
  collector.push(new ArrayBuffer(10_000), false)
  collector.push(new ArrayBuffer(10_000), true)
  t.equal(noRoom.length, 1)
  t.same(reserved, [16_384, 0])
  t.same(bodies, [])
  collector.stop()
  t.same(reserved, [16_384, 0], 'given back once')
})
