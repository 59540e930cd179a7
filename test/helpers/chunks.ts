// Ways to cut one stream of bytes into chunks. Every chunk is a copy, as a socket's would be.

/** One chunk a byte. */
export function cutAtEveryByte(bytes: Buffer): Buffer[] {
  return Array.from(bytes, (byte) => Buffer.from([byte]))
}

/** Chunks of the given sizes (0 included), then the rest. */
export function cutAtRandom(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = []
  let from = 0
  for (const size of sizes) {
    chunks.push(Buffer.from(bytes.subarray(from, from + size)))
    from = Math.min(bytes.length, from + size)
  }
  chunks.push(Buffer.from(bytes.subarray(from)))
  return chunks
}
