// prompt_eval_count and eval_count to Usage. They come with the last line of a stream, or with the whole answer.
import { type JsonObject, type JsonValue } from '../../model/json.js'
import { type Usage } from '../../model/usage.js'

/** Null without counts. A server that had the whole prompt cached leaves the first one out. */
export function decodeUsage(body: JsonObject): Usage | null {
  const { prompt_eval_count: input, eval_count: output } = body
  return typeof input === 'number' || typeof output === 'number' ? toUsage(input, output) : null
}

const INPUT_KEY = Buffer.from('"prompt_eval_count":')
const OUTPUT_KEY = Buffer.from('"eval_count":')
/** Digits of the largest safe integer; what follows the key is looked at no further. */
const MAX_DIGITS = 16

/** Reads usage from the bytes of a whole answer. The counts stand after the message: the last of each key is the answer's. */
export function findUsage(body: Buffer): Usage | null {
  const input = findCount(body, INPUT_KEY)
  const output = findCount(body, OUTPUT_KEY)
  return input === null && output === null ? null : toUsage(input ?? 0, output ?? 0)
}

function findCount(body: Buffer, key: Buffer): number | null {
  const at = body.lastIndexOf(key)
  if (at < 0) return null
  const from = at + key.length
  const match = /^\s*(\d+)/.exec(body.toString('latin1', from, from + MAX_DIGITS))
  return match === null ? null : Number(match[1])
}

function toUsage(input: JsonValue | undefined, output: JsonValue | undefined): Usage {
  return {
    inputTokens: readCount(input),
    outputTokens: readCount(output),
    cachedInputTokens: 0,
    cacheWriteTokens: 0,
    reasoningTokens: 0,
  }
}

function readCount(value: JsonValue | undefined): number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : 0
}
