// Writes protobuf's fields into memory that grows, for what is encoded with each request. `at` is where the next byte goes. Nothing but
// `reserve` looks whether there is room. https://protobuf.dev/programming-guides/encoding/

/** Longer lengths take two bytes. */
export const MAX_SHORT = 127
/** A code unit of UTF-16 takes no more in UTF-8. */
export const MAX_BYTES_OF_UNIT = 3
const MAX_ASCII = 127
const MAX_INT31 = 0x7fff_ffff
const TWO_12 = 2 ** 12
const TWO_20 = 2 ** 20
const TWO_32 = 2 ** 32
const NS_PER_MS = 1e6

export class ProtobufWriter {
  /** Owned by the writer, which may replace it in `reserve`. */
  bytes: Buffer
  at = 0

  constructor(capacity: number) {
    this.bytes = Buffer.allocUnsafeSlow(capacity)
  }

  reserve(room: number): void {
    const needed = this.at + room
    if (needed <= this.bytes.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.bytes.length, needed))
    larger.set(this.bytes.subarray(0, this.at))
    this.bytes = larger
  }

  byte(value: number): void {
    this.bytes[this.at] = value
    this.at += 1
  }

  bytes2(first: number, second: number): void {
    this.bytes[this.at] = first
    this.bytes[this.at + 1] = second
    this.at += 2
  }

  copy(block: Uint8Array): void {
    this.bytes.set(block, this.at)
    this.at += block.length
  }

  /** A tag and a varint: the length of what follows, or a number. Whole, from 0. */
  length(tag: number, value: number): void {
    const { bytes } = this
    let at = this.at
    let rest = value
    bytes[at++] = tag
    // Numbers of more than 31 bits are no integers to V8's shifts.
    for (; rest > MAX_INT31; rest = Math.floor(rest / 128)) bytes[at++] = (rest % 128) | 128
    for (; rest > MAX_SHORT; rest >>>= 7) bytes[at++] = (rest & 127) | 128
    bytes[at++] = rest
    this.at = at
  }

  string(tag: number, value: string): void {
    if (value.length <= MAX_SHORT && this.ascii(value, this.at + 2)) {
      this.bytes2(tag, value.length)
      this.at += value.length
      return
    }
    const length = Buffer.byteLength(value)
    this.length(tag, length)
    this.bytes.write(value, this.at, length)
    this.at += length
  }

  /** Writes the text from there on, and leaves `at`; false if it has other characters, and then nothing that counts was written. */
  ascii(value: string, start: number): boolean {
    const { bytes } = this
    let at = start
    for (let i = 0; i < value.length; i++) {
      const unit = value.charCodeAt(i)
      if (unit > MAX_ASCII) return false
      bytes[at++] = unit
    }
    return true
  }

  /** An id in lower-case hex, of so many bytes. */
  id(tag: number, hex: string, length: number): void {
    const { bytes } = this
    let at = this.at
    bytes[at++] = tag
    bytes[at++] = length
    for (let i = 0; i < 2 * length; i += 2)
      bytes[at++] = (digitOf(hex.charCodeAt(i)) << 4) | digitOf(hex.charCodeAt(i + 1))
    this.at = at
  }

  /** To the last two bytes of the id that was just written. */
  addToId(number: number): void {
    if (number === 0) return
    const { bytes } = this
    const last = this.at - 1
    const sum = ((bytes[last - 1] as number) << 8) + (bytes[last] as number) + number
    bytes[last - 1] = sum >> 8
    bytes[last] = sum
  }

  /** Nanoseconds, as two halves: a double cannot hold them. By products, since a remainder of doubles takes long. */
  time(tag: number, unixMs: number): void {
    const ms = Math.floor(unixMs)
    // ms = high * 2^20 + low, so that no product is larger than 2^53.
    const high = Math.floor(ms / TWO_20)
    const low = (ms - high * TWO_20) * NS_PER_MS + Math.round((unixMs - ms) * NS_PER_MS)
    const upper = Math.floor((high * NS_PER_MS) / TWO_12)
    const rest = (high * NS_PER_MS - upper * TWO_12) * TWO_20 + low
    const carry = Math.floor(rest / TWO_32)
    this.fixed32(tag, rest - carry * TWO_32)
    this.#word(upper + carry)
  }

  fixed32(tag: number, value: number): void {
    this.byte(tag)
    this.#word(value)
  }

  double(tag: number, value: number): void {
    this.byte(tag)
    this.bytes.writeDoubleLE(value, this.at)
    this.at += 8
  }

  #word(value: number): void {
    const { bytes, at } = this
    const word = value >>> 0
    bytes[at] = word
    bytes[at + 1] = word >>> 8
    bytes[at + 2] = word >>> 16
    bytes[at + 3] = word >>> 24
    this.at = at + 4
  }
}

/** The value of a lower-case hex digit: letters have their seventh bit set. */
function digitOf(unit: number): number {
  return (unit & 15) + 9 * (unit >> 6)
}
