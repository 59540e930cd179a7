// Frames of HTTP/2 by hand (RFC 9113 4.1, RFC 7541 6.2.2): what a library for servers would never send is sent by this.

export type Frame = {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly payload: Buffer
}

export const DATA = 0
export const HEADERS = 1
export const RST_STREAM = 3
export const SETTINGS = 4
export const PUSH_PROMISE = 5
export const PING = 6
export const GOAWAY = 7
export const WINDOW_UPDATE = 8
export const CONTINUATION = 9

export const END_STREAM = 1
export const ACK = 1
export const END_HEADERS = 4

/** Neither side of a test asks for larger ones. */
export const MAX_FRAME_BYTES = 16_384
export const FRAME_HEAD_BYTES = 9
const PREFACE_BYTES = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'.length
const STREAM_MASK = 0x7fffffff

/** `length`: what the frame says of its payload; its own by default. */
export function frameOf(
  type: number,
  flags: number,
  stream: number,
  payload: Uint8Array = Buffer.alloc(0),
  length = payload.length,
): Buffer {
  const head = Buffer.alloc(FRAME_HEAD_BYTES)
  head.writeUIntBE(length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** 32-bit words, as most control frames have them. */
export function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4)
  for (const [i, value] of values.entries()) bytes.writeUInt32BE(value >>> 0, i * 4)
  return bytes
}

/** Settings by number. */
export function settingsOf(settings: readonly (readonly [id: number, value: number])[]): Buffer {
  const bytes = Buffer.alloc(settings.length * 6)
  for (const [i, [id, value]] of settings.entries()) {
    bytes.writeUInt16BE(id, i * 6)
    bytes.writeUInt32BE(value, i * 6 + 2)
  }
  return frameOf(SETTINGS, 0, 0, bytes)
}

/** Literal fields that are not indexed, without Huffman. */
export function headerBlock(fields: readonly (readonly [name: string, value: string])[]): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), ...text(name), ...text(value)]))
}

/** HEADERS, and as many CONTINUATIONs as the block needs. */
export function headersOf(stream: number, block: Uint8Array, flags = 0): Buffer {
  const frames: Buffer[] = []
  for (let at = 0; at === 0 || at < block.length; at += MAX_FRAME_BYTES) {
    const isLast = at + MAX_FRAME_BYTES >= block.length
    const own = (at === 0 ? flags : 0) | (isLast ? END_HEADERS : 0)
    frames.push(frameOf(at === 0 ? HEADERS : CONTINUATION, own, stream, block.subarray(at, at + MAX_FRAME_BYTES)))
  }
  return Buffer.concat(frames)
}

/** A string literal: an integer of 7 bits and more, then its bytes. */
function text(value: string): [Buffer, Buffer] {
  const bytes = Buffer.from(value, 'latin1')
  const prefix = 127
  if (bytes.length < prefix) return [Buffer.from([bytes.length]), bytes]
  const length = [prefix]
  let rest = bytes.length - prefix
  for (; rest >= 128; rest >>>= 7) length.push((rest & 127) | 128)
  return [Buffer.from([...length, rest]), bytes]
}

/** Cuts what a client sends into frames. */
export class FrameReader {
  #bytes = Buffer.alloc(0)
  #hasPreface = false

  push(bytes: Uint8Array): Frame[] {
    this.#bytes = Buffer.concat([this.#bytes, bytes])
    if (!this.#hasPreface) {
      if (this.#bytes.length < PREFACE_BYTES) return []
      this.#hasPreface = true
      this.#bytes = this.#bytes.subarray(PREFACE_BYTES)
    }
    const frames: Frame[] = []
    for (let one = this.#take(); one !== null; one = this.#take()) frames.push(one)
    return frames
  }

  #take(): Frame | null {
    const bytes = this.#bytes
    if (bytes.length < FRAME_HEAD_BYTES) return null
    const end = FRAME_HEAD_BYTES + bytes.readUIntBE(0, 3)
    if (bytes.length < end) return null
    this.#bytes = bytes.subarray(end)
    return {
      type: bytes.readUInt8(3),
      flags: bytes.readUInt8(4),
      stream: bytes.readUInt32BE(5) & STREAM_MASK,
      payload: bytes.subarray(FRAME_HEAD_BYTES, end),
    }
  }
}
