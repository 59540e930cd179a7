// Citations of a text, both ways. They belong to all of their block, which the vendor splits for them; where a source was cited is known
// to this wire alone, and what it says of that stays with the citation.
//
//   {"type":"web_search_result_location","url":"https://...","title":"...","cited_text":"...","encrypted_index":"..."}
//   {"type":"char_location","cited_text":"...","document_index":0,"document_title":"...", ...}        and three more
import { type Citation, ownValue } from '../../model/citation.js'
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../../model/json.js'
import { textOf } from '../scalars.js'

const WIRE = 'anthropic-messages'
const ADDRESS = /^https?:\/\//i

/** Whether this wire can write it. */
export function citesAs(citation: Citation): boolean {
  return citation.url !== null || ownValue(citation, WIRE) !== null
}

/** The citations of a text block; what is none is skipped. */
export function decodeCitations(citations: JsonValue | undefined): Citation[] {
  return isJsonArray(citations) ? citations.flatMap((citation) => decodeCitation(citation) ?? []) : []
}

/** Null for what is none. */
export function decodeCitation(citation: JsonValue | undefined): Citation | null {
  if (!isJsonObject(citation)) return null
  const source = textOf(citation.url) ?? textOf(citation.source)
  return {
    kind: 'citation',
    url: source !== null && ADDRESS.test(source) ? source : null,
    title: textOf(citation.title) ?? textOf(citation.document_title),
    citedText: textOf(citation.cited_text),
    span: null,
    own: { wire: WIRE, value: citation },
  }
}

/** A source of another wire is as one that a search has found. Null if there is no place for it. */
export function encodeCitation(citation: Citation): JsonObject | null {
  const { url, title, citedText } = citation
  const own = ownValue(citation, WIRE)
  if (own !== null || url === null) return own
  return { type: 'web_search_result_location', url, title, cited_text: citedText ?? '', encrypted_index: '' }
}
