// Text documents are sent as text in every protocol, so a target needs no support for documents to read them.
import { type TextPart } from '../../model/request.js'

/** Media types that are text by another name. */
const TEXT_TYPES =
  /^(?:text\/|application\/(?:[\w.+-]*\+)?(?:json|xml|yaml|toml|javascript|typescript|csv|sql)\b|application\/x-(?:ndjson|yaml|sh)\b)/i

/** True for a media type whose bytes are text. */
export function isTextType(mediaType: string): boolean {
  return TEXT_TYPES.test(mediaType)
}

export type TextDocument = {
  readonly text: string
  /** Title or file name. */
  readonly name: string | null
  /** The client's context for the document. */
  readonly context?: string | null
  /** Where it comes from, such as the address of a search result. */
  readonly source?: string | null
}

/** The document as the model reads it: its text between marks that separate it from the user's own text. */
export function encodeTextDocument({ text, name, context = null, source = null }: TextDocument): TextPart {
  const attributes = [attribute('title', name), attribute('source', source)].join('')
  const about = context === null || context === '' ? '' : `${context}\n`
  return { type: 'text', text: `<document${attributes}>\n${about}${text}\n</document>` }
}

function attribute(name: string, value: string | null): string {
  return value === null || value === '' ? '' : ` ${name}="${value.replaceAll('"', "'")}"`
}
