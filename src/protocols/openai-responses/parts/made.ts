// Items that the vendor's own tools make: an image, and what only this wire can write.
//
//   {"type":"image_generation_call","id":"ig_...","status":"completed","result":"<base64>"}      {"type":"web_search_call", ...}
import { type ImageHead, type OpaqueHead } from '../../../model/event.js'
import { type JsonObject } from '../../../model/json.js'
import { type MediaSource } from '../../../model/request.js'
import { textOf } from '../../scalars.js'

const WIRE = 'openai-responses'
const IMAGE = 'image_generation_call'
/** What the vendor makes unless the request says otherwise. */
const DEFAULT_FORMAT = 'png'

/** The items that a decoder reads part by part. */
const READ: ReadonlySet<unknown> = new Set(['message', 'reasoning', 'function_call', 'custom_tool_call'])

/** A finished item of a tool as a block; null for any other, and for an image that was not made. */
export function decodeMade(item: JsonObject): ImageHead | OpaqueHead | null {
  const name = textOf(item.type)
  if (name === null || READ.has(name)) return null
  if (name !== IMAGE) return { kind: 'opaque', wire: WIRE, name, value: item }
  const source = decodeImage(item)
  return source === null ? null : { kind: 'image', source }
}

/** The image of an `image_generation_call`; null if it has none. */
export function decodeImage({ result, output_format: format }: JsonObject): MediaSource | null {
  const base64 = textOf(result)
  return base64 === null ? null : { kind: 'base64', mediaType: `image/${textOf(format) ?? DEFAULT_FORMAT}`, base64 }
}

/** Whether this wire can write the block. */
export function hasPlaceFor(block: ImageHead | OpaqueHead): boolean {
  return block.kind === 'image' ? block.source.kind === 'base64' : block.wire === WIRE
}

/** The item of a block, as it begins and when it is finished. */
export function encodeMade(
  id: string,
  block: ImageHead | OpaqueHead,
): { readonly begun: JsonObject; readonly whole: JsonObject } {
  if (block.kind === 'opaque') return { begun: block.value, whole: block.value }
  const { source } = block
  const head = { id, type: IMAGE }
  const [base64, format] =
    source.kind === 'base64' ? [source.base64, source.mediaType.slice('image/'.length)] : ['', '']
  const whole = { ...head, status: 'completed', result: base64, output_format: format }
  return { begun: { ...head, status: 'in_progress', result: null }, whole }
}
