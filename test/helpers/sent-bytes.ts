// The body of a request to an upstream as one piece.
import { type UpstreamRequest } from '../../src/upstream/call.js'

export function sentBytes(body: UpstreamRequest['body']): Buffer {
  return body instanceof Uint8Array ? Buffer.from(body) : Buffer.concat(body)
}
