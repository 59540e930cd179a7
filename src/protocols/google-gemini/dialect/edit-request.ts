// Dialect half, same protocol on both sides: edits a few top-level members in the client's own bytes, so that everything else passes
// unchanged. The model and streaming are in the path.
import {
  isJsonArray,
  isJsonObject,
  type JsonArray,
  type JsonObject,
  type JsonValue,
  mergeUnder,
} from '../../../model/json.js'
import { type Target } from '../../../model/target.js'
import { type EditedRequest, type EditValue, type RequestFacts } from '../../contract/protocol.js'
import { isSealed } from '../signature.js'
import { checksSignatures, FOREIGN_SIGNATURE } from './encode-contents.js'

/** Members in which a turn of another vendor's model may have left its signature, in both spellings. */
const SIGNATURES: readonly string[] = ['thoughtSignature', 'thought_signature']

/** `body` is the client's, accepted by readFacts, and is not changed. */
export function editRequest(_facts: RequestFacts, body: JsonObject, target: Target): EditedRequest {
  const { quirks, extraBody, thinks } = target
  const edits = new Map<string, EditValue>()
  const dropped = new Set<string>()
  for (const [field, value] of Object.entries(extraBody)) {
    const own = body[field]
    if (own === undefined) edits.set(field, value)
    else if (isJsonObject(own) && isJsonObject(value)) edits.set(field, mergeUnder(value, own))
  }
  const contents = withoutForeignSignatures(body.contents, target.model)
  if (contents !== null) edits.set('contents', contents)
  if (thinks === false) dropThinking(body, edits, dropped)
  for (const field of quirks.refusedFields) {
    edits.delete(field)
    if (!(field in body)) continue
    edits.set(field, undefined)
    dropped.add(field)
  }
  return { edits, dropped: [...dropped] }
}

/** Whether the contents may have to be read. */
export function editsBulk(_head: JsonObject, _target: Target, mentions: (name: string) => boolean): boolean {
  return SIGNATURES.some(mentions)
}

/** For a model that is known not to think. */
function dropThinking(body: JsonObject, edits: Map<string, EditValue>, dropped: Set<string>): void {
  for (const [field, thinking] of CONFIGS) {
    const config = edits.get(field) ?? body[field]
    if (!isJsonObject(config) || !(thinking in config)) continue
    const { [thinking]: asked, ...rest } = config
    edits.set(field, rest)
    if (!isJsonObject(asked) || (asked.thinkingBudget ?? asked.thinking_budget) !== 0) dropped.add('reasoning')
  }
}

const CONFIGS = [
  ['generationConfig', 'thinkingConfig'],
  ['generation_config', 'thinking_config'],
] as const

/** The vendor answers 400 to another vendor's signature. Null if there is none. */
function withoutForeignSignatures(contents: JsonValue | undefined, model: string): JsonArray | null {
  if (!isJsonArray(contents)) return null
  let isChanged = false
  const cleaned = contents.map((content) => {
    if (!isJsonObject(content) || !isJsonArray(content.parts)) return content
    const parts = content.parts.map((part) => {
      const kept = isJsonObject(part) ? withoutForeign(part, model) : part
      if (kept !== part) isChanged = true
      return kept
    })
    // A part that held nothing else is gone: the vendor rejects an empty thought.
    return { ...content, parts: parts.filter((part) => part !== null) }
  })
  return isChanged ? cleaned : null
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
