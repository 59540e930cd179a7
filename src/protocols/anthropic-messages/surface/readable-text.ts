// The readable text of a block that only the vendor understands, such as a result of its web search: titles, URLs, texts and output,
// in order, one per line. Encrypted content, ids and bytes are left out.
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../../../model/json.js'

/** Members whose strings are for people. */
const READABLE: ReadonlySet<string> = new Set([
  ...['title', 'url', 'source', 'page_age', 'text', 'cited_text', 'context'],
  ...['stdout', 'stderr', 'query', 'error_code', 'error_message', 'tool_name', 'server_name'],
])

/** The type of a block; a client may send anything there. */
export function kindOf({ type }: JsonObject): string {
  return typeof type === 'string' ? type : 'block'
}

/** Empty if there is no readable text. */
export function readableText(value: JsonValue): string {
  const lines: string[] = []
  collect(value, lines)
  return lines.join('\n')
}

function collect(value: JsonValue, lines: string[]): void {
  if (isJsonArray(value)) {
    for (const item of value) collect(item, lines)
    return
  }
  if (!isJsonObject(value)) return
  for (const [member, inner] of Object.entries(value)) {
    const isText = READABLE.has(member) || (value.type === 'text' && member === 'data') || member === 'content'
    if (typeof inner === 'string' && isText && inner !== '') lines.push(inner)
    else if (typeof inner === 'object') collect(inner, lines)
  }
}
