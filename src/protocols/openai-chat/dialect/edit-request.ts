// Dialect half, same protocol on both sides: edits a few top-level members in the client's own bytes, so that everything else passes
// unchanged. With the same model, usage requested and a vendor without quirks, nothing is edited.
import { isJsonArray, isJsonObject, type JsonArray, type JsonObject, type JsonValue } from '../../../model/json.js'
import { effortOf } from '../../../model/reasoning.js'
import { type ImagePart, type ReasoningEffort } from '../../../model/request.js'
import { type Quirks, type Target } from '../../../model/target.js'
import { type EditedRequest, type EditValue, type RequestFacts } from '../../contract/protocol.js'
import { refuseContent, standIn } from '../../fit/content.js'
import { formatInstruction } from '../../fit/format-instruction.js'
import { refuseStoredFiles, type StoredFiles } from '../../fit/stored-files.js'
import { numberOf, textOf } from '../../scalars.js'
import { decodeSignature } from '../surface/decode-messages.js'
import { type WireResponseFormat } from '../wire.js'
import { fitResponseFormat, fittingDefaults } from './encode-request.js'

const FILE_ID = 'file_id'

/** Where a message names a file that is stored at the vendor: {"type":"file","file":{"file_id":"file-..."}}. */
export const STORED_FILES: StoredFiles = Object.freeze({
  members: [FILE_ID],
  turns: 'messages',
  // Arguments of calls may be objects at some vendors.
  values: new Set(['arguments']),
  nameIn: ({ file }) => (isJsonObject(file) && typeof file.file_id === 'string' ? `file.${FILE_ID}` : null),
})

/** The request being edited: reads see the edits made so far. */
class Edits {
  readonly edits = new Map<string, EditValue>()
  readonly dropped = new Set<string>()
  readonly #body: JsonObject

  constructor(body: JsonObject) {
    this.#body = body
  }

  /** The value unchanged; null and absent are the same here. */
  get(field: string): JsonObject[string] | undefined {
    const value = this.edits.has(field) ? this.edits.get(field) : this.#body[field]
    return value === null ? undefined : value
  }

  /** Like `get`, but an explicit null counts as present. */
  has(field: string): boolean {
    return this.edits.has(field) ? this.edits.get(field) !== undefined : this.#body[field] !== undefined
  }

  set(field: string, value: EditValue): void {
    this.edits.set(field, value)
  }

  remove(field: string): void {
    if (this.#body[field] === undefined) this.edits.delete(field)
    else this.edits.set(field, undefined)
  }

  drop(field: string): void {
    if (this.get(field) !== undefined) this.dropped.add(field)
    if (this.has(field)) this.remove(field)
  }
}

/**
 * `body` is the client's, accepted by readFacts, and is not changed.
 * @throws invalid_request for files of the shared account
 */
export function editRequest(facts: RequestFacts, body: JsonObject, target: Target): EditedRequest {
  if (facts.isOwnAccount !== true) refuseStoredFiles(body, STORED_FILES)
  const { quirks } = target
  const draft = new Edits(body)
  if (facts.model !== target.model) draft.set('model', target.model)
  // A route may stream regardless of the body.
  if (facts.stream && body.stream !== true) draft.set('stream', true)
  // The gateway's routing field; an object of that name is OpenRouter's and passes.
  if (typeof body.provider === 'string') draft.remove('provider')
  if (facts.stream && quirks.streamOptions && !facts.includeUsage) askForUsage(draft)
  editMaxTokens(draft, quirks)
  editReasoning(draft, target)
  editMessages(draft, quirks)
  editResponseFormat(draft, quirks)
  const temperature = numberOf(draft.get('temperature'))
  if (temperature !== null && temperature > quirks.maxTemperature) draft.set('temperature', quirks.maxTemperature)
  for (const field of quirks.refusedFields) draft.drop(field)
  const defaults = fittingDefaults(target.extraBody, (field) => draft.has(field))
  for (const [field, value] of defaults) draft.set(field, value)
  return { edits: draft.edits, dropped: [...draft.dropped] }
}

/** Messages are edited only for what `editMessages` and `tellSchema` look for in them; tools never are. */
export function editsBulk(head: JsonObject, { quirks }: Target, mentions: (name: string) => boolean): boolean {
  const { response_format: format } = head
  if (isJsonObject(format) && fitResponseFormat(format as WireResponseFormat, quirks) !== format) return true
  if (!quirks.developerRole && mentions('developer')) return true
  if (!quirks.imageUrls && mentions('image_url')) return true
  if (quirks.refusedFields.includes('reasoning_content') && mentions('reasoning_content')) return true
  return mentions('extra_content') || STORED_FILES.members.some(mentions)
}

function askForUsage(draft: Edits): void {
  const options = draft.get('stream_options')
  draft.set('stream_options', { ...(isJsonObject(options) ? options : {}), include_usage: true })
}

/** The newer name becomes the older one for vendors that know only that; the reverse only if the older one is rejected. */
function editMaxTokens(draft: Edits, quirks: Quirks): void {
  const isNewer = quirks.maxTokensField === 'max_completion_tokens'
  if (isNewer && !quirks.refusedFields.includes('max_tokens')) return
  const from = isNewer ? 'max_tokens' : 'max_completion_tokens'
  const value = draft.get(from)
  if (value === undefined) return
  // The newer name wins where a client sends both, as at OpenAI.
  if (!isNewer || draft.get(quirks.maxTokensField) === undefined) draft.set(quirks.maxTokensField, value)
  draft.remove(from)
}

function editReasoning(draft: Edits, { quirks, thinks }: Target): void {
  const effort = draft.get('reasoning_effort')
  const asked = draft.get('reasoning')
  if (quirks.reasoningRequest === 'none' || thinks === false) {
    draft.drop('reasoning_effort')
    draft.drop('reasoning')
  } else if (quirks.reasoningRequest === 'reasoning' && effort !== undefined) {
    if (asked === undefined) draft.set('reasoning', { effort })
    draft.remove('reasoning_effort')
  } else if (quirks.reasoningRequest === 'reasoning_effort' && isJsonObject(asked)) {
    const named = textOf(asked.effort) ?? (asked.enabled === false ? 'none' : null)
    const budget = numberOf(asked.max_tokens)
    const derived = named ?? effortOf({ effort: null as ReasoningEffort | null, budgetTokens: budget })
    if (effort === undefined && derived !== null) draft.set('reasoning_effort', derived)
    draft.remove('reasoning')
  }
}

function editResponseFormat(draft: Edits, quirks: Quirks): void {
  const format = draft.get('response_format')
  if (!isJsonObject(format)) return
  const fitted = fitResponseFormat(format as WireResponseFormat, quirks)
  if (fitted === format) return
  draft.drop('response_format')
  if (fitted !== null) draft.set('response_format', fitted)
  tellSchema(draft, isJsonObject(format.json_schema) ? (format.json_schema.schema ?? null) : null)
}

/** After the client's system turns. */
function tellSchema(draft: Edits, schema: JsonValue): void {
  const messages = draft.get('messages')
  if (!isJsonArray(messages)) return
  const isSystem = (turn: JsonValue) => isJsonObject(turn) && (turn.role === 'system' || turn.role === 'developer')
  const at = messages.findIndex((turn) => !isSystem(turn))
  const told = { role: 'system', content: formatInstruction(schema) }
  draft.set('messages', at < 0 ? [...messages, told] : [...messages.slice(0, at), told, ...messages.slice(at)])
}

/** Only what the vendor rejects: the developer role, images by URL, reasoning of earlier turns, signatures of another protocol. */
function editMessages(draft: Edits, quirks: Quirks): void {
  const messages = draft.get('messages')
  if (!isJsonArray(messages)) return
  const edit = { draft, quirks, messages }
  const edited = messages.map((message, i) => (isJsonObject(message) ? editMessage(message, i, edit) : message))
  if (edited.some((message, i) => message !== messages[i])) draft.set('messages', edited)
}

type MessageEdit = { readonly draft: Edits; readonly quirks: Quirks; readonly messages: JsonArray }
/** The positions of the media in one message, and whether it is the newest turn. */
type Media = { readonly path: string; readonly isNewest: boolean }

function mediaOf(messages: JsonArray, i: number): Media {
  const before = messages[i - 1]
  const isStep = isJsonObject(before) && before.role === 'tool'
  return { path: `messages.${i}.content`, isNewest: i === messages.length - 1 && !isStep }
}

/** The message itself if there is nothing to change. */
function editMessage(message: JsonObject, i: number, { draft, quirks, messages }: MessageEdit): JsonObject {
  const changes: JsonObject = {}
  if (!quirks.developerRole && message.role === 'developer') changes.role = 'system'
  const content = quirks.imageUrls ? null : withoutImageUrls(message, mediaOf(messages, i))
  if (content !== null) {
    draft.dropped.add('image_url')
    changes.content = content
  }
  const calls = withoutForeignSignatures(message.tool_calls)
  if (calls !== null) changes.tool_calls = calls
  const isReasoningRefused = message.role === 'assistant' && quirks.refusedFields.includes('reasoning_content')
  if (isReasoningRefused && message.reasoning_content !== undefined) {
    draft.dropped.add('messages.reasoning')
    const { reasoning_content: _, ...rest } = message
    return { ...rest, ...changes }
  }
  return Object.keys(changes).length === 0 ? message : { ...message, ...changes }
}

/** A signature that another dialect has marked as its vendor's; Google's own on this wire are plain base64 and pass. */
const MARKED_SIGNATURE = /^[a-z-]+:/

/** Null if there is nothing to remove. */
function withoutForeignSignatures(calls: EditValue): JsonArray | null {
  if (!isJsonArray(calls)) return null
  const kept = calls.map((call) => {
    if (!isJsonObject(call) || !MARKED_SIGNATURE.test(decodeSignature(call.extra_content) ?? '')) return call
    const { extra_content: _, ...rest } = call
    return rest
  })
  return kept.some((call, i) => call !== calls[i]) ? kept : null
}

/**
 * The rule of fit/content.ts for this wire's own messages. Null if there is nothing to replace.
 * @throws invalid_request with the path of an image by URL in the newest turn
 */
function withoutImageUrls({ role, content }: JsonObject, { path, isNewest }: Media): JsonArray | null {
  if (!isJsonArray(content)) return null
  const kept = content.map((part, i) => {
    const url = isJsonObject(part) && part.type === 'image_url' ? part.image_url : null
    const address = isJsonObject(url) ? url.url : url
    if (typeof address !== 'string' || /^data:/i.test(address)) return part
    const source = { kind: 'url', url: address } as const
    const image: ImagePart = { type: 'image', source, detail: null, path: `${path}.${i}` }
    if (isNewest && role === 'user') throw refuseContent(image)
    const { text } = standIn(image)
    return { type: 'text', text }
  })
  return kept.some((part, i) => part !== content[i]) ? kept : null
}
