// The items in the texts of stored answers: of the input, which is listed in pages, and of the output, which requests name by their ids. The
// texts stay as they are; only the items of a page are parsed.
import { GatewayError } from '../../../errors.js'
import { type JsonObject, type JsonValue } from '../../../model/json.js'
import { scanMembers } from '../../../wire/body/members.js'
import { objectEnd, skipSpace } from '../../../wire/json-scan.js'
import { type EarlierTurns, type ItemPlace, type ItemQuery } from '../../contract/stored.js'
import { stringOf, textOf } from '../../scalars.js'
import { itemBaseOf } from '../ids.js'

const MAX_SHOWN_CHARS = 80
const QUOTE = 0x22
const OPEN_BRACKET = 0x5b
const OPEN_BRACE = 0x7b

/** The list may be as large as a body, and is the reading of no new work: only the items of the page are parsed. */
export function encodeItems({ id, input }: EarlierTurns & { readonly id: string }, query: ItemQuery): JsonObject {
  const list = bytesOf(input)
  const prefix = `item_${itemBaseOf(id)}_in`
  const spans = itemsOf(list)
  if (query.order === 'desc') spans.reverse()
  const read = ({ index, start, end }: Span): JsonObject & { readonly id: string } =>
    encodeItem(JSON.parse(list.toString('utf8', start, end)) as JsonObject, `${prefix}${index}`)
  const { after } = query
  const isAfter = (span: Span): boolean =>
    after === `${prefix}${span.index}` || list.subarray(span.start, span.end).includes(`"${after}"`)
  const from = after === null ? 0 : spans.findIndex((span) => isAfter(span) && read(span).id === after) + 1
  if (after !== null && from === 0) throw unknownCursor(after)
  const data = spans.slice(from, from + query.limit).map(read)
  return {
    object: 'list',
    data,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: from + data.length < spans.length,
  }
}

/** An item of a list: its place in it, and in its text. */
type Span = { readonly index: number; readonly start: number; readonly end: number }

/** Of a list of objects, as every input is. */
export function itemsOf(list: Buffer): Span[] {
  const spans: Span[] = []
  let start = skipSpace(list, 1)
  while (list[start] === OPEN_BRACE) {
    const end = objectEnd(list, start)
    spans.push({ index: spans.length, start, end })
    start = skipSpace(list, skipSpace(list, end) + 1)
  }
  return spans
}

function unknownCursor(id: string): GatewayError {
  return new GatewayError('invalid_request', { param: 'after', message: notFoundText('Item', id) })
}

/** In the long form, with an id: clients may send the short form of a message. */
function encodeItem(item: JsonObject, id: string): JsonObject & { readonly id: string } {
  const named = { ...item, id: textOf(item.id) ?? id, type: textOf(item.type) ?? 'message' }
  const text = stringOf(item.content)
  if (named.type !== 'message' || text === null) return named
  const isModel = item.role === 'assistant'
  const part = isModel ? { type: 'output_text', annotations: [], text } : { type: 'input_text', text }
  return { ...named, status: item.status ?? 'completed', content: [part] }
}

/** More have no place in the index of items: a client that sends them back sends the items themselves. */
const MAX_ITEMS = 1000

/** Where the output items of an answer are that have an id. */
export function itemsIn(answer: Uint8Array): ItemPlace[] {
  const span = scanMembers(answer)?.findLast(({ key }) => key === 'output')
  if (span === undefined || answer[span.valueStart] !== OPEN_BRACKET) return []
  const list = bytesOf(answer.subarray(span.valueStart, span.valueEnd))
  return itemsOf(list)
    .slice(0, MAX_ITEMS)
    .flatMap(({ start, end }) => {
      const id = idIn(list.subarray(start, end))
      return id === null ? [] : [{ id, start: span.valueStart + start, end: span.valueStart + end }]
    })
}

function idIn(item: Uint8Array): string | null {
  const value = memberOf(item, 'id')
  return value?.[0] === QUOTE ? textOf(JSON.parse(bytesOf(value).toString('utf8')) as JsonValue) : null
}

/** The text of a member of an object; null if it has none. */
export function memberOf(text: Uint8Array, name: string): Uint8Array | null {
  const span = scanMembers(text)?.findLast(({ key }) => key === name)
  return span === undefined ? null : text.subarray(span.valueStart, span.valueEnd)
}

/** A view of the same bytes. */
export function bytesOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
}

/** What clients read where something is not found by its id. */
export function notFoundText(what: string, id: string): string {
  const shown = id.length > MAX_SHOWN_CHARS ? `${id.slice(0, MAX_SHOWN_CHARS)}...` : id
  return `${what} with id '${shown}' not found.`
}
