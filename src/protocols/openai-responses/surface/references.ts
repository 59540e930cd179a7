// References to things that are stored at the vendor, and to items that the gateway has. All tenants share the operator's account there, and nothing in it is recorded for one of
// them: such a request is rejected before any upstream sees it. Clients recognize the codes, and then send their whole input
// (Soju06/codex-lb#1529), so these must never change. An earlier response, and each of its output items, is no such thing: the gateway stores them (stored.ts).
import { GatewayError } from '../../../errors.js'
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../../../model/json.js'
import { type ItemReference } from '../../contract/stored.js'
import { textOf } from '../../scalars.js'

const NOT_YOURS = 'It is stored at the provider, whose account is shared'
/** Tools that clients define: whatever their schemas name is no reference. */
const CLIENT_TOOLS: ReadonlySet<JsonValue | undefined> = new Set(['function', 'custom', 'namespace', 'tool_search'])
/** Items that add tools to the request. */
const TOOL_ITEMS: ReadonlySet<JsonValue | undefined> = new Set(['additional_tools', 'tool_search_output'])
/** Members of the vendor's own tools that name something in the account. */
const STORED_MEMBERS: ReadonlySet<string> = new Set([
  'file_id',
  'file_ids',
  'vector_store_ids',
  'container_id',
  'skill_id',
])

/** @throws invalid_request for anything that only the vendor could resolve */
export function refuseReferences(body: JsonObject): void {
  if (isSet(body.conversation)) {
    throw refusal('conversation', 'conversation_not_found', {
      message:
        'Conversation not found. Conversations are not supported: use previous_response_id, or send the whole conversation as input.',
    })
  }
  if (body.background === true && body.store === false) {
    throw refusal('background', UNSUPPORTED, { message: "A background response must be stored: leave out 'store'." })
  }
  if (isSet(body.prompt)) {
    throw refusal('prompt', UNSUPPORTED, { message: `'prompt' is not supported. ${NOT_YOURS}.` })
  }
  if (isJsonArray(body.input)) for (const [i, item] of body.input.entries()) refuseInItem(item, `input.${i}`)
  refuseInTools(body.tools, 'tools')
}

const UNSUPPORTED = 'unsupported_parameter'
const MAX_SHOWN_CHARS = 80
/** Each is looked up in the store: as many as an answer has items in the index. */
const MAX_REFERENCES = 1000

function refuseInItem(item: JsonValue, path: string): void {
  if (!isJsonObject(item)) return
  if (referenceIn(item) !== null) return
  if (TOOL_ITEMS.has(item.type)) refuseInTools(item.tools, `${path}.tools`)
  for (const [member, parts] of [
    ['content', item.content],
    ['output', item.output],
  ] as const) {
    const list = isJsonArray(parts) ? parts : [parts ?? null]
    list.forEach((part, i) => {
      if (!isJsonObject(part) || !isSet(part.file_id)) return
      throw refuseStored(isJsonArray(parts) ? `${path}.${member}.${i}.file_id` : `${path}.${member}.file_id`)
    })
  }
}

/**
 * The items of an input that stand for earlier ones; undefined for none.
 * @throws invalid_request for more of them than one request may have
 */
export function referencesIn(input: JsonValue | undefined): readonly ItemReference[] | undefined {
  if (!isJsonArray(input)) return undefined
  const references = input.flatMap((item, index) => {
    const id = isJsonObject(item) ? referenceIn(item) : null
    return id === null ? [] : [{ index, id }]
  })
  if (references.length <= MAX_REFERENCES) return references.length === 0 ? undefined : references
  const message = `A request may refer to ${MAX_REFERENCES} items; this one refers to ${references.length}. Use previous_response_id.`
  throw new GatewayError('invalid_request', { param: 'input', message })
}

/** The id of the earlier item that this one stands for, empty if it names none; null for any other item. */
function referenceIn(item: JsonObject): string | null {
  // The vendor accepts a reference without its type, too, and to an image by the id of the call that made it.
  const isByIdAlone = (!isSet(item.type) || item.type === 'image_generation_call') && isOnlyId(item)
  return item.type === 'item_reference' || isByIdAlone ? (textOf(item.id) ?? '') : null
}

/** Clients recognize the code, and then send their whole input: it must never change. */
export function itemNotFound({ index, id }: ItemReference): GatewayError {
  return refusal(`input.${index}`, 'item_not_found', {
    message: `Item with id '${shown(id)}' not found. Send the item itself, or use previous_response_id.`,
  })
}

function isOnlyId(item: JsonObject): boolean {
  return textOf(item.id) !== null && Object.keys(item).every((member) => member === 'id' || member === 'type')
}

function refuseInTools(tools: JsonValue | undefined, path: string): void {
  if (isJsonArray(tools)) for (const [i, tool] of tools.entries()) refuseInTool(tool, `${path}.${i}`)
}

function refuseInTool(tool: JsonValue, path: string): void {
  if (!isJsonObject(tool)) return
  if (tool.type === 'namespace') refuseInTools(tool.tools, `${path}.tools`)
  if (CLIENT_TOOLS.has(tool.type)) return
  // The id of a container in place of its description.
  if (typeof tool.container === 'string') throw refuseStored(`${path}.container`)
  refuseInside(tool, path)
}

function refuseInside(value: JsonValue, path: string): void {
  if (isJsonArray(value)) for (const [i, inner] of value.entries()) refuseInside(inner, `${path}.${i}`)
  if (!isJsonObject(value)) return
  for (const [member, inner] of Object.entries(value)) {
    const isEmpty = !isSet(inner) || (isJsonArray(inner) && inner.length === 0)
    if (STORED_MEMBERS.has(member) && !isEmpty) throw refuseStored(`${path}.${member}`)
    refuseInside(inner, `${path}.${member}`)
  }
}

function refuseStored(path: string): GatewayError {
  return refusal(path, UNSUPPORTED, { message: `'${path}' is not supported. ${NOT_YOURS}.` })
}

function refusal(param: string, code: string, { message }: { readonly message: string }): GatewayError {
  return new GatewayError('invalid_request', { param, message, ownCode: code })
}

function isSet(value: JsonValue | undefined): boolean {
  return value !== undefined && value !== null
}

function shown(id: string): string {
  return id.length > MAX_SHOWN_CHARS ? `${id.slice(0, MAX_SHOWN_CHARS)}...` : id
}
