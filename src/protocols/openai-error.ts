// Failures on OpenAI's wires, both ways: an upstream's error answer or in-band error -> ErrorData, and ErrorData -> the
// client's envelope. Anything in an upstream's text that looks like a key is removed, and so is everything about the gateway's own key.
import { type ErrorOptions, errorData } from '../errors.js'
import { type ContextOverflow, type ErrorCode, type ErrorData } from '../model/error.js'
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../model/json.js'
import { KEY_REFUSED, toMessage, toPageMessage } from '../wire/error-text.js'
import { maskKeys } from '../wire/mask-keys.js'
import { encodeSseFrame } from '../wire/sse.js'
import { type OverflowWords, readOverflow } from './context-overflow.js'
import { type ErrorAnswer } from './contract/protocol.js'
import { textOf } from './scalars.js'

/** The vendor's error envelope. */
export type WireError = { error: { message: string; type: string; param: string | null; code: string | null } }

/**
 * Type and code of our own errors; an upstream's own take precedence. The compiler checks that none is missing.
 */
export const ERROR_TABLE: Readonly<Record<ErrorCode, { readonly type: string; readonly code: string | null }>> = {
  invalid_request: { type: 'invalid_request_error', code: null },
  unauthenticated: { type: 'invalid_request_error', code: 'invalid_api_key' },
  forbidden: { type: 'invalid_request_error', code: 'forbidden' },
  not_found: { type: 'invalid_request_error', code: 'unknown_url' },
  model_not_found: { type: 'invalid_request_error', code: 'model_not_found' },
  method_not_allowed: { type: 'invalid_request_error', code: 'method_not_allowed' },
  conflict: { type: 'invalid_request_error', code: 'conflict' },
  misdirected: { type: 'invalid_request_error', code: 'misdirected' },
  stream_gone: { type: 'invalid_request_error', code: 'stream_gone' },
  precondition_failed: { type: 'invalid_request_error', code: 'precondition_failed' },
  unsupported_media_type: { type: 'invalid_request_error', code: 'unsupported_media_type' },
  payload_too_large: { type: 'invalid_request_error', code: 'payload_too_large' },
  context_length_exceeded: { type: 'invalid_request_error', code: 'context_length_exceeded' },
  rate_limited: { type: 'rate_limit_exceeded', code: 'rate_limit_exceeded' },
  budget_exceeded: { type: 'insufficient_quota', code: 'insufficient_quota' },
  client_gone: { type: 'server_error', code: 'client_gone' },
  slow_reader: { type: 'server_error', code: 'slow_reader' },
  upstream_unreachable: { type: 'server_error', code: 'upstream_unreachable' },
  upstream_timeout: { type: 'server_error', code: 'upstream_timeout' },
  upstream_rejected: { type: 'server_error', code: 'upstream_rejected' },
  upstream_auth: { type: 'server_error', code: 'upstream_auth' },
  upstream_overloaded: { type: 'server_error', code: 'upstream_overloaded' },
  upstream_malformed: { type: 'server_error', code: 'upstream_malformed' },
  upstream_cut: { type: 'server_error', code: 'upstream_cut' },
  overloaded: { type: 'server_error', code: 'overloaded' },
  storage_full: { type: 'server_error', code: 'storage_full' },
  storage_unavailable: { type: 'server_error', code: 'storage_unavailable' },
  draining: { type: 'server_error', code: 'draining' },
  maintenance: { type: 'server_error', code: 'maintenance' },
  misconfigured: { type: 'server_error', code: 'misconfigured' },
  internal: { type: 'server_error', code: 'internal' },
}

/** No credit left, or a hard cap exceeded: a retry cannot help. Codes of OpenAI, DeepSeek and Moonshot. */
const QUOTA_CODES: ReadonlySet<string> = new Set([
  'insufficient_quota',
  'billing_hard_limit_reached',
  'billing_not_active',
  'insufficient_balance',
  'exceeded_current_quota_error',
])

/** The status that an in-band error would have had over HTTP. */
const STATUS_OF_WORD: ReadonlyMap<string, number> = new Map([
  ['rate_limit_exceeded', 429],
  ['rate_limit_error', 429],
  ['invalid_request_error', 400],
  ['invalid_prompt', 400],
  ['context_length_exceeded', 400],
  ['content_filter', 400],
  ['invalid_api_key', 401],
  ['authentication_error', 401],
  ['model_not_found', 404],
  ['timeout', 504],
  ['overloaded_error', 503],
  ['server_is_overloaded', 503],
])

/**
 * The wordings of servers that have no code for a request that is too long: vLLM, DeepSeek, OpenRouter, Mistral ("... context
 * length"), llama.cpp ("exceeds the available context size"), xAI ("maximum prompt length"), Anthropic behind this wire.
 */
const TOO_LONG = /context[ _](?:length|size|window)|maximum prompt length|prompt is too long/i
const TOO_LONG_WORDS: ReadonlySet<string> = new Set(['context_length_exceeded', 'exceed_context_size_error'])
const TOO_LONG_STATUSES: ReadonlySet<number> = new Set([400, 413, 422])

/** Vendors' codes are short; anything longer is not a code. */
const MAX_WORD_LENGTH = 100
/** Reads an upstream's error answer (status >= 400). */
export function decodeError(status: number, body: Uint8Array): ErrorData {
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8')
  return classify(status, status, readError(parse(text) ?? text))
}

/** Reads an error in a stream, or in a whole answer with status 200, as found by `errorIn`. */
export function decodeStreamError(error: JsonValue): ErrorData {
  const facts = readError(error)
  const code = isJsonObject(error) ? Number(error.code) : Number.NaN
  const isStatus = code >= 400 && code < 600
  const word = STATUS_OF_WORD.get(facts.code ?? '') ?? STATUS_OF_WORD.get(facts.type ?? '')
  // An error without any known code counts as the upstream's fault.
  return classify(isStatus ? code : (word ?? 500), isStatus ? code : null, facts)
}

/** "Unsupported parameter", "is not supported with this model", "Extra inputs are not permitted", "Unrecognized request argument". */
const NOT_TAKEN = /unsupported parameter|not supported|not permitted|extra_forbidden|unrecognized|unknown/i

/** True if the field that requests reasoning is rejected as such, and not only its value ("Unsupported value"). */
export function refusesThinking({ code, status, message, param }: ErrorData): boolean {
  const isRefusal =
    code === 'upstream_rejected' && status < 500 && NOT_TAKEN.test(message) && !/unsupported value/i.test(message)
  return isRefusal && /\breasoning(?:[._]effort)?\b/.test(`${param ?? ''} ${message}`)
}

type ErrorFacts = {
  readonly message: string | null
  readonly type: string | null
  readonly code: string | null
  readonly param: string | null
  /** llama.cpp has the figures in separate members. */
  readonly overflow?: ContextOverflow | null
}

function classify(status: number, upstreamStatus: number | null, facts: ErrorFacts): ErrorData {
  const options: ErrorOptions = {
    upstreamStatus,
    upstreamType: facts.type,
    upstreamCode: facts.code,
    param: facts.param,
    ...(facts.message === null ? {} : { message: facts.message }),
  }
  if (QUOTA_CODES.has(facts.code ?? '') || QUOTA_CODES.has(facts.type ?? '')) {
    return errorData('rate_limited', { ...options, retryable: false })
  }
  // The gateway's key was rejected, not the client's: the status is kept, but the text must not suggest otherwise.
  if (status === 401) return errorData('upstream_rejected', { status, upstreamStatus, message: KEY_REFUSED })
  if (isTooLong(status, facts)) return tooLong(facts, { ...options, status })
  if (status === 429) return errorData('rate_limited', options)
  if (status === 408 || status === 504) return errorData('upstream_timeout', options)
  if (status === 503 || status === 529) return errorData('upstream_overloaded', options)
  return errorData('upstream_rejected', { ...options, status, retryable: status >= 500 })
}

/** OpenAI, vLLM (two generations), OpenRouter, xAI, Mistral, llama.cpp. */
const OVERFLOW: OverflowWords = {
  max: [
    /maximum (?:context|prompt) length is ([\d,]+)/i,
    /with ([\d,]+) maximum context length/i,
    /context size \(([\d,]+) tokens\)/i,
  ],
  input: [
    /\(([\d,]+) (?:in the messages|of text input)/i,
    /(?:prompt|request) (?:contains|has)(?: at least)? ([\d,]+)/i,
    /resulted in ([\d,]+) tokens/i,
    /requested (?:about )?([\d,]+) tokens/i,
    /request \(([\d,]+) tokens\)/i,
  ],
  output: [/([\d,]+) in the (?:completion|output)/i, /requested ([\d,]+) output tokens/i],
}

function tooLong({ message, overflow }: ErrorFacts, options: ErrorOptions): ErrorData {
  const told = overflow ?? readOverflow(message ?? '', OVERFLOW)
  return errorData('context_length_exceeded', told === null ? options : { ...options, overflow: told })
}

function isTooLong(status: number, { type, code, message }: ErrorFacts): boolean {
  if (!TOO_LONG_STATUSES.has(status)) return false
  return TOO_LONG_WORDS.has(code ?? '') || TOO_LONG_WORDS.has(type ?? '') || TOO_LONG.test(message ?? '')
}

function parse(text: string): JsonValue | null {
  try {
    return JSON.parse(text) as JsonValue
  } catch {
    return null
  }
}

/**
 * `{error: {...}}`, `{error: "..."}`, Gemini's list of one, vLLM's and Mistral's bare object, FastAPI's
 * `{detail}`, or text.
 */
function readError(answer: JsonValue): ErrorFacts {
  const first = isJsonArray(answer) ? (answer[0] ?? null) : answer
  const value = isJsonObject(first) && first.error !== undefined ? first.error : first
  if (!isJsonObject(value)) {
    const message = typeof value === 'string' ? toPageMessage(value) : null
    return { message, type: null, code: null, param: null }
  }
  return {
    message: messageOf(value.message ?? value.detail),
    type: wordOf(value.type),
    code: wordOf(value.code),
    param: wordOf(value.param),
    overflow: readMembers(value),
  }
}

function readMembers({ n_prompt_tokens: input, n_ctx: max }: JsonObject): ContextOverflow | null {
  const isTold = Number.isSafeInteger(input) && Number.isSafeInteger(max)
  return isTold ? { inputTokens: Number(input), outputTokens: 0, maxTokens: Number(max) } : null
}

function messageOf(value: JsonValue | undefined): string | null {
  const text = isJsonObject(value) || isJsonArray(value) ? JSON.stringify(value) : textOf(value)
  return text === null ? null : toMessage(text)
}

function wordOf(value: JsonValue | undefined): string | null {
  const word = textOf(value)
  return word === null || word.length > MAX_WORD_LENGTH ? null : maskKeys(word)
}

/** The envelope of an answer that has not begun. The request id is only in its header, as with the vendor. */
export function encodeError(error: ErrorData): ErrorAnswer {
  return { status: error.status, body: envelope(error) }
}

/** The in-band frame of a chat stream that has begun; the vendor's clients raise on `error` in a data frame. */
export function encodeErrorFrame(error: ErrorData): string {
  return encodeSseFrame(JSON.stringify(envelope(error)))
}

function envelope(error: ErrorData): WireError & JsonObject {
  return { error: encodeErrorObject(error) }
}

/** The error as OpenAI's clients read it, without an envelope. */
export function encodeErrorObject(error: ErrorData): WireError['error'] {
  const own = ERROR_TABLE[error.code]
  const isOverflow = error.code === 'context_length_exceeded'
  return {
    message: error.message,
    type: isOverflow ? own.type : (error.upstreamType ?? (isClientFault(error) ? 'invalid_request_error' : own.type)),
    param: error.param,
    // Clients check for this code, whatever the upstream's own is.
    code: isOverflow ? own.code : (error.ownCode ?? error.upstreamCode ?? own.code),
  }
}

/** An upstream's 4xx is the request's fault; its table entry only names the source. */
function isClientFault(error: ErrorData): boolean {
  return error.code === 'upstream_rejected' && error.status < 500
}
