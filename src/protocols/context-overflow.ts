// Reads from a vendor's error text how long a request is and how long it may be; each dialect supplies the patterns.
import { type ContextOverflow } from '../model/error.js'

/** The patterns of one vendor, each with one group of digits, which may have commas; the first match counts. */
export type OverflowWords = {
  /** The context of the model. */
  readonly max: readonly RegExp[]
  readonly input: readonly RegExp[]
  /** The requested output, if the vendor adds it to the input. */
  readonly output?: readonly RegExp[]
}

/** The figures in a message; null if it does not have both input and context. */
export function readOverflow(message: string, { max, input, output = [] }: OverflowWords): ContextOverflow | null {
  const maxTokens = findCount(message, max)
  const inputTokens = findCount(message, input)
  if (maxTokens === null || inputTokens === null) return null
  return { inputTokens, outputTokens: findCount(message, output) ?? 0, maxTokens }
}

/** The longest count with its commas; more digits are not a count of tokens. */
const MAX_DIGITS = 15

function findCount(message: string, words: readonly RegExp[]): number | null {
  for (const pattern of words) {
    const digits = pattern.exec(message)?.[1]?.replaceAll(',', '') ?? ''
    if (digits !== '' && digits.length <= MAX_DIGITS) return Number(digits)
  }
  return null
}
