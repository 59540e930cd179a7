// What a script sends as HTTP/1.1, in frames of HTTP/2: a head becomes HEADERS, each chunk or piece of a body DATA, its end END_STREAM.
// What a script leaves unfinished is left unfinished in frames, too.
import { DATA, END_STREAM, FRAME_HEAD_BYTES, frameOf, HEADERS, headerBlock, headersOf } from './http2-frames.js'

/** Bytes as they are, or the payload of DATA, which waits for the client's window. */
export type Piece = { readonly bytes: Buffer } | { readonly data: Buffer; readonly isEnd: boolean }

type State = 'head' | 'chunks' | 'length' | 'rest' | 'over'

const HEAD_END = '\r\n\r\n'
/** HTTP/2 has no such headers (RFC 9113 8.2.2). */
const LEFT_OUT = /^(?:connection|transfer-encoding|keep-alive)$/
const BODYLESS = /^(?:204|304)$/
/** More than will come. */
const UNFINISHED_BYTES = 5000

export class Http2Translation {
  readonly #stream: number
  #state: State = 'head'
  #pending = Buffer.alloc(0)
  /** Bytes of the body that its head has announced. */
  #left = 0

  constructor(stream: number) {
    this.#stream = stream
  }

  /** The answer's end came. */
  get isOver(): boolean {
    return this.#state === 'over'
  }

  /** It ends when the connection does. */
  get endsWithConnection(): boolean {
    return this.#state === 'rest'
  }

  write(bytes: Uint8Array): Piece[] {
    this.#pending = Buffer.concat([this.#pending, bytes])
    const pieces: Piece[] = []
    for (let piece = this.#next(); piece !== null; piece = this.#next()) pieces.push(piece)
    return pieces
  }

  end(): Piece[] {
    this.#state = 'over'
    return [{ data: Buffer.alloc(0), isEnd: true }]
  }

  /** What has begun and does not end: half a frame. */
  cut(): Piece[] {
    const { length } = this.#pending
    if (length === 0 || this.#state === 'over') return []
    if (this.#state === 'head') {
      const block = headerBlock([[':status', '200']])
      return [{ bytes: frameOf(HEADERS, 0, this.#stream, block, UNFINISHED_BYTES) }]
    }
    const line = this.#pending.indexOf('\r\n')
    if (this.#state === 'chunks' && line < 0) {
      return [{ bytes: frameOf(DATA, 0, this.#stream).subarray(0, FRAME_HEAD_BYTES / 2) }]
    }
    const begun = this.#state === 'chunks' ? this.#pending.subarray(line + 2) : this.#pending
    return [{ bytes: frameOf(DATA, 0, this.#stream, begun, begun.length + UNFINISHED_BYTES) }]
  }

  #next(): Piece | null {
    if (this.#pending.length === 0) return null
    if (this.#state === 'head') return this.#head()
    if (this.#state === 'chunks') return this.#chunk()
    if (this.#state === 'rest') return { data: this.#take(this.#pending.length), isEnd: false }
    if (this.#state === 'length') return this.#sized()
    return null
  }

  #head(): Piece | null {
    if (this.#pending.length >= 5 && !this.#pending.toString('latin1', 0, 5).startsWith('HTTP/')) {
      return { bytes: this.#take(this.#pending.length) }
    }
    const end = this.#pending.indexOf(HEAD_END)
    if (end < 0) return null
    const [line = '', ...lines] = this.#take(end + HEAD_END.length)
      .toString('latin1')
      .slice(0, -HEAD_END.length)
      .split('\r\n')
    const status = line.split(' ')[1] ?? ''
    const all = lines.map((one): [string, string] => {
      const at = one.indexOf(':')
      return [one.slice(0, at).toLowerCase(), one.slice(at + 1).trim()]
    })
    const fields = all.filter(([name]) => !LEFT_OUT.test(name))
    const isEnd = !status.startsWith('1') && this.#open(status, all)
    const block = headerBlock([[':status', status], ...fields])
    return { bytes: headersOf(this.#stream, block, isEnd ? END_STREAM : 0) }
  }

  /** True: there is no body. */
  #open(status: string, fields: readonly (readonly [string, string])[]): boolean {
    const length = fields.find(([name]) => name === 'content-length')?.[1]
    this.#left = Number(length ?? 0)
    const isChunked = fields.some(([name]) => name === 'transfer-encoding')
    const isEmpty = BODYLESS.test(status) || length === '0'
    if (isEmpty) this.#state = 'over'
    else if (isChunked) this.#state = 'chunks'
    else this.#state = length === undefined ? 'rest' : 'length'
    return isEmpty
  }

  /** More than was announced is sent all the same. */
  #sized(): Piece {
    const data = this.#take(this.#pending.length)
    this.#left -= data.length
    const isEnd = this.#left <= 0
    if (isEnd) this.#state = 'over'
    return { data, isEnd }
  }

  #chunk(): Piece | null {
    const line = this.#pending.indexOf('\r\n')
    if (line < 0) return null
    const size = Number.parseInt(this.#pending.toString('latin1', 0, line), 16)
    const end = line + 2 + size + 2
    if (this.#pending.length < end) return null
    const data = this.#take(end).subarray(line + 2, end - 2)
    if (size === 0) this.#state = 'over'
    return { data, isEnd: size === 0 }
  }

  #take(length: number): Buffer {
    const taken = this.#pending.subarray(0, length)
    this.#pending = this.#pending.subarray(length)
    return taken
  }
}
