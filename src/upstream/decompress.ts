// Decompresses answers that are compressed although `identity` was requested, with node:zlib off the event loop, in order, up to a
// cap, so that a decompression bomb ends as an error. Multiple codings are rejected.
import { createBrotliDecompress, createGunzip, createInflate, createInflateRaw } from 'node:zlib'
import { GatewayError, toGatewayError } from '../errors.js'

/** The part of zlib's streams that is used here. */
type Unpacker = ReturnType<typeof createGunzip> | ReturnType<typeof createBrotliDecompress>

export type DecompressorSink = {
  onBytes(chunk: Buffer): void
  onEnd(): void
  onError(error: GatewayError): void
}

/** Low nibble of the first byte of a zlib header (RFC 1950, CM = 8); `deflate` comes with and without one in the wild. */
const ZLIB_METHOD = 8

/** True if the answer's bytes are encoded: a `content-encoding` other than identity. */
export function isCompressed(contentEncoding: string | string[] | undefined): boolean {
  return contentEncoding !== undefined && contentEncoding !== '' && contentEncoding !== 'identity'
}

/** Unpacks one answer. Its sink gets bytes later than `write`, but in order; nothing after `destroy`. */
export class Decompressor {
  readonly #coding: string
  readonly #maxBytes: number
  readonly #sink: DecompressorSink
  #unpacker: Unpacker | null = null
  #bytes = 0
  #isOver = false

  /** @throws upstream_malformed for a coding that is not gzip, deflate or br */
  constructor(contentEncoding: string | string[] | undefined, maxBytes: number, sink: DecompressorSink) {
    this.#coding = codingOf(contentEncoding)
    this.#maxBytes = maxBytes
    this.#sink = sink
  }

  write(chunk: Buffer): void {
    if (this.#isOver || chunk.length === 0) return
    this.#unpacker ??= this.#open(chunk)
    this.#unpacker.write(chunk)
    // Compressed bytes wait for the thread pool; data that exceeds the cap compressed exceeds it decompressed.
    if (this.#unpacker.writableLength > this.#maxBytes) this.#fail(this.#tooLarge())
  }

  end(): void {
    if (this.#isOver) return
    if (this.#unpacker !== null) this.#unpacker.end()
    else queueMicrotask(() => this.#finish())
  }

  destroy(): void {
    this.#isOver = true
    this.#unpacker?.destroy()
  }

  #open(first: Buffer): Unpacker {
    const unpacker = createUnpacker(this.#coding, first)
    unpacker.on('data', (chunk: Buffer) => this.#take(chunk))
    unpacker.on('end', () => this.#finish())
    unpacker.on('error', (error) => {
      const message = `The provider sent a ${this.#coding} body that cannot be decompressed.`
      this.#fail(new GatewayError('upstream_malformed', { message, cause: error }))
    })
    return unpacker
  }

  #take(chunk: Buffer): void {
    if (this.#isOver) return
    this.#bytes += chunk.length
    if (this.#bytes > this.#maxBytes) {
      this.#fail(this.#tooLarge())
      return
    }
    // Called by a zlib stream's event: an exception of the sink would end the process.
    try {
      this.#sink.onBytes(chunk)
    } catch (error) {
      this.#fail(toGatewayError(error))
    }
  }

  #finish(): void {
    if (this.#isOver) return
    this.#isOver = true
    try {
      this.#sink.onEnd()
    } catch (error) {
      this.#sink.onError(toGatewayError(error))
    }
  }

  #fail(error: GatewayError): void {
    if (this.#isOver) return
    this.destroy()
    this.#sink.onError(error)
  }

  #tooLarge(): GatewayError {
    const message = `The provider sent a ${this.#coding} body of more than ${this.#maxBytes} bytes decompressed.`
    return new GatewayError('upstream_malformed', { message, retryable: false })
  }
}

function codingOf(contentEncoding: string | string[] | undefined): string {
  const coding = String(contentEncoding).trim().toLowerCase()
  if (coding === 'gzip' || coding === 'x-gzip') return 'gzip'
  if (coding === 'deflate' || coding === 'br') return coding
  throw new GatewayError('upstream_malformed', {
    message: 'The provider sent a Content-Encoding that was not requested and is not supported.',
    cause: new Error(`content-encoding: ${coding.slice(0, 100)}`),
  })
}

function createUnpacker(coding: string, first: Buffer): Unpacker {
  if (coding === 'gzip') return createGunzip()
  if (coding === 'br') return createBrotliDecompress()
  return ((first[0] ?? 0) & 0x0f) === ZLIB_METHOD ? createInflate() : createInflateRaw()
}
