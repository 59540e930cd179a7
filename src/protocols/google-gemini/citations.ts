// Sources of an answer, both ways. They come at the end of an answer, beside its parts, and count in bytes of UTF-8.
//
//   "groundingMetadata":{"groundingChunks":[{"web":{"uri":"https://...","title":"..."}}],
//                        "groundingSupports":[{"segment":{"startIndex":0,"endIndex":8,"text":"..."},"groundingChunkIndices":[0]}]}
//   "citationMetadata":{"citations":[{"uri":"https://...","startIndex":0,"endIndex":8}]}        citationSources in the older API
import { type Citation, placeOf, type Span } from '../../model/citation.js'
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../../model/json.js'
import { numberOf, textOf } from '../scalars.js'

/** A source as the vendor names it; `segment` is what it supports, null for all of the text. */
export type Source = { readonly url: string; readonly title: string | null; readonly segment: Segment | null }
/** Bytes of a text, and the text of just these if the vendor repeats it. */
type Segment = { readonly start: number; readonly end: number; readonly text: string | null }

/** The sources that a candidate names. */
export function readSources({ groundingMetadata, citationMetadata }: JsonObject): readonly Source[] {
  if (groundingMetadata === undefined && citationMetadata === undefined) return NONE
  return [
    ...(isJsonObject(groundingMetadata) ? readGrounding(groundingMetadata) : NONE),
    ...(isJsonObject(citationMetadata) ? readQuotes(citationMetadata) : NONE),
  ]
}

const NONE: readonly Source[] = Object.freeze([])

function readGrounding({ groundingChunks, groundingSupports }: JsonObject): Source[] {
  const chunks = objectsIn(groundingChunks).map(readChunk)
  const supports = objectsIn(groundingSupports)
  if (supports.length === 0) return chunks.filter((chunk) => chunk !== null)
  return supports.flatMap(({ segment, groundingChunkIndices: indices }) => {
    const read = isJsonObject(segment) ? readSegment(segment) : null
    const named = isJsonArray(indices) ? indices.map((index) => chunks[Number(index)] ?? null) : []
    return named.flatMap((chunk) => (chunk === null ? [] : [{ ...chunk, segment: read }]))
  })
}

/** A page of the web, a document that was retrieved, or a place on a map. */
function readChunk({ web, retrievedContext, maps }: JsonObject): Source | null {
  const source = [web, retrievedContext, maps].find(isJsonObject)
  const url = textOf(source?.uri)
  return url === null ? null : { url, title: textOf(source?.title), segment: null }
}

function readQuotes({ citations, citationSources }: JsonObject): Source[] {
  return [...objectsIn(citations), ...objectsIn(citationSources)].flatMap((quote) => {
    const url = textOf(quote.uri)
    return url === null ? [] : [{ url, title: textOf(quote.title), segment: readSegment(quote) }]
  })
}

/** The vendor leaves out a start at 0. */
function readSegment({ startIndex, endIndex, text }: JsonObject): Segment | null {
  const end = numberOf(endIndex)
  return end === null ? null : { start: numberOf(startIndex) ?? 0, end, text: textOf(text) }
}

function objectsIn(list: JsonValue | undefined): JsonObject[] {
  return isJsonArray(list) ? list.filter(isJsonObject) : []
}

/** The citations of a text by these sources. */
export function citationsOf(sources: readonly Source[], text: string): Citation[] {
  const bytes = Buffer.from(sources.length === 0 ? '' : text)
  return sources.map(({ url, title, segment }) => {
    const span = segment === null ? null : spanOf(segment, text, bytes)
    return { kind: 'citation', url, title, citedText: null, span, own: null }
  })
}

/** Null for a segment of another text. */
function spanOf(segment: Segment, text: string, bytes: Buffer): Span | null {
  const { start, end } = segment
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || end < start || end > bytes.length)
    return null
  const span = { start: bytes.toString('utf8', 0, start).length, end: bytes.toString('utf8', 0, end).length }
  return segment.text === null || text.slice(span.start, span.end) === segment.text ? span : null
}

/** A citation of a block: its text is `chars` characters of `text` from `offset` on. `part`: the place of that text among the parts. */
export type Cited = {
  readonly citation: Citation
  readonly text: string
  readonly offset: number
  readonly chars: number
  readonly part: number
}

/** The member of a candidate that names these sources; null for none. */
export function encodeSources(cited: readonly Cited[]): JsonObject | null {
  const chunks: JsonObject[] = []
  const places = new Map<string, number>()
  const supports = cited.flatMap(({ citation, text, offset, chars, part }): JsonObject[] => {
    const { url, title } = citation
    if (url === null) return []
    const place = places.get(url) ?? chunks.push({ web: { uri: url, ...(title === null ? {} : { title }) } }) - 1
    places.set(url, place)
    const { start, end } = placeOf(citation, offset, chars)
    const startIndex = Buffer.byteLength(text.slice(0, start))
    const words = text.slice(start, end)
    const segment = { partIndex: part, startIndex, endIndex: startIndex + Buffer.byteLength(words), text: words }
    return [{ segment, groundingChunkIndices: [place] }]
  })
  return chunks.length === 0 ? null : { groundingChunks: chunks, groundingSupports: supports }
}
