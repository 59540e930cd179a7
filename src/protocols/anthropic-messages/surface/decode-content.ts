// Content blocks of a user's turn and of a tool's result -> canonical parts. Text documents and search results become text;
// content without a canonical form stays foreign, and fit/content.ts decides how to handle it.
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../../../model/json.js'
import { type FilePart, type MediaSource, type TextPart, type UserPart } from '../../../model/request.js'
import { encodeTextDocument, isTextType } from '../../fit/text-document.js'
import { type BlockParam, type TextBlockParam } from '../wire.js'
import { kindOf, readableText } from './readable-text.js'

/** The parts of one block: a document may hold several. `reduced` gets the names of what is lost if only text is kept. */
export function decodeContent(block: BlockParam, path: string, reduced: Set<string>): UserPart[] {
  const { citations } = block as JsonObject
  if (isJsonArray(citations) ? citations.length > 0 : isJsonObject(citations) && citations.enabled === true) {
    reduced.add('citations')
  }
  switch (block.type) {
    case 'text':
      return [decodeText(block)]
    case 'image':
      return [decodeImage(block, path)]
    case 'document':
      return decodeDocument(block, path, reduced)
    case 'search_result':
      return [decodeSearchResult(block)]
    default:
      return [decodeForeign(block as JsonObject, path, reduced)]
  }
}

/** One text block with its cache breakpoint; also used for the system prompt. */
export function decodeText(block: TextBlockParam): TextPart {
  const isBreakpoint = block.cache_control !== undefined && block.cache_control !== null
  return isBreakpoint ? { type: 'text', text: block.text, cacheBreakpoint: true } : { type: 'text', text: block.text }
}

function decodeImage(block: JsonObject, path: string): UserPart {
  const source = decodeSource(block.source)
  const file = decodeFile(block.source, 'image/*', path)
  if (file !== null) return file
  if (source === null) return { type: 'foreign', kind: foreignSource('image', block.source), path }
  return { type: 'image', source, detail: null, path }
}

function decodeDocument(block: JsonObject, path: string, reduced: Set<string>): UserPart[] {
  const source = isJsonObject(block.source) ? block.source : {}
  const name = stringOf(block.title)
  const context = stringOf(block.context)
  const asText = (text: string): UserPart[] => [encodeTextDocument({ text, name, context })]
  const data = stringOf(source.data)
  if (source.type === 'text' && data !== null) return asText(data)
  if (source.type === 'base64' && data !== null && isTextType(stringOf(source.media_type) ?? '')) {
    return asText(Buffer.from(data, 'base64').toString('utf8'))
  }
  if (source.type === 'content') {
    if (typeof source.content === 'string') return asText(source.content)
    if (isJsonArray(source.content)) return decodeBlocks(source.content, `${path}.source.content`, reduced)
  }
  const file = decodeFile(source, null, path)
  if (file !== null) return [file]
  const media = decodeSource(source)
  if (media === null) return [{ type: 'foreign', kind: foreignSource('document', source), path }]
  const about: UserPart[] = context === null || context === '' ? [] : [{ type: 'text', text: context }]
  return [...about, { type: 'document', source: media, name, path }]
}

/** Blocks within a block. Their depth is bounded, as that of a body is. */
function decodeBlocks(blocks: readonly JsonValue[], path: string, reduced: Set<string>): UserPart[] {
  return blocks.flatMap((inner, i) => {
    const isBlock = isJsonObject(inner) && (inner.type !== 'text' || typeof inner.text === 'string')
    return isBlock ? decodeContent(inner as unknown as BlockParam, `${path}.${i}`, reduced) : []
  })
}

/** Null for content that only the vendor itself can resolve. */
function decodeSource(source: JsonValue | undefined): MediaSource | null {
  if (!isJsonObject(source)) return null
  const { type, media_type: mediaType, data, url } = source
  if (type === 'base64' && typeof mediaType === 'string' && typeof data === 'string') {
    return { kind: 'base64', mediaType, base64: data }
  }
  return type === 'url' && typeof url === 'string' ? { kind: 'url', url } : null
}

/** Null for a source that names no file of the vendor's Files API. */
function decodeFile(source: JsonValue | undefined, mediaType: string | null, path: string): FilePart | null {
  const id = isJsonObject(source) && source.type === 'file' ? stringOf(source.file_id) : null
  return id === null ? null : { type: 'file', wire: 'anthropic-messages', id, mediaType, path }
}

/** A source without any of the forms above. */
function foreignSource(what: string, source: JsonValue | undefined): string {
  const type = isJsonObject(source) ? stringOf(source.type) : null
  return type === null ? what : `${what}.${type}`
}

function decodeSearchResult(block: JsonObject): UserPart {
  const text = isJsonArray(block.content) ? block.content.map(readableText).join('\n') : ''
  return encodeTextDocument({ text, name: stringOf(block.title), source: stringOf(block.source) })
}

/** Results of the vendor's own tools are their readable text; without any they are foreign. */
function decodeForeign(block: JsonObject, path: string, reduced: Set<string>): UserPart {
  const kind = kindOf(block)
  const text = readableText(block)
  if (text === '') return { type: 'foreign', kind, path }
  reduced.add(kind)
  return { type: 'text', text }
}

function stringOf(value: JsonValue | undefined): string | null {
  return typeof value === 'string' ? value : null
}
