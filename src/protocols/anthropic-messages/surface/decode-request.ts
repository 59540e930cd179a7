// A validated Messages body -> the canonical request. Only between different protocols; its counterpart is encode-request.ts.
import { type JsonObject } from '../../../model/json.js'
import { type ChatRequest, type ResponseFormat } from '../../../model/request.js'
import { findLeftOver } from '../../fit/left-over.js'
import { KNOWN_MEMBERS } from '../known-members.js'
import { decodeThinking, isKnownEffort } from '../thinking.js'
import { type MessagesRequest } from '../wire.js'
import { decodeText } from './decode-content.js'
import { decodeMessages } from './decode-messages.js'
import { decodeTools } from './decode-tools.js'

/** Members that have a canonical place; all others go to `extensions`. */
const KNOWN_FIELDS: ReadonlySet<string> = new Set([
  'model',
  'max_tokens',
  'messages',
  'system',
  'tools',
  'tool_choice',
  'thinking',
  'output_config',
  'output_format',
  'metadata',
  'stop_sequences',
  'temperature',
  'top_p',
  'top_k',
  'stream',
])

/** The vendor's format has no name; other vendors require one. */
const SCHEMA_NAME = 'response'
const SCHEMA_FORMAT = 'json_schema'

/**
 * Decodes a body that readFacts has accepted.
 * @throws invalid_request with `param` if the request depends on a tool that only the vendor can run
 */
export function decodeRequest(body: JsonObject): ChatRequest {
  const request = body as unknown as MessagesRequest
  const { messages, system, reduced } = decodeMessages(request.messages)
  const { tools, choice, dropped } = decodeTools(request.tools ?? [], request.tool_choice ?? null)
  return {
    model: request.model,
    stream: request.stream === true,
    includeUsage: true,
    system: [...decodeSystem(request.system), ...system],
    messages,
    tools,
    toolChoice: choice,
    // False is the vendor's default, so other protocols need no value for it.
    parallelToolCalls: request.tool_choice?.disable_parallel_tool_use === true ? false : null,
    responseFormat: decodeFormat(request),
    reasoning: decodeThinking(request),
    sampling: {
      temperature: request.temperature ?? null,
      topP: request.top_p ?? null,
      topK: request.top_k ?? null,
      maxOutputTokens: request.max_tokens,
      frequencyPenalty: null,
      presencePenalty: null,
      seed: null,
      stop: request.stop_sequences ?? [],
    },
    user: request.metadata?.user_id ?? null,
    extensions: decodeExtensions(body, [
      ...[...reduced].map((type) => `messages.${type}`),
      ...dropped,
      ...lostOf(body),
    ]),
  }
}

function decodeSystem(system: MessagesRequest['system']): ChatRequest['system'] {
  if (system === undefined || system === null || system === '') return []
  return typeof system === 'string' ? [{ type: 'text', text: system }] : system.map(decodeText)
}

function decodeFormat(request: MessagesRequest): ResponseFormat | null {
  const format = request.output_config?.format ?? request.output_format ?? null
  if (format === null || format.type !== SCHEMA_FORMAT) return null
  return { type: 'json-schema', name: SCHEMA_NAME, description: null, schema: format.schema ?? {}, strict: null }
}

/** Members that are not read here, and values without a canonical form. */
function lostOf(body: JsonObject): Set<string> {
  const lost = new Set<string>()
  for (const [field, shape] of Object.entries(KNOWN_MEMBERS)) findLeftOver(body[field], shape, lost, field)
  const { output_config: config, output_format: format } = body as unknown as MessagesRequest
  if (!isKnownEffort(config?.effort ?? null)) lost.add('output_config.effort')
  if ((config?.format?.type ?? SCHEMA_FORMAT) !== SCHEMA_FORMAT) lost.add('output_config.format')
  // The newer name takes precedence over the older one.
  if ((format?.type ?? SCHEMA_FORMAT) !== SCHEMA_FORMAT || (format && config?.format)) lost.add('output_format')
  return lost
}

/** `lost`: names of what the canonical request cannot hold, reported as dropped for every target. */
function decodeExtensions(body: JsonObject, lost: readonly string[]): JsonObject {
  const extensions: JsonObject = {}
  for (const [name, value] of Object.entries(body)) if (!KNOWN_FIELDS.has(name)) extensions[name] = value
  for (const name of lost) extensions[name] = true
  return extensions
}
