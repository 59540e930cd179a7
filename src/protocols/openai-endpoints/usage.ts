// Counts of whole answers and of frames: tokens by `usage` with the names of chats or with those of newer endpoints, seconds of audio, and
// images.
import { isJsonObject, type JsonObject, type JsonValue } from '../../model/json.js'
import { IMPLAUSIBLE, NO_USAGE, readCount, toParts, toUsage, type UsageReport } from '../../model/usage.js'
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
  const inputDetails = isJsonObject(value.input_tokens_details) ? value.input_tokens_details : NO_DETAILS
  const more = isJsonObject(value.input_token_details) ? value.input_token_details : inputDetails
  const outputDetails = isJsonObject(value.output_tokens_details) ? value.output_tokens_details : NO_DETAILS
  return toUsage({
    inputTokens: readCount(input),
    outputTokens: readCount(output),
    parts: toParts({
      audioInputTokens: more.audio_tokens,
      imageInputTokens: more.image_tokens,
      audioOutputTokens: outputDetails.audio_tokens,
      imageOutputTokens: outputDetails.image_tokens,
      audioSeconds:
        value.type === 'duration' && typeof value.seconds === 'number' ? Math.ceil(value.seconds) : undefined,
    }),
  })
}

const NO_DETAILS: JsonObject = Object.freeze({})

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

const IMAGE_KEYS = [Buffer.from('"b64_json"'), Buffer.from('"url"')] as const

/** The same with the number of images. Within a text the quotes of a name would be escaped. */
export function readImageUsage(body: Buffer): UsageReport | null {
  const usage = readUsage(body)
  if (usage === IMPLAUSIBLE) return usage
  let images = 0
  for (const key of IMAGE_KEYS) for (let at = body.indexOf(key); at >= 0; at = body.indexOf(key, at + 1)) images += 1
  if (images === 0) return usage
  return { ...(usage ?? NO_USAGE), parts: { ...(usage ?? NO_USAGE).parts, images } }
}

const DURATION_KEY = Buffer.from('"duration"')
const DURATION = /^\s*:\s*(\d{1,6}(?:\.\d+)?)/
const MAX_DURATION_BYTES = 40

/** The same, or else with the length of the audio that a verbose transcript has. */
export function readAudioUsage(body: Buffer): UsageReport | null {
  const usage = readUsage(body)
  const at = usage === null ? body.indexOf(DURATION_KEY) : -1
  if (at < 0) return usage
  const found = DURATION.exec(body.toString('latin1', at + DURATION_KEY.length, at + MAX_DURATION_BYTES))
  return found === null ? null : toUsage({ parts: toParts({ audioSeconds: Math.ceil(Number(found[1])) }) })
}

function parseObject(text: string): JsonObject | undefined {
  try {
    return JSON.parse(text) as JsonObject
  } catch {
    return undefined
  }
}
