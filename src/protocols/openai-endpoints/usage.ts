// Token counts of whole answers and of frames: `usage` with the names of chats or with those of newer endpoints. Counts in other units,
// such as seconds of audio, are no tokens and are left to the estimate.
import { isJsonObject, type JsonObject, type JsonValue } from '../../model/json.js'
import { readCount, toUsage, type UsageReport } from '../../model/usage.js'
import { objectEnd, valueBehind } from '../../wire/json-scan.js'

const USAGE_KEY = Buffer.from('"usage"')
const OPEN_BRACE = 0x7b
/** An answer that has it a thousand times is not searched to its beginning. */
const MAX_TRIES = 8

/** Null for what counts no tokens. */
export function decodeUsage(value: JsonValue | undefined): UsageReport | null {
  if (!isJsonObject(value)) return null
  const { prompt_tokens, input_tokens, total_tokens, completion_tokens, output_tokens } = value
  const output = completion_tokens ?? output_tokens
  // Rerankers count only a total, all of it input.
  const input = prompt_tokens ?? input_tokens ?? (output === undefined ? total_tokens : undefined)
  return toUsage({ inputTokens: readCount(input), outputTokens: readCount(output) })
}

/** The last usage object of a whole answer, read without decoding the rest; null if there is none. */
export function readUsage(body: Buffer): UsageReport | null {
  let at = body.lastIndexOf(USAGE_KEY)
  for (let tries = 0; at >= 0 && tries < MAX_TRIES; tries++) {
    const start = valueBehind(body, at + USAGE_KEY.length)
    if (start >= 0 && body[start] === OPEN_BRACE) {
      const usage = decodeUsage(parseObject(body.toString('utf8', start, objectEnd(body, start))))
      if (usage !== null) return usage
    }
    at = at === 0 ? -1 : body.lastIndexOf(USAGE_KEY, at - 1)
  }
  return null
}

function parseObject(text: string): JsonObject | undefined {
  try {
    return JSON.parse(text) as JsonObject
  } catch {
    return undefined
  }
}
