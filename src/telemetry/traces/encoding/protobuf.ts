// Protobuf's wire format, as far as OTLP's spans need it, for what is encoded once: names, and who sends the spans. span-batch.ts writes
// what is encoded for each request. https://protobuf.dev/programming-guides/encoding/

/** How a field's value is written. */
export const VARINT = 0
export const FIXED64 = 1
export const BYTES = 2
export const FIXED32 = 5

/** Bits of one byte of a varint, and the largest number in them. */
const DIGIT = 128
const MAX_DIGIT = 127

/** What comes before a field's value. */
export function tag(field: number, type: number): number {
  return (field << 3) | type
}

/** Bytes of a whole number from 0. */
export function varintLength(value: number): number {
  if (value < DIGIT) return 1
  if (value < DIGIT ** 2) return 2
  let bytes = 2
  for (let rest = value / DIGIT ** 2; rest >= 1; rest /= DIGIT) bytes += 1
  return bytes
}

/** Bytes of a field with its tag, of one byte, and its length. */
export function fieldLength(length: number): number {
  return 1 + varintLength(length) + length
}

/** A field of bytes, text, or another message. */
export function encodeField(field: number, content: Uint8Array | string): Uint8Array {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content
  return Buffer.concat([Buffer.of(tag(field, BYTES)), encodeVarint(bytes.length), bytes])
}

export type AnyValue = string | number | boolean | readonly string[]

/** OTLP's KeyValue { 1 key, 2 value } as a field of its message. Numbers are whole, from 0. */
export function encodePair(field: number, key: string, value: AnyValue): Uint8Array {
  return encodeField(field, Buffer.concat([encodeField(1, key), encodeField(2, encodeAny(value))]))
}

/** AnyValue { 1 string | 2 bool | 3 int | 5 ArrayValue { 1 AnyValue ... } } */
function encodeAny(value: AnyValue): Uint8Array {
  if (typeof value === 'string') return encodeField(1, value)
  if (typeof value === 'boolean') return Buffer.of(tag(2, VARINT), Number(value))
  if (typeof value === 'number') return Buffer.concat([Buffer.of(tag(3, VARINT)), encodeVarint(value)])
  return encodeField(5, Buffer.concat(value.map((each) => encodeField(1, encodeAny(each)))))
}

function encodeVarint(value: number): Uint8Array {
  const digits: number[] = []
  let rest = value
  for (; rest > MAX_DIGIT; rest = Math.floor(rest / DIGIT)) digits.push((rest % DIGIT) | DIGIT)
  return Buffer.from([...digits, rest])
}
