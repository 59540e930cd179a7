// MessagePack: our own envelopes, and what a client may send.
import fc from 'fast-check'
import { Packr } from 'msgpackr'
import { test } from 'tap'
import { pack, unpack, unpackUntrusted } from '../../src/wire/pack.js'
import { thrownBy } from '../helpers/thrown.js'

const MAX = 1 << 20
// msgpackr renames a key `__proto__`; envelopes hold none, and a client's is refused.
const values = fc.jsonValue().filter((value) => !JSON.stringify(value).includes('__proto__'))
const bytes = (...values: number[]) => Uint8Array.from(values)
const refusal = (message: Uint8Array) => thrownBy(() => unpackUntrusted(message, MAX))

test('packs into a buffer of exactly its size, that the next pack leaves alone', async (t) => {
  const first = pack({ a: [1, 'é', null, true, -1.5], n: 2 ** 40 })
  const second = pack({ b: 'x'.repeat(100_000) })
  t.equal(first.buffer.byteLength, first.byteLength)
  t.equal(second.buffer.byteLength, second.byteLength)
  t.same(unpack(first), { a: [1, 'é', null, true, -1.5], n: 2 ** 40 })
})

test('carries any plain JSON there and back', async () => {
  fc.assert(
    fc.property(values, (value) => JSON.stringify(unpack(pack(value))) === JSON.stringify(value)),
    { numRuns: 2000 },
  )
})

test('reads from a client any plain JSON that another packer wrote', async () => {
  const foreign = new Packr({ useRecords: false, variableMapSize: true })
  fc.assert(
    fc.property(values, (value) => {
      const read = unpackUntrusted(new Uint8Array(foreign.pack(value)), MAX)
      return JSON.stringify(read) === JSON.stringify(value)
    }),
    { numRuns: 3000 },
  )
})

test('reads every format that JSON has', async (t) => {
  const read = (...values: number[]) => unpackUntrusted(bytes(...values), MAX)
  t.equal(read(0xcc, 200), 200)
  t.equal(read(0xcd, 1, 0), 256)
  t.equal(read(0xce, 0, 1, 0, 0), 65536)
  t.equal(read(0xcf, 0, 0, 0, 1, 0, 0, 0, 0), 2 ** 32)
  t.equal(read(0xd0, 0x80), -128)
  t.equal(read(0xd1, 0xff, 0), -256)
  t.equal(read(0xd2, 0xff, 0xff, 0, 0), -65536)
  t.equal(read(0xd3, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0), -(2 ** 32))
  t.equal(read(0xff), -1)
  t.equal(read(0x45), 0x45, 'msgpackr would take this for a record if it knew one')
  t.equal(read(0xca, 0x3f, 0x80, 0, 0), 1)
  t.equal(read(0xcb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0), 1)
  t.same(read(0xdc, 0, 1, 0xc0), [null])
  t.same(read(0xdd, 0, 0, 0, 1, 0xc2), [false])
  t.same(read(0xde, 0, 1, 0xa1, 0x61, 0xc3), { a: true })
  t.same(read(0xdf, 0, 0, 0, 1, 0xd9, 1, 0x61, 0xda, 0, 1, 0x62), { a: 'b' })
  t.equal(read(0xdb, 0, 0, 0, 1, 0x62), 'b')
})

test('refuses what JSON cannot say', async (t) => {
  const rich = new Packr({ moreTypes: true, structuredClone: true })
  for (const value of [
    undefined,
    new Date(0),
    new Map([[1, 2]]),
    new Set([1]),
    /x/,
    Buffer.from('x'),
    2n ** 60n,
    { a: 1 },
  ]) {
    t.equal(refusal(new Uint8Array(rich.pack(value))).code, 'invalid_request', String(value))
  }
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) t.match(refusal(pack(value)).message, 'not finite')
  t.match(refusal(bytes(0xca, 0x7f, 0x80, 0, 0)).message, 'not finite')
  t.match(refusal(bytes(0xcf, 0xff, 0, 0, 0, 0, 0, 0, 0)).message, 'beyond 2^53')
  t.match(refusal(bytes(0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0)).message, 'beyond 2^53')
  t.match(refusal(bytes(0xc1)).message, 'extension')
  t.match(refusal(bytes(0xc4, 1, 0)).message, 'bytes or an extension')
  t.match(refusal(bytes(0xd4, 0, 0)).message, 'extension')
  t.match(refusal(bytes(0x81, 0x01, 0x01)).message, 'map key that is not a string')
  t.match(refusal(bytes(0x81, 0x80, 0x01)).message, 'map key that is not a string')
  t.match(refusal(bytes(0xa1, 0xff)).message, 'not valid UTF-8')
  t.match(refusal(bytes(0x81, 0xa9, ...Buffer.from('__proto__'), 0x80)).message, '__proto__')
  t.equal(unpackUntrusted(bytes(0xa9, ...Buffer.from('__proto__')), MAX), '__proto__', 'harmless as a value')
})

test('refuses lengths that lie, missing and trailing bytes, at any cut', async (t) => {
  for (const lie of [
    bytes(),
    bytes(0xdd, 0xff, 0xff, 0xff, 0xff),
    bytes(0xdf, 0xff, 0xff, 0xff, 0xff),
    bytes(0xdb, 0xff, 0xff, 0xff, 0xff),
    bytes(0xdc, 0),
    bytes(0xca, 0),
    bytes(0xcd, 0),
  ]) {
    t.match(refusal(lie).message, 'is truncated')
  }
  t.match(refusal(bytes(0xc0, 0xc0)).message, 'has bytes after its end')
  const whole = pack({ a: [1, 2.5, 'xyz', { b: null }], c: 'x'.repeat(40), d: 2 ** 40, e: 70_000 })
  for (let at = 0; at < whole.length; at++) t.match(refusal(whole.slice(0, at)).message, 'is truncated')
})

test('caps size and depth', async (t) => {
  t.equal(thrownBy(() => unpackUntrusted(new Uint8Array(11), 10)).code, 'payload_too_large')
  const nest = (levels: number) => {
    const message = new Uint8Array(levels + 1).fill(0x91)
    message[levels] = 0xc0
    return message
  }
  t.ok(unpackUntrusted(nest(128), MAX))
  t.match(refusal(nest(129)).message, 'is nested deeper than 128')
  t.match(refusal(nest(500_000)).message, 'is nested deeper')
})

test('throws nothing but typed errors, whatever the bytes', async () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (message) => {
      try {
        JSON.stringify(unpackUntrusted(message, MAX))
        return true
      } catch (error) {
        return (error as { data?: { code?: string } }).data?.code === 'invalid_request'
      }
    }),
    { numRuns: 10_000 },
  )
})
