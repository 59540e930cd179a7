// Citations as annotations of a message, both ways. This wire has them only of sources with an address.
//
//   "annotations":[{"type":"url_citation","url_citation":{"url":"https://...", ...}}]
import { type Citation, placeOf } from '../../model/citation.js'
import { isJsonArray, isJsonObject, type JsonValue } from '../../model/json.js'
import { type TextPart } from '../../model/request.js'
import { decodeUrlCitation, encodeUrlCitation } from '../url-citation.js'
import { type WireAnnotation } from './wire.js'

/** `offset`: where the block begins within the text of its message; `chars`: how long it is. */
export function encodeAnnotations(citations: readonly Citation[], offset: number, chars: number): WireAnnotation[] {
  return citations.flatMap((citation): WireAnnotation[] => {
    const { url } = citation
    if (url === null) return []
    return [{ type: 'url_citation', url_citation: encodeUrlCitation(url, citation, placeOf(citation, offset, chars)) }]
  })
}

/** The annotations of a whole message with these texts. */
export function annotationsOf(texts: readonly TextPart[]): WireAnnotation[] {
  let offset = 0
  return texts.flatMap(({ text, citations = [] }) => {
    const at = offset
    offset += text.length
    return encodeAnnotations(citations, at, text.length)
  })
}

/** `offset`: where the block begins that they belong to. */
export function decodeAnnotations(annotations: JsonValue | undefined, offset: number): Citation[] {
  if (!isJsonArray(annotations)) return []
  return annotations.flatMap((annotation) => {
    if (!isJsonObject(annotation) || !isJsonObject(annotation.url_citation)) return []
    return decodeUrlCitation(annotation.url_citation, offset) ?? []
  })
}
