// What a chat and a prompt have in common: options, format, thinking, and members without a canonical form.
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../../../model/json.js'
import {
  type ReasoningEffort,
  type ReasoningRequest,
  type ResponseFormat,
  type Sampling,
} from '../../../model/request.js'
import { findLeftOver, type Shape } from '../../fit/left-over.js'
import { numberOf } from '../../scalars.js'

/** The vendor's format has no name; other vendors require one. */
const SCHEMA_NAME = 'response'

/** The canonical name of an option, and those that clients of other APIs send under another name. */
const SAMPLING_OPTIONS: ReadonlySet<string> = new Set([
  ...['temperature', 'top_p', 'top_k', 'num_predict', 'stop', 'seed', 'frequency_penalty', 'presence_penalty'],
])
const RENAMED_OPTIONS: ReadonlyMap<string, string> = new Map([
  ['repeat_penalty', 'repetition_penalty'],
  ['typical_p', 'typical_p'],
])

/** Before the name of an option that only this server has. */
export const OPTION_PREFIX = 'options.'

const EFFORT_OF_WORD: ReadonlyMap<JsonValue | undefined, ReasoningEffort> = new Map<
  JsonValue | undefined,
  ReasoningEffort
>([
  ['low', 'low'],
  ['medium', 'medium'],
  ['high', 'high'],
  // The server's newest step; the canonical scale ends at xhigh.
  ['max', 'xhigh'],
])

/** The sampling parameters among the options. */
export function decodeSampling({ options }: JsonObject): Sampling {
  const given = isJsonObject(options) ? options : {}
  const limit = numberOf(given.num_predict)
  return {
    temperature: numberOf(given.temperature),
    topP: numberOf(given.top_p),
    topK: numberOf(given.top_k),
    maxOutputTokens: limit !== null && limit > 0 ? limit : null,
    frequencyPenalty: numberOf(given.frequency_penalty),
    presencePenalty: numberOf(given.presence_penalty),
    seed: numberOf(given.seed),
    stop: isJsonArray(given.stop) ? given.stop.map(String) : typeof given.stop === 'string' ? [given.stop] : [],
  }
}

/** Null for text. */
export function decodeFormat({ format }: JsonObject): ResponseFormat | null {
  if (format === 'json') return { type: 'json' }
  if (!isJsonObject(format)) return null
  return { type: 'json-schema', name: SCHEMA_NAME, description: null, schema: format, strict: null }
}

/** Null if the request leaves it to the model. */
export function decodeThink({ think }: JsonObject): ReasoningRequest | null {
  if (think === true) return { effort: null, budgetTokens: null }
  if (think === false) return { effort: 'none', budgetTokens: null }
  const effort = EFFORT_OF_WORD.get(think) ?? null
  return effort === null ? null : { effort, budgetTokens: null }
}

/** Members without a canonical form; `known`: those that have one. Options by their own names, each with its value. */
export function decodeExtensions(body: JsonObject, known: ReadonlySet<string>, lost: Iterable<string>): JsonObject {
  const entries = Object.entries(body).filter(([name, value]) => value !== null && !known.has(name))
  for (const name of lost) entries.push([name, true])
  const { format, options, think } = body
  if (isJsonObject(options)) entries.push(...ownOptions(options))
  if (typeof format === 'string' && format !== '' && format !== 'json') entries.push(['format', true])
  if (typeof think === 'string' && think !== '' && !EFFORT_OF_WORD.has(think)) entries.push(['think', true])
  // Not by assignment: a client's field may be named `__proto__`.
  return Object.fromEntries(entries)
}

function ownOptions(options: JsonObject): [string, JsonValue][] {
  return Object.entries(options).flatMap(([name, value]): [string, JsonValue][] => {
    if (value === null || SAMPLING_OPTIONS.has(name)) return []
    return [[RENAMED_OPTIONS.get(name) ?? `${OPTION_PREFIX}${name}`, value]]
  })
}

const CALL: Shape = {
  members: { id: true, type: true, function: { members: { index: true, name: true, arguments: true } } },
}
const MESSAGE: Shape = {
  members: {
    ...{ role: true, content: true, thinking: true, images: true, tool_name: true, tool_call_id: true },
    tool_calls: { items: CALL },
  },
}

/** The shapes of the top-level members that are read in parts. */
const KNOWN_MEMBERS: Readonly<Record<string, Shape>> = Object.freeze<Record<string, Shape>>({
  messages: { items: MESSAGE },
  tools: {
    items: {
      members: { type: true, function: { members: { name: true, description: true, parameters: true, strict: true } } },
    },
  },
})

/** Names of members below the top level that nothing reads. */
export function findLost(body: JsonObject): Set<string> {
  const lost = new Set<string>()
  for (const [field, shape] of Object.entries(KNOWN_MEMBERS)) findLeftOver(body[field], shape, lost, field)
  return lost
}
