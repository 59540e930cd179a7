// Estimates tokens without a tokenizer: bytes / 4, for admission and for providers that report no usage. A provider's count takes
// precedence.
import { type JsonObject, type JsonValue } from './json.js'

/** English is near 4 bytes a token in the vendors' tokenizers; JSON and code are a little under, CJK text over. */
const BYTES_PER_TOKEN = 4
/** Vendors charge between 85 and 1,600 tokens for a photograph, whatever its size in bytes. */
export const TOKENS_PER_IMAGE = 1000
/** No image of relevant size fits into a smaller body, so small bodies are never walked. */
const MIN_WALK_BYTES = 8 * 1024
/** A shorter string is text: the smallest real images are some hundred bytes, and an error of 250 tokens does not matter. */
export const MIN_IMAGE_CHARS = 1024
/** Enough to distinguish base64 from prose, which has a space or a full stop long before. */
const SAMPLE_CHARS = 256
/** Of an image or a document. */
const DATA_URL = /^data:[\w.+-]+\/[\w.+-]+;base64,/i
const BASE64 = /^[A-Za-z0-9+/_-]+={0,2}$/

/** The approximate number of tokens in this many bytes of text. */
export function estimateTokens(textBytes: number): number {
  return Math.ceil(textBytes / BYTES_PER_TOKEN)
}

/** How many answers a request pays for: the greatest of its vendor's fields for that, such as `n` and `best_of`; at least 1. */
export function countAnswers(fields: readonly (JsonValue | undefined)[]): number {
  return Math.max(1, ...fields.map((field) => (Number.isSafeInteger(field) ? Number(field) : 1)))
}

/** Input tokens of a body of which `imageBytes` are `images` images in base64. */
export function estimateInputTokens(bodyBytes: number, imageBytes = 0, images = 0): number {
  return estimateTokens(Math.max(0, bodyBytes - imageBytes)) + images * TOKENS_PER_IMAGE
}

/** Input tokens of a request. Images in base64 count as images, not as text; only large bodies are walked, O(nodes). */
export function estimateRequestTokens(bodyBytes: number, body: JsonObject | null): number {
  if (body === null || bodyBytes < MIN_WALK_BYTES) return estimateTokens(bodyBytes)
  let imageBytes = 0
  let images = 0
  const open: JsonValue[] = [body]
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    if (typeof value === 'string') {
      if (!isImage(value)) continue
      imageBytes += value.length
      images += 1
    } else if (typeof value === 'object' && value !== null) {
      for (const child of Array.isArray(value) ? value : Object.values(value)) open.push(child)
    }
  }
  return estimateInputTokens(bodyBytes, imageBytes, images)
}

function isImage(text: string): boolean {
  return text.length >= MIN_IMAGE_CHARS && isImageBeginning(text)
}

/** Whether a text of MIN_IMAGE_CHARS or more that begins like this is an image or a document in base64. */
export function isImageBeginning(text: string): boolean {
  return DATA_URL.test(text) || BASE64.test(text.slice(0, SAMPLE_CHARS))
}
