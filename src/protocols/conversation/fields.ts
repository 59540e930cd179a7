// Members of a body, read by type and range, one by one; each error names the member. Absent and null are the same.
import { GatewayError } from '../../errors.js'
import { isJsonArray, isJsonObject, type JsonObject } from '../../model/json.js'
import { type Message } from '../../model/request.js'

/** The longest model name: the limit of labels and log lines that contain it. */
export const MAX_MODEL_LENGTH = 256

/** The range includes both bounds. */
export type NumberRule = {
  readonly minimum: number
  readonly maximum: number
  readonly isInteger?: true
  readonly byDefault: number
}

/** @throws invalid_request */
export function readModelName(body: JsonObject): string {
  const name = readText(body, 'model_name')
  if (name.length > MAX_MODEL_LENGTH) throw invalid('model_name', `must have at most ${MAX_MODEL_LENGTH} characters`)
  return name
}

/** A required text that is not empty. @throws invalid_request */
export function readText(body: JsonObject, field: string): string {
  const text = readOptionalText(body, field)
  if (text === null || text === '') throw invalid(field, 'is required')
  return text
}

/** @throws invalid_request */
export function readOptionalText(body: JsonObject, field: string): string | null {
  const value = body[field] ?? null
  if (value === null || typeof value === 'string') return value
  throw invalid(field, 'must be a string')
}

/** Streaming is the default. @throws invalid_request */
export function readStream(body: JsonObject): boolean {
  const value = body.stream ?? true
  if (typeof value === 'boolean') return value
  throw invalid('stream', 'must be a boolean')
}

/** @throws invalid_request */
export function readNumber(body: JsonObject, field: string, rule: NumberRule): number {
  const value = body[field] ?? rule.byDefault
  const { minimum, maximum, isInteger } = rule
  const isFit = typeof value === 'number' && value >= minimum && value <= maximum
  if (isFit && (isInteger === undefined || Number.isInteger(value))) return value
  throw invalid(field, `must be ${isInteger ? 'an integer' : 'a number'} from ${minimum} to ${maximum}`)
}

/** Earlier turns, as `{role, content}` or as pairs `{user, assistant}`. @throws invalid_request */
export function readHistory(body: JsonObject): Message[] {
  const value = body.historical_messages ?? []
  if (!isJsonArray(value)) throw invalid('historical_messages', 'must be an array')
  return value.flatMap((turn, i) => {
    const path = `historical_messages.${i}`
    if (!isJsonObject(turn)) throw invalid(path, 'must be an object')
    return turn.role === undefined ? readPair(turn, path) : [readTurn(turn, path)]
  })
}

function readTurn(turn: JsonObject, path: string): Message {
  const { role, content } = turn
  if (role !== 'user' && role !== 'assistant') throw invalid(`${path}.role`, 'must be one of user, assistant')
  if (typeof content !== 'string') throw invalid(`${path}.content`, 'must be a string')
  return messageOf(role, content)
}

function readPair(turn: JsonObject, path: string): Message[] {
  const messages: Message[] = []
  for (const role of ['user', 'assistant'] as const) {
    const text = turn[role] ?? null
    if (text === null) continue
    if (typeof text !== 'string') throw invalid(`${path}.${role}`, 'must be a string')
    messages.push(messageOf(role, text))
  }
  if (messages.length === 0) throw invalid(path, 'must have role and content, or user and assistant')
  return messages
}

/** One turn of text. */
export function messageOf(role: 'user' | 'assistant', text: string): Message {
  return { role, content: [{ type: 'text', text }] }
}

function invalid(param: string, problem: string): GatewayError {
  return new GatewayError('invalid_request', { message: `'${param}' ${problem}.`, param })
}
