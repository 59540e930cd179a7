// Collects a whole upstream body up to a cap. One chunk, the common case, is never copied.
import { GatewayError } from '../../errors.js'

export class UpstreamBody {
  readonly #maxBytes: number
  #chunks: Buffer[] = []
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** @throws upstream_malformed past the cap */
  push(chunk: Buffer): void {
    this.#bytes += chunk.length
    if (this.#bytes > this.#maxBytes) {
      throw new GatewayError('upstream_malformed', {
        message: `The provider's response exceeds ${this.#maxBytes} bytes.`,
        retryable: false,
      })
    }
    this.#chunks.push(chunk)
  }

  /** Returns all bytes so far and empties the collector. */
  take(): Buffer {
    const chunks = this.#chunks
    this.#chunks = []
    this.#bytes = 0
    const only = chunks.length === 1 ? chunks[0] : undefined
    return only ?? Buffer.concat(chunks)
  }
}
