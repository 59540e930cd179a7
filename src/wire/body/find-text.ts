// Whether the bytes of a large body contain some text, at the speed of memory. Node searches a text of eight bytes or more by skipping
// (Boyer-Moore-Horspool): 65 us for 224 KB. A shorter one it finds by its first byte with memchr, 40 times as fast if that is rare.

/** The letters of code and prose in JSON, the rarest first. */
const RAREST_FIRST = 'QZXJKUWVYHGqzjxkvwbyUgphmdfl'
/** Node searches this much by the first byte. */
const MAX_LINEAR_BYTES = 7

/** True if `text`, plain ASCII, is somewhere in the bytes. */
export function containsText(bytes: Buffer, text: string): boolean {
  return bytes.includes(rarestPart(text), 0, 'latin1') && bytes.includes(text, 0, 'latin1')
}

/** A part of the text that begins with the rarest of its letters. */
function rarestPart(text: string): string {
  for (const letter of RAREST_FIRST) {
    const at = text.indexOf(letter)
    if (at >= 0) return text.slice(at, at + MAX_LINEAR_BYTES)
  }
  return text.slice(0, MAX_LINEAR_BYTES)
}
