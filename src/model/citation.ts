// A source that a model names for a part of its text. Vendors agree on addresses and titles, and on little else: positions are converted
// where both sides have them, and what only one wire can read stays with the citation for that wire.
import { type JsonObject } from './json.js'

export type Citation = {
  readonly kind: 'citation'
  /** Null for a source without an address, such as a document of the request. */
  readonly url: string | null
  readonly title: string | null
  /** The words of the source. */
  readonly citedText: string | null
  /** The text that it supports, within its block; null for all of it. */
  readonly span: Span | null
  /** As its own wire writes it, where that says more than the members above; null if it does not. */
  readonly own: Own | null
}

/** A part of a block's text, in UTF-16 code units. */
export type Span = { readonly start: number; readonly end: number }

/** `wire`: the protocol whose own form `value` has. */
export type Own = { readonly wire: string; readonly value: JsonObject }

/** The value of its own wire; null on any other. */
export function ownValue({ own }: Citation, wire: string): JsonObject | null {
  return own !== null && own.wire === wire ? own.value : null
}

/** Where a citation belongs within a longer text, of which its block begins at `offset` and has this many characters. */
export function placeOf({ span }: Citation, offset: number, chars: number): Span {
  const { start, end } = span ?? { start: 0, end: chars }
  return { start: offset + start, end: offset + end }
}
