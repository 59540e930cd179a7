// Tools of a request under the names that other wires know them by, and the way back. Other wires have functions only, with one flat name
// each; a call must return as the kind of item that the client's tool is, or the client ignores or aborts it
// (router-for-me/CLIProxyAPI#5753, looplj/axonhub#860).
//
//   function f            f                     function_call {name: f}
//   custom c              c({input})            custom_tool_call {name: c, input: raw text}
//   namespace n {f, c}    n__f, n__c            the same with {name, namespace: n}
//   tool_search           tool_search           tool_search_call {execution: client, arguments}
import { createHash } from 'node:crypto'
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../../model/json.js'
import { textOf } from '../scalars.js'

export type ToolKind = 'function' | 'custom' | 'search'
/** A tool as its client knows it. */
export type ToolName = { readonly kind: ToolKind; readonly name: string; readonly namespace: string | null }
/** A tool with its place in the request. `kind` is null for a tool that the vendor itself runs. */
export type ListedTool = {
  readonly kind: ToolKind | null
  readonly name: string
  readonly namespace: string | null
  /** The name on other wires; the type of a tool that the vendor runs. */
  readonly flat: string
  readonly tool: JsonObject
  readonly path: string
}

/** The one name of the search tool, which has none of its own. */
export const SEARCH_NAME = 'tool_search'
/** The longest name that vendors accept. */
const MAX_NAME_CHARS = 64
const HASH_CHARS = 8

/** The name of a tool on other wires. */
export function flatName(namespace: string | null, name: string): string {
  const whole = namespace === null ? name : `${namespace}__${name}`
  if (namespace === null || whole.length <= MAX_NAME_CHARS) return whole
  const digest = createHash('sha256').update(whole).digest('hex').slice(0, HASH_CHARS)
  return `${whole.slice(0, MAX_NAME_CHARS - HASH_CHARS - 1)}_${digest}`
}

/** All tools of a request: its own, and those that the conversation has added. */
export function listTools(body: JsonObject): ListedTool[] {
  const listed = list(body.tools, 'tools', null)
  if (!isJsonArray(body.input)) return listed
  const known = new Set(listed.map(identityOf))
  body.input.forEach((item, i) => {
    if (!isJsonObject(item) || (item.type !== 'additional_tools' && item.type !== 'tool_search_output')) return
    for (const tool of list(item.tools, `input.${i}.tools`, null)) {
      // A search may load what was loaded before.
      if (known.has(identityOf(tool))) continue
      known.add(identityOf(tool))
      listed.push(tool)
    }
  })
  return listed
}

/** Distinguishes tools that have the same name on other wires. */
export function identityOf({ kind, namespace, name }: ListedTool): string {
  return JSON.stringify([kind, namespace, name])
}

function list(tools: JsonValue | undefined, path: string, namespace: string | null): ListedTool[] {
  if (!isJsonArray(tools)) return []
  return tools.flatMap((tool, i): ListedTool[] => {
    if (!isJsonObject(tool)) return []
    const at = `${path}.${i}`
    const name = textOf(tool.name) ?? ''
    if (tool.type === 'namespace' && namespace === null) return list(tool.tools, `${at}.tools`, name)
    const kind = kindOf(tool)
    if (kind === 'search') return [{ kind, name: SEARCH_NAME, namespace: null, flat: SEARCH_NAME, tool, path: at }]
    const flat = kind === null ? (textOf(tool.type) ?? '') : flatName(namespace, name)
    return [{ kind, name, namespace, flat, tool, path: at }]
  })
}

function kindOf({ type, execution }: JsonObject): ToolKind | null {
  if (type === 'function' || type === 'custom') return type
  return type === SEARCH_NAME && execution === 'client' ? 'search' : null
}

/** The names of tools that are no plain functions, as plain data: flat name -> [kind, name, namespace]. */
export function packNames(tools: readonly ListedTool[]): JsonObject {
  const entries = tools.flatMap(({ kind, name, namespace, flat }): [string, JsonValue][] => {
    return kind === null || (kind === 'function' && namespace === null) ? [] : [[flat, [kind, name, namespace]]]
  })
  return Object.fromEntries(entries)
}

/** The tool that a call on another wire means; one that is not packed is a plain function. */
export function unpackName(packed: JsonObject, flat: string): ToolName {
  const entry = Object.hasOwn(packed, flat) ? packed[flat] : undefined
  const [kind, name, namespace] = isJsonArray(entry) ? entry : []
  if (kind !== 'function' && kind !== 'custom' && kind !== 'search') {
    return { kind: 'function', name: flat, namespace: null }
  }
  return { kind, name: textOf(name) ?? flat, namespace: textOf(namespace) }
}
