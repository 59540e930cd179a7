// Citations as annotations of a text, both ways. Sources with an address have a canonical form; those of files are the vendor's own.
//
//   {"type":"url_citation","url":"https://...", ...}    {"type":"file_citation","file_id":"...","filename":"...","index":8}
import { type Citation, ownValue, placeOf } from '../../../model/citation.js'
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../../../model/json.js'
import { textOf } from '../../scalars.js'
import { decodeUrlCitation, encodeUrlCitation } from '../../url-citation.js'

const WIRE = 'openai-responses'

/** Whether this wire can write it. */
export function citesAs(citation: Citation): boolean {
  return citation.url !== null || ownValue(citation, WIRE) !== null
}

/** The annotations of a text with this many characters. */
export function encodeAnnotations(citations: readonly Citation[], chars: number): JsonObject[] {
  return citations.flatMap((citation): JsonObject[] => {
    const { url } = citation
    const own = ownValue(citation, WIRE)
    if (own !== null) return [own]
    return url === null
      ? []
      : [{ type: 'url_citation', ...encodeUrlCitation(url, citation, placeOf(citation, 0, chars)) }]
  })
}

/** The citations of a text; what is no annotation is skipped. */
export function decodeAnnotations(annotations: JsonValue | undefined): Citation[] {
  return isJsonArray(annotations) ? annotations.flatMap((annotation) => decodeAnnotation(annotation) ?? []) : []
}

/** Null for what is none. */
export function decodeAnnotation(annotation: JsonValue | undefined): Citation | null {
  if (!isJsonObject(annotation)) return null
  if (annotation.type === 'url_citation') return decodeUrlCitation(annotation, 0)
  const title = textOf(annotation.filename)
  return { kind: 'citation', url: null, title, citedText: null, span: null, own: { wire: WIRE, value: annotation } }
}
