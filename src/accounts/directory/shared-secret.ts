// One secret of 32 bytes in shared memory: the thread of the database writes it once, every event loop reads it when it first needs it.

const BYTES = 32
/** A word that says whether it is there, then its own. */
const WORDS = 1 + BYTES / Int32Array.BYTES_PER_ELEMENT

/** Memory for it, still empty. */
export function createSharedSecret(): SharedArrayBuffer {
  return new SharedArrayBuffer(WORDS * Int32Array.BYTES_PER_ELEMENT)
}

/** By the one writer, before anybody needs it; again with the same secret alone. */
export function writeSharedSecret(memory: SharedArrayBuffer, secret: Uint8Array): void {
  new Uint8Array(memory, Int32Array.BYTES_PER_ELEMENT).set(secret)
  Atomics.store(new Int32Array(memory), 0, 1)
}

/** Null as long as it was not written. */
export function readSharedSecret(memory: SharedArrayBuffer): Uint8Array | null {
  if (Atomics.load(new Int32Array(memory), 0) === 0) return null
  return new Uint8Array(memory, Int32Array.BYTES_PER_ELEMENT).slice()
}
