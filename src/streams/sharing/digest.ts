// The digest by which two requests are known to ask the same: SHA-256 over everything that decides the answer. Each part is
// preceded by its length, so that no two lists of parts run together into the same bytes.
//
//   parts = part*       part = length (uint32, big-endian) bytes        absent = 0xffffffff
import { createHash, type Hash } from 'node:crypto'

export type DigestParts = {
  /** Whose requests may be equal: the owner of a key, or everybody of this gateway. */
  readonly scope: string
  readonly surfaceId: string
  /** What the path specifies, with the SHA-256 of the caller's own key; null if nothing. */
  readonly path: PathParts | null
  readonly parameterHeaders: Readonly<Record<string, string>>
  /** The model after defaults, and what it stands for at present; null where the body alone decides. */
  readonly model: string | null
  /** The text of the library prompt; null without one. */
  readonly prompt: string | null
  /** SHA-256 of the body. */
  readonly bodyHash: Uint8Array
}

export type PathParts = {
  readonly streams: boolean
  readonly provider: string | null
  readonly callerKey: string | null
}

const ABSENT = 0xffff_ffff
const LENGTH_BYTES = 4
/** Above this a body is hashed off the event loop: 1 MiB takes 0.6 to 3 ms of it, by the processor. */
const INLINE_BYTES = 256 * 1024

/** The digest in base64url. */
export function digestRequest(parts: DigestParts): string {
  const { scope, surfaceId, path, parameterHeaders, model, prompt, bodyHash } = parts
  const hash = createHash('sha256')
  addText(hash, scope)
  addText(hash, surfaceId)
  addText(hash, path === null ? null : String(path.streams))
  addText(hash, path?.provider ?? null)
  const callerKey = path?.callerKey ?? null
  add(hash, callerKey === null ? null : createHash('sha256').update(callerKey).digest())
  const names = Object.keys(parameterHeaders).sort()
  addText(hash, String(names.length))
  for (const name of names) {
    addText(hash, name)
    addText(hash, parameterHeaders[name] ?? null)
  }
  addText(hash, model)
  addText(hash, prompt)
  add(hash, bodyHash)
  return hash.digest('base64url')
}

/** SHA-256 of a body; of a large one on another thread. The body must not change meanwhile. */
export function hashBody(body: Uint8Array<ArrayBuffer>): Uint8Array | Promise<Uint8Array> {
  if (body.byteLength <= INLINE_BYTES) return createHash('sha256').update(body).digest()
  return crypto.subtle.digest('SHA-256', body).then((digest) => new Uint8Array(digest))
}

function addText(hash: Hash, text: string | null): void {
  add(hash, text === null ? null : Buffer.from(text))
}

function add(hash: Hash, part: Uint8Array | null): void {
  const length = Buffer.alloc(LENGTH_BYTES)
  length.writeUInt32BE(part === null ? ABSENT : part.length)
  hash.update(length)
  if (part !== null) hash.update(part)
}
