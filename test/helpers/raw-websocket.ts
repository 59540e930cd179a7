// WebSocket frames made by hand, right or wrong in any bit, over a bare socket (RFC 6455, section 5.2).
import { once } from 'node:events'
import { type Socket } from 'node:net'
import { openRaw } from './raw-http.js'

export const TEXT = 1
export const BINARY = 2
export const CLOSE = 8
export const PING = 9
export const PONG = 10

export type FrameOptions = {
  readonly isFinal?: boolean
  readonly isMasked?: boolean
  /** The three reserved bits. */
  readonly reserved?: number
  /** Announced instead of the payload's own length. */
  readonly length?: bigint
}

/** One frame of a client. The mask is all zeros, so the payload stands there as it is. */
export function frameOf(opcode: number, payload: string | Buffer, options: FrameOptions = {}): Buffer {
  const { isFinal = true, isMasked = true, reserved = 0 } = options
  const bytes = Buffer.from(payload)
  const length = options.length ?? BigInt(bytes.length)
  const size = length < 126n ? Buffer.alloc(0) : Buffer.alloc(length < 65_536n ? 2 : 8)
  if (size.length === 2) size.writeUInt16BE(Number(length))
  else if (size.length === 8) size.writeBigUInt64BE(length)
  const short = size.length === 0 ? Number(length) : size.length === 2 ? 126 : 127
  const head = Buffer.from([(isFinal ? 0x80 : 0) | (reserved << 4) | opcode, (isMasked ? 0x80 : 0) | short])
  return Buffer.concat([head, size, Buffer.alloc(isMasked ? 4 : 0), bytes])
}

export type Received = { readonly opcode: number; readonly payload: Buffer }

/** An upgraded socket that keeps the frames it gets. */
export class RawWebSocket {
  readonly socket: Socket
  #bytes: Buffer = Buffer.alloc(0)
  isClosed = false
  readonly frames: Received[] = []
  #wake: () => void = () => undefined

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.isClosed = true
      this.#wake()
    })
  }

  /** `headers`: further lines of the upgrade, each with its CRLF. */
  static async open(port: number, headers: string): Promise<RawWebSocket> {
    const socket = await openRaw(port)
    socket.write(
      `GET /v1/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: sluice.v1\r\n${headers}\r\n`,
    )
    const [first] = (await once(socket, 'data')) as [Buffer]
    const end = first.indexOf('\r\n\r\n')
    if (!first.toString('latin1').startsWith('HTTP/1.1 101 ') || end < 0) throw new Error(`no upgrade: ${first}`)
    const opened = new RawWebSocket(socket)
    opened.#take(first.subarray(end + 4))
    socket.on('data', (chunk: Buffer) => opened.#take(chunk))
    return opened
  }

  /** The close frame's code; null if the connection ended without one. */
  get closeCode(): number | null {
    const close = this.frames.find(({ opcode }) => opcode === CLOSE)
    return close !== undefined && close.payload.length >= 2 ? close.payload.readUInt16BE() : null
  }

  async until(isMet: () => boolean): Promise<void> {
    while (!isMet()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  #take(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk])
    for (;;) {
      const bytes = this.#bytes
      const short = bytes[1] ?? 0
      const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0
      if (bytes.length < 2 + lengthBytes) break
      const length =
        lengthBytes === 2 ? bytes.readUInt16BE(2) : lengthBytes === 8 ? Number(bytes.readBigUInt64BE(2)) : short
      const end = 2 + lengthBytes + length
      if (bytes.length < end) break
      this.frames.push({ opcode: (bytes[0] ?? 0) & 0x0f, payload: bytes.subarray(2 + lengthBytes, end) })
      this.#bytes = bytes.subarray(end)
    }
    this.#wake()
  }
}
