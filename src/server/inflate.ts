// Decompresses request bodies with node:zlib's threads, a few at a time. A body that exceeds the limit is rejected at the first byte
// beyond it, so a decompression bomb costs no more memory than a plain body.
import { brotliDecompress, gunzip, inflate, inflateRaw } from 'node:zlib'
import { GatewayError } from '../errors.js'

export type Coding = 'gzip' | 'deflate' | 'br'

/** The value of `Accept-Encoding` with the supported codings (RFC 9110, 12.5.3). */
export const ACCEPTED_CODINGS = 'gzip, deflate, br'

export type PackedBody = {
  readonly coding: Coding
  /** The key whose turn it takes; -1 for all callers without a key together. */
  readonly keyIndex: number
  readonly body: Uint8Array<ArrayBuffer>
  /** Called when its turn comes; a body that is no longer wanted is dropped silently. */
  isWanted(): boolean
  /** Called once, unless the body is no longer wanted: with the whole body in its own buffer, or the error. */
  onDone(result: Uint8Array<ArrayBuffer> | GatewayError): void
}

/** zlib has four threads by default, and names of providers are resolved on them, too. */
const MAX_AT_ONCE = 2
/** A body of 20 MB in steps of this size is some eighty hops to a thread, not the 1,280 of the default. */
const CHUNK_BYTES = 256 * 1024
/** Low nibble of the first byte of a zlib header (RFC 1950, CM = 8); `deflate` comes with and without one in the wild. */
const ZLIB_METHOD = 8

/** The coding of a body; null for none, undefined for one that is not unpacked here. */
export function codingOf(contentEncoding: string): Coding | null | undefined {
  const coding = contentEncoding.trim().toLowerCase()
  if (coding === '' || coding === 'identity') return null
  if (coding === 'gzip' || coding === 'x-gzip') return 'gzip'
  return coding === 'deflate' || coding === 'br' ? coding : undefined
}

/** Unpacks the bodies of one event loop: keys take turns, and those of one key keep their order. */
export class Inflater {
  readonly #maxBytes: number
  /** By key; the first is next. */
  readonly #waiting = new Map<number, PackedBody[]>()
  #running = 0

  /** `maxBytes`: of an unpacked body. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Takes over the body. */
  inflate(packed: PackedBody): void {
    const { keyIndex } = packed
    const line = this.#waiting.get(keyIndex)
    if (line === undefined) this.#waiting.set(keyIndex, [packed])
    else line.push(packed)
    this.#next()
  }

  #next(): void {
    while (this.#running < MAX_AT_ONCE) {
      const packed = this.#take()
      if (packed === undefined) return
      if (packed.isWanted()) this.#run(packed)
    }
  }

  /** The oldest body of the next key, which then moves behind the other keys. */
  #take(): PackedBody | undefined {
    for (const [keyIndex, line] of this.#waiting) {
      this.#waiting.delete(keyIndex)
      const packed = line.shift()
      if (line.length > 0) this.#waiting.set(keyIndex, line)
      return packed
    }
    return undefined
  }

  #run(packed: PackedBody): void {
    this.#running += 1
    const options = { maxOutputLength: this.#maxBytes, chunkSize: CHUNK_BYTES }
    unpackerOf(packed)(packed.body, options, (error, bytes) => {
      this.#running -= 1
      if (packed.isWanted())
        packed.onDone(error === null ? exactCopy(bytes) : refusalOf(error, packed.coding, this.#maxBytes))
      this.#next()
    })
  }
}

function unpackerOf({ coding, body }: PackedBody): typeof gunzip {
  if (coding === 'gzip') return gunzip
  if (coding === 'br') return brotliDecompress
  return ((body[0] ?? 0) & 0x0f) === ZLIB_METHOD ? inflate : inflateRaw
}

/** zlib's result may be a part of a larger buffer. */
function exactCopy(bytes: Buffer): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(new ArrayBuffer(bytes.length))
  copy.set(bytes)
  return copy
}

/** The refusal of a body, as it came or unpacked. */
export function bodyTooLarge(maxBytes: number): GatewayError {
  return new GatewayError('payload_too_large', { message: `The body exceeds ${maxBytes} bytes (server.maxBodyBytes).` })
}

function refusalOf(error: Error & { readonly code?: string }, coding: Coding, maxBytes: number): GatewayError {
  if (error.code === 'ERR_BUFFER_TOO_LARGE') return bodyTooLarge(maxBytes)
  return new GatewayError('invalid_request', { message: `The body is not valid ${coding}.`, cause: error })
}
