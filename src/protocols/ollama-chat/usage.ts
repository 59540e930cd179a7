// prompt_eval_count and eval_count -> Usage. They come with the last line of a stream, or with the whole answer.
import { type JsonObject } from '../../model/json.js'
import { IMPLAUSIBLE, readCount, toUsage, type UsageReport } from '../../model/usage.js'

/** Null without counts. A server that has cached the whole prompt leaves the first one out. */
export function decodeUsage(body: JsonObject): UsageReport | null {
  return toUsage({ inputTokens: readCount(body.prompt_eval_count), outputTokens: readCount(body.eval_count) })
}

const INPUT_KEY = Buffer.from('"prompt_eval_count":')
const OUTPUT_KEY = Buffer.from('"eval_count":')
/** The longest number; only this much after the key is searched. */
const MAX_NUMBER_BYTES = 32
/** A value up to its delimiter or, in a truncated body, the end. */
const VALUE = /^\s*([^\s,}\]]*)/

/** Reads usage from the bytes of a whole answer. The counts follow the message: the last occurrence of each key is the answer's. */
export function findUsage(body: Buffer): UsageReport | null {
  return toUsage({ inputTokens: findCount(body, INPUT_KEY), outputTokens: findCount(body, OUTPUT_KEY) })
}

function findCount(body: Buffer, key: Buffer): ReturnType<typeof readCount> {
  const at = body.lastIndexOf(key)
  if (at < 0) return null
  const from = at + key.length
  const text = VALUE.exec(body.toString('latin1', from, from + MAX_NUMBER_BYTES))?.[1] ?? ''
  if (text === '' || text === 'null') return null
  return NUMBER.test(text) ? readCount(Number(text)) : IMPLAUSIBLE
}

/** RFC 8259 section 6. */
const NUMBER = /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/
