// The log for a terminal: one short line per JSON line. For trying things out, not for speed.
import { isJsonObject, type JsonObject } from '../../model/json.js'

/** 11 is where the clock begins in an ISO time, 23 where its milliseconds end. */
const CLOCK_START = 11
const CLOCK_END = 23

/** Turns a JSON log line into a readable one; both end with a line end. A line that is not JSON stays unchanged. */
export function formatPretty(jsonLine: string): string {
  let line: unknown
  try {
    line = JSON.parse(jsonLine)
  } catch {
    return jsonLine
  }
  if (!isJsonObject(line)) return jsonLine
  const { time, level, msg, ...fields } = line
  const head = `${String(time).slice(CLOCK_START, CLOCK_END)} ${String(level).toUpperCase().padEnd(5)}`
  return msg === 'exchange' ? `${head} ${exchangeText(fields)}\n` : `${head} ${String(msg)}${fieldsText(fields)}\n`
}

function exchangeText(fields: JsonObject): string {
  const { outcome, status, surface, transport, model, target, totalMs, ttftMs, id } = fields
  const tokens = isJsonObject(fields.tokens) ? fields.tokens : {}
  const error = isJsonObject(fields.error) ? fields.error : null
  const parts = [
    `${status} ${outcome}`,
    `${surface}/${transport}`,
    target === null ? `${model ?? '-'}` : `${model} -> ${target}`,
    `${totalMs} ms${ttftMs === null ? '' : ` (first token ${ttftMs} ms)`}`,
    `${tokens.in ?? 0} in ${tokens.out ?? 0} out`,
  ]
  if (error !== null) parts.push(`${error.code}: ${error.message}`)
  return `${parts.join('  ')}  ${id}`
}

function fieldsText(fields: JsonObject): string {
  return Object.keys(fields).length === 0 ? '' : `  ${JSON.stringify(fields)}`
}
