// OpenAI's `url_citation`, whose members are the same in both of its APIs. Positions are those of the text, from the first character up to
// the one behind the last.
//
//   {"url":"https://...","title":"...","start_index":0,"end_index":8}        a few vendors add "content", the words of the source
import { type Citation, type Span } from '../model/citation.js'
import { type JsonObject } from '../model/json.js'
import { numberOf, stringOf, textOf } from './scalars.js'

/** The members for a source with an address; `span` is within the text that clients read. */
export function encodeUrlCitation(url: string, { title }: Citation, span: Span): JsonObject {
  return { start_index: span.start, end_index: span.end, title: title ?? '', url }
}

/** `offset`: where the block begins within the text that the positions are of. Null without an address. */
export function decodeUrlCitation(members: JsonObject, offset: number): Citation | null {
  const url = textOf(members.url)
  if (url === null) return null
  const start = numberOf(members.start_index)
  const end = numberOf(members.end_index)
  const span = start === null || end === null ? null : spanFrom(start - offset, end - offset)
  const [title, citedText] = [stringOf(members.title), textOf(members.content)]
  return { kind: 'citation', url, title, citedText, span, own: null }
}

/** Null for positions that are none. */
function spanFrom(start: number, end: number): Span | null {
  const isSpan = Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && end >= start
  return isSpan ? { start, end } : null
}
