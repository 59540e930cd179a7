// What the writer adds to the specification: memory that grows, ids of hex, and times that no double holds.
import { test } from 'tap'
import { ProtobufWriter } from '../../../../src/telemetry/traces/encoding/protobuf-writer.js'

function written(write: (out: ProtobufWriter) => void): Buffer {
  const out = new ProtobufWriter(0)
  out.reserve(100)
  write(out)
  return out.bytes.subarray(0, out.at)
}

test('times are exact to the nanosecond, whatever the century', (t) => {
  for (const ms of [0, 0.000_001, 1, 4_294.967_296, 2 ** 20, 1_700_000_000_000.75, 4_102_444_800_000]) {
    const whole = Math.floor(ms)
    const ns = BigInt(whole) * 1_000_000n + BigInt(Math.round((ms - whole) * 1e6))
    t.equal(written((out) => out.time(7, ms)).readBigUInt64LE(1), ns)
  }
  t.end()
})

test('an id is the bytes of its hex, and what is added to it carries', (t) => {
  const id = (number: number): string =>
    written((out) => {
      out.id(1, '0123456789abcdff', 8)
      out.addToId(number)
    }).toString('hex')
  t.equal(id(0), '01080123456789abcdff')
  t.equal(id(1), '01080123456789abce00')
  t.equal(id(0x3201), '01080123456789ab0000', 'within two bytes')
  t.end()
})

test('memory grows with what is written, and keeps it', (t) => {
  const out = new ProtobufWriter(1)
  for (let i = 0; i < 300; i++) {
    out.reserve(2)
    out.length(1, i)
    out.at -= i > 127 ? 2 : 1
  }
  t.equal(out.at, 300)
  t.ok(out.bytes.subarray(0, 300).every((byte) => byte === 1))
  t.end()
})

test('a text of other characters than ASCII has the length of its bytes', (t) => {
  t.same([...written((out) => out.string(1, 'a'))], [1, 1, 0x61])
  t.same([...written((out) => out.string(1, '\u00e9'))], [1, 2, 0xc3, 0xa9])
  t.equal(written((out) => t.equal(out.ascii('a\u00e9', 0), false)).length, 0)
  t.end()
})
