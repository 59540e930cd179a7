// Dialect half, same protocol on both sides: edits a few top-level members in the client's own bytes, so that everything else passes
// unchanged. The model and streaming are in the path. Members may have either spelling, and one object may stand for a list of it.
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue, mergeUnder } from '../../../model/json.js'
import { type Target } from '../../../model/target.js'
import { type EditedRequest, type EditValue, type RequestFacts } from '../../contract/protocol.js'
import { editRefused } from '../../fit/refused-fields.js'
import { refuseStored, refuseStoredFiles, type StoredFiles } from '../../fit/stored-files.js'
import { isSealed } from '../signature.js'
import { spellField, spellFields } from '../surface/field-names.js'
import { checksSignatures, FOREIGN_SIGNATURE, isStoredUri } from './encode-contents.js'
import { refusalOf } from './encode-request.js'

/** Members in which a turn of another vendor's model may have left its signature, in both spellings. */
const SIGNATURES: readonly string[] = ['thoughtSignature', 'thought_signature']

/** Where a part names a file that is stored at the vendor. Any other URI is one that everybody can read. */
export const STORED_FILES: StoredFiles = Object.freeze({
  members: ['fileUri', 'file_uri'],
  turns: 'contents',
  values: new Set(['functionCall', 'function_call', 'response']),
  nameIn: (part) => storedIn(part, 'fileData') ?? storedIn(part, 'file_data'),
})

/** The beginning of a conversation that is stored at the vendor, in both spellings. */
const CACHED: readonly string[] = ['cachedContent', 'cached_content']

function storedIn(part: JsonObject, member: string): string | null {
  const file = part[member]
  if (!isJsonObject(file)) return null
  const name = STORED_FILES.members.find((one) => isStoredUri(file[one]))
  return name === undefined ? null : `${member}.${name}`
}

/**
 * `body` is the client's, accepted by readFacts, and is not changed.
 * @throws invalid_request for what is stored in the shared account
 */
export function editRequest(facts: RequestFacts, body: JsonObject, target: Target): EditedRequest {
  if (facts.isOwnAccount !== true) {
    refuseStoredFiles(body, STORED_FILES)
    const cached = CACHED.find((member) => typeof body[member] === 'string')
    if (cached !== undefined) throw refuseStored(cached)
  }
  const edits = new Map<string, EditValue>()
  const dropped = new Set<string>()
  for (const [field, value] of Object.entries(target.extraBody)) addDefault(field, value, { body, edits })
  // The path names the target's; a server that reads this one as well would answer with a model that was not asked of the gateway.
  if (body.model !== undefined) edits.set('model', undefined)
  const contents = withoutForeignSignatures(body.contents, target.model)
  if (contents !== null) edits.set('contents', contents)
  if (target.thinks === false) dropThinking(body, edits, dropped)
  for (const field of editRefused(body, edits, refusalOf(target))) dropped.add(field)
  return { edits, dropped: [...dropped] }
}

/** Whether the contents may have to be read. */
export function editsBulk(_head: JsonObject, _target: Target, mentions: (name: string) => boolean): boolean {
  return SIGNATURES.some(mentions) || STORED_FILES.members.some(mentions)
}

type Draft = { readonly body: JsonObject; readonly edits: Map<string, EditValue> }

/** A default of the target, under what the client has in either spelling: the vendor takes no field in both. */
function addDefault(field: string, value: JsonValue, { body, edits }: Draft): void {
  const spelled = spellField(field)
  const name = Object.keys(body).find((member) => spellField(member) === spelled)
  if (name === undefined) {
    edits.set(field, value)
    return
  }
  const own = body[name]
  if (isJsonObject(own) && isJsonObject(value)) edits.set(name, mergeUnder(spellFields(value), spellFields(own)))
}

/** For a model that is known not to think. */
function dropThinking(body: JsonObject, edits: Map<string, EditValue>, dropped: Set<string>): void {
  for (const field of CONFIGS) {
    const config = edits.get(field) ?? body[field]
    if (!isJsonObject(config)) continue
    for (const member of THINKING) {
      const asked = config[member]
      if (asked === undefined) continue
      const { [member]: _, ...rest } = config
      edits.set(field, rest)
      if (!isJsonObject(asked) || (asked.thinkingBudget ?? asked.thinking_budget) !== 0) dropped.add('reasoning')
    }
  }
}

const CONFIGS = ['generationConfig', 'generation_config'] as const
const THINKING = ['thinkingConfig', 'thinking_config'] as const

/** The vendor answers 400 to another vendor's signature. Null if there is none. */
function withoutForeignSignatures(contents: JsonValue | undefined, model: string): JsonObject[] | null {
  let isChanged = false
  const cleaned = listOf(contents).map((content) => {
    if (content.parts === undefined) return content
    const parts = listOf(content.parts).map((part) => {
      const kept = withoutForeign(part, model)
      if (kept !== part) isChanged = true
      return kept
    })
    // A part that held nothing else is gone: the vendor rejects an empty thought.
    return { ...content, parts: parts.filter((part) => part !== null) }
  })
  return isChanged ? cleaned : null
}

function listOf(value: JsonValue | undefined): readonly JsonObject[] {
  return isJsonArray(value) ? value.filter(isJsonObject) : isJsonObject(value) ? [value] : []
}

function withoutForeign(part: JsonObject, model: string): JsonObject | null {
  const name = SIGNATURES.find((member) => typeof part[member] === 'string' && isSealed(String(part[member])))
  if (name === undefined) return part
  const { [name]: _, ...rest } = part
  if (isJsonObject(rest.functionCall ?? rest.function_call) && checksSignatures(model)) {
    return { ...rest, [name]: FOREIGN_SIGNATURE }
  }
  return rest.text === '' ? null : rest
}
