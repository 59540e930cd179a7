// Protobuf's lengths and values, by the examples of its specification.
import { test } from 'tap'
import {
  encodeField,
  encodePair,
  fieldLength,
  varintLength,
} from '../../../../src/telemetry/traces/encoding/protobuf.js'

const NUMBERS = [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2 ** 31 - 1, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER]

test('the length of a number is known before it is written', (t) => {
  for (const value of NUMBERS)
    t.equal(encodePair(1, '', value).length, fieldLength(2 + fieldLength(1 + varintLength(value))), String(value))
  t.same(NUMBERS.map(varintLength), [1, 1, 1, 2, 2, 3, 3, 5, 5, 5, 8])
  t.end()
})

test('a field is its tag, its length, and its bytes', (t) => {
  t.same([...encodeField(1, '\u00e9')], [0x0a, 2, 0xc3, 0xa9])
  t.same([...encodeField(2, Uint8Array.of(7))], [0x12, 1, 7])
  t.same([...encodeField(2, new Uint8Array(300)).subarray(0, 3)], [0x12, 0xac, 0x02])
  t.end()
})

test('a pair has a value of any kind', (t) => {
  const encodedValue = (value: Parameters<typeof encodePair>[2]) => [...encodePair(9, '', value)].slice(4)
  t.same(encodedValue('a'), [0x12, 3, 0x0a, 1, 0x61])
  t.same(encodedValue(true), [0x12, 2, 0x10, 1])
  t.same(encodedValue(150), [0x12, 3, 0x18, 0x96, 0x01])
  t.same(encodedValue(['a']), [0x12, 7, 0x2a, 5, 0x0a, 3, 0x0a, 1, 0x61])
  t.end()
})
