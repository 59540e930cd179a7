// Content parts of messages and of tools' results -> canonical parts. Text documents become text; content without a canonical form stays
// foreign, and fit/content.ts decides how to handle it.
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../../../model/json.js'
import { type MediaSource, type RefusalPart, type TextPart, type UserPart } from '../../../model/request.js'
import { encodeTextDocument, isTextType } from '../../fit/text-document.js'
import { stringOf, textOf } from '../../scalars.js'
import { isRefusal, partText } from '../response.js'
import { invalid } from './invalid.js'

/** Types of parts that are text, whoever wrote it; clients are not strict about which. */
const TEXT_TYPES: ReadonlySet<JsonValue | undefined> = new Set(['input_text', 'output_text', 'text', 'refusal'])

/** The parts of a user's message or a tool's result: text, or a list. */
export function decodeContent(content: JsonValue | undefined, path: string): UserPart[] {
  if (typeof content === 'string') return [{ type: 'text', text: content }]
  return isJsonArray(content) ? content.map((part, i) => decodePart(part, `${path}.${i}`)) : []
}

/**
 * The texts of a role that can hold nothing else; empty ones are none.
 * @throws invalid_request for anything but text
 */
export function decodeTexts(content: JsonValue | undefined, path: string): TextPart[] {
  return decodeContent(content, path).flatMap((part, i) => {
    if (part.type !== 'text') throw invalid(`${path}.${i}.type`, 'must be text for this role')
    return part.text === '' ? [] : [part]
  })
}

/**
 * What the model said in an earlier turn; empty texts are none.
 * @throws invalid_request for anything but text and refusals
 */
export function decodeWords(content: JsonValue | undefined, path: string): (TextPart | RefusalPart)[] {
  const wire = isJsonArray(content) ? content : []
  return decodeContent(content, path).flatMap((part, i): (TextPart | RefusalPart)[] => {
    if (part.type !== 'text') throw invalid(`${path}.${i}.type`, 'must be text for this role')
    if (part.text === '') return []
    return isRefusal(wire[i]) ? [{ type: 'refusal', text: part.text }] : [part]
  })
}

function decodePart(part: JsonValue, path: string): UserPart {
  if (!isJsonObject(part)) throw invalid(path, 'must be object')
  if (TEXT_TYPES.has(part.type)) return decodeText(part)
  if (part.type === 'input_image') return decodeImage(part, path)
  if (part.type === 'input_file') return decodeFile(part, path)
  return { type: 'foreign', kind: stringOf(part.type) ?? '', path }
}

function decodeText(part: JsonObject): TextPart {
  const text = partText(part)
  const isMarked = isJsonObject(part.prompt_cache_breakpoint)
  return isMarked ? { type: 'text', text, cacheBreakpoint: true } : { type: 'text', text }
}

function decodeImage(part: JsonObject, path: string): UserPart {
  const url = textOf(part.image_url)
  if (url === null) throw invalid(`${path}.image_url`, 'must be a URL')
  const { detail } = part
  return {
    type: 'image',
    source: /^data:/i.test(url) ? decodeDataUrl(url, `${path}.image_url`) : { kind: 'url', url },
    detail: detail === 'auto' || detail === 'low' || detail === 'high' ? detail : null,
    path,
  }
}

function decodeFile(part: JsonObject, path: string): UserPart {
  const name = textOf(part.filename)
  const url = textOf(part.file_url)
  if (url !== null) return { type: 'document', source: { kind: 'url', url }, name, path }
  const data = textOf(part.file_data)
  if (data === null) throw invalid(`${path}.file_data`, 'or file_url is required')
  // The vendor's document has bare base64 as well, for PDFs.
  const source: MediaSource = /^data:/i.test(data)
    ? decodeDataUrl(data, `${path}.file_data`)
    : { kind: 'base64', mediaType: 'application/pdf', base64: data }
  if (source.mediaType.startsWith('image/')) return { type: 'image', source, detail: null, path }
  if (!isTextType(source.mediaType)) return { type: 'document', source, name, path }
  return encodeTextDocument({ text: Buffer.from(source.base64, 'base64').toString('utf8'), name })
}

/** RFC 2397, of which every vendor accepts only the base64 form. */
function decodeDataUrl(url: string, path: string): Extract<MediaSource, { kind: 'base64' }> {
  const comma = url.indexOf(',')
  const [mediaType = '', ...parameters] = url.slice('data:'.length, Math.max(comma, 0)).split(';')
  const isBase64 = parameters.at(-1)?.toLowerCase() === 'base64'
  if (comma < 0 || mediaType === '' || !isBase64) throw invalid(path, 'must be a base64 data URL with a media type')
  return { kind: 'base64', mediaType: mediaType.toLowerCase(), base64: url.slice(comma + 1) }
}
