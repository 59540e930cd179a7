// A validated body -> the canonical request. Only between different protocols; its counterpart is dialect/encode-request.ts.
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../../../model/json.js'
import {
  type ChatRequest,
  type ReasoningEffort,
  type ReasoningRequest,
  type ResponseFormat,
  type TextPart,
} from '../../../model/request.js'
import { notCarried } from '../../fields/field-error.js'
import { findLeftOver } from '../../fit/left-over.js'
import { numberOf, stringOf } from '../../scalars.js'
import { KNOWN_MEMBERS } from '../known-members.js'
import { decodeContents } from './decode-contents.js'
import { decodeSchema } from './decode-schema.js'
import { decodeTools } from './decode-tools.js'
import { readBody } from './schema.js'

/** Members that have a canonical place; all others go to `extensions`. */
const KNOWN_FIELDS: ReadonlySet<string> = new Set([
  ...['contents', 'systemInstruction', 'tools', 'toolConfig', 'generationConfig'],
  // In the path, or in that of the request that is counted.
  'model',
])
/** The vendor's format has no name; other vendors require one. */
const SCHEMA_NAME = 'response'
const JSON_TYPE = 'application/json'
const TEXT_TYPE = 'text/plain'
/** The vendor's word for as much as the model likes. */
const DYNAMIC_BUDGET = -1

const EFFORT_OF_LEVEL: ReadonlyMap<JsonValue | undefined, ReasoningEffort> = new Map<
  JsonValue | undefined,
  ReasoningEffort
>([
  ['MINIMAL', 'minimal'],
  ['LOW', 'low'],
  ['MEDIUM', 'medium'],
  ['HIGH', 'high'],
])

/**
 * The canonical request of a body that readFacts has accepted. Its model, and whether it streams, are in the path.
 * @throws invalid_request with `param` if the request depends on content or a tool that only the vendor has
 */
export function decodeRequest(given: JsonObject): ChatRequest {
  const body = readBody(given)
  const config = isJsonObject(body.generationConfig) ? body.generationConfig : {}
  // The beginning of the conversation: without it the model would answer another question.
  if (typeof body.cachedContent === 'string') throw notCarried('cachedContent', 'content that its vendor has stored')
  const { messages, lost } = decodeContents(body.contents)
  const { tools, choice, dropped } = decodeTools(body)
  return {
    model: '',
    stream: false,
    includeUsage: true,
    system: decodeSystem(body.systemInstruction),
    messages,
    tools,
    toolChoice: choice,
    parallelToolCalls: null,
    responseFormat: decodeFormat(config),
    reasoning: decodeThinking(config.thinkingConfig),
    sampling: {
      temperature: numberOf(config.temperature),
      topP: numberOf(config.topP),
      topK: numberOf(config.topK),
      maxOutputTokens: numberOf(config.maxOutputTokens),
      frequencyPenalty: numberOf(config.frequencyPenalty),
      presencePenalty: numberOf(config.presencePenalty),
      seed: numberOf(config.seed),
      stop: isJsonArray(config.stopSequences) ? config.stopSequences.map(String) : [],
    },
    user: null,
    extensions: decodeExtensions(body, [...lost, ...dropped, ...lostOf(body, config)]),
  }
}

function decodeSystem(instruction: JsonValue | undefined): TextPart[] {
  if (!isJsonObject(instruction) || !isJsonArray(instruction.parts)) return []
  return instruction.parts.flatMap((part) => {
    const text = isJsonObject(part) ? stringOf(part.text) : null
    return text === null || text === '' ? [] : [{ type: 'text', text }]
  })
}

function decodeFormat(config: JsonObject): ResponseFormat | null {
  if (config.responseMimeType !== JSON_TYPE) return null
  const schema = config.responseJsonSchema ?? null
  const own = config.responseSchema ?? null
  if (schema === null && own === null) return { type: 'json' }
  return {
    type: 'json-schema',
    name: SCHEMA_NAME,
    description: null,
    schema: schema ?? decodeSchema(own),
    strict: null,
  }
}

function decodeThinking(config: JsonValue | undefined): ReasoningRequest | null {
  if (!isJsonObject(config)) return null
  const budget = numberOf(config.thinkingBudget)
  if (budget === 0) return { effort: 'none', budgetTokens: null }
  if (budget !== null && budget !== DYNAMIC_BUDGET) return { effort: null, budgetTokens: budget }
  const effort = EFFORT_OF_LEVEL.get(config.thinkingLevel) ?? null
  if (effort !== null) return { effort, budgetTokens: null }
  // Thoughts are to be shown, if there are any.
  const isAsked = budget === DYNAMIC_BUDGET || config.includeThoughts === true
  return isAsked ? { effort: null, budgetTokens: null, isWish: true } : null
}

/** Members that are not read here, and values without a canonical form. */
function lostOf(body: JsonObject, config: JsonObject): Set<string> {
  const lost = new Set<string>()
  for (const [field, shape] of Object.entries(KNOWN_MEMBERS)) findLeftOver(body[field], shape, lost, field)
  // The newer name takes precedence over the older one.
  if ((config.responseJsonSchema ?? null) !== null && (config.responseSchema ?? null) !== null) {
    lost.add('generationConfig.responseSchema')
  }
  const { responseMimeType: type = null, candidateCount: count = null, responseModalities: modalities } = config
  if (type !== null && type !== '' && type !== JSON_TYPE && type !== TEXT_TYPE) {
    lost.add('generationConfig.responseMimeType')
  }
  if (count !== null && count !== 1) lost.add('generationConfig.candidateCount')
  if (isJsonArray(modalities) && modalities.some((modality) => modality !== 'TEXT')) {
    lost.add('generationConfig.responseModalities')
  }
  return lost
}

/** `lost`: names of what the canonical request cannot hold, reported as dropped for every target. */
function decodeExtensions(body: JsonObject, lost: readonly string[]): JsonObject {
  const entries = Object.entries(body).filter(([name, value]) => value !== null && !KNOWN_FIELDS.has(name))
  // Not by assignment: a client's field may be named `__proto__`.
  return Object.fromEntries([...entries, ...lost.map((name): [string, JsonValue] => [name, true])])
}
