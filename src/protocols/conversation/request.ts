// Bodies of the two conversation routes -> facts and the canonical request. The gateway adds the system prompt: the library's prompt
// for that language, or in an extended conversation the client's own.
//
//   {"model_name", "user_last_statement", "language"?, "historical_messages"?, "stream"?}
//   extended: and {"system_prompt"?, "temperature"?, "top_k"?, "top_p"?, "typical_p"?, "repetition_penalty"?, "max_new_tokens"?}
import { type JsonObject } from '../../model/json.js'
import { type ChatRequest, NO_SAMPLING, type Sampling } from '../../model/request.js'
import { type RequestFacts } from '../contract/protocol.js'
import {
  messageOf,
  type NumberRule,
  readHistory,
  readModelName,
  readNumber,
  readOptionalText,
  readStream,
  readText,
} from './fields.js'

/** Names in the prompt library. */
export const PROMPT_NAMES = Object.freeze({ conversation: 'conversation', extended: 'extended-conversation' })

/** The ranges are the widest that any server accepts; the defaults are the API's. */
export const OPTIONS = {
  temperature: { minimum: 0, maximum: 2, byDefault: 0.75 },
  top_k: { minimum: 0, maximum: 1_000_000, isInteger: true, byDefault: 50 },
  top_p: { minimum: 0, maximum: 1, byDefault: 0.99 },
  typical_p: { minimum: 0, maximum: 1, byDefault: 1 },
  repetition_penalty: { minimum: 0, maximum: 10, byDefault: 1.2 },
  max_new_tokens: { minimum: 1, maximum: 10_000_000, isInteger: true, byDefault: 256 },
} satisfies Record<string, NumberRule>

const FIELDS = ['model_name', 'user_last_statement', 'language', 'historical_messages', 'stream'] as const
const EXTENDED_FIELDS: ReadonlySet<string> = new Set([...FIELDS, 'system_prompt', ...Object.keys(OPTIONS)])
const PLAIN_FIELDS: ReadonlySet<string> = new Set(FIELDS)

/** @throws invalid_request with `param` */
export function readConversationFacts(body: JsonObject): RequestFacts {
  readText(body, 'user_last_statement')
  readHistory(body)
  return {
    model: readModelName(body),
    stream: readStream(body),
    includeUsage: false,
    maxOutputTokens: null,
    provider: null,
    prompt: { name: PROMPT_NAMES.conversation, language: readOptionalText(body, 'language') ?? '' },
  }
}

/** A system prompt of the client replaces the library's. @throws invalid_request with `param` */
export function readExtendedFacts(body: JsonObject): RequestFacts {
  const facts = readConversationFacts(body)
  const { maxOutputTokens } = readSampling(body)
  readExtensions(body)
  const { language } = facts.prompt ?? { language: '' }
  const prompt = readOwnPrompt(body) === null ? { name: PROMPT_NAMES.extended, language } : null
  return { ...facts, maxOutputTokens, prompt }
}

/** @throws invalid_request with `param` */
export function decodeConversation(body: JsonObject, prompt: string | null = null): ChatRequest {
  const { model, stream, includeUsage } = readConversationFacts(body)
  return {
    model,
    stream,
    includeUsage,
    system: prompt === null ? [] : [{ type: 'text', text: prompt }],
    messages: [...readHistory(body), messageOf('user', readText(body, 'user_last_statement'))],
    tools: [],
    toolChoice: null,
    parallelToolCalls: null,
    responseFormat: null,
    reasoning: null,
    sampling: NO_SAMPLING,
    user: null,
    extensions: without(body, PLAIN_FIELDS),
  }
}

/** @throws invalid_request with `param` */
export function decodeExtended(body: JsonObject, prompt: string | null = null): ChatRequest {
  return {
    ...decodeConversation(body, readOwnPrompt(body) ?? prompt),
    sampling: readSampling(body),
    extensions: { ...without(body, EXTENDED_FIELDS), ...readExtensions(body) },
  }
}

/** Null if it is absent or empty. */
function readOwnPrompt(body: JsonObject): string | null {
  return readOptionalText(body, 'system_prompt') || null
}

function readSampling(body: JsonObject): Sampling {
  const topK = readNumber(body, 'top_k', OPTIONS.top_k)
  return {
    ...NO_SAMPLING,
    temperature: readNumber(body, 'temperature', OPTIONS.temperature),
    // 0 means "no limit" on servers that have it, as does an absent value on all servers.
    topK: topK === 0 ? null : topK,
    topP: readNumber(body, 'top_p', OPTIONS.top_p),
    maxOutputTokens: readNumber(body, 'max_new_tokens', OPTIONS.max_new_tokens),
  }
}

/** Options that only some servers support; for the others they are reported as dropped. */
function readExtensions(body: JsonObject): JsonObject {
  return {
    typical_p: readNumber(body, 'typical_p', OPTIONS.typical_p),
    repetition_penalty: readNumber(body, 'repetition_penalty', OPTIONS.repetition_penalty),
  }
}

function without(body: JsonObject, known: ReadonlySet<string>): JsonObject {
  return Object.fromEntries(Object.entries(body).filter(([field]) => !known.has(field)))
}
