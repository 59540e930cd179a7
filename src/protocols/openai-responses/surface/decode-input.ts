// Items of a validated body -> canonical system text and turns. Items of the model that follow each other are one turn; what the client put
// between a call and its result moves out of the way, since other wires want the result right behind the call (BerriAI/litellm#32536):
//
//   call a, call b, text, result a, user, result b   ->   assistant [text, call a, call b]  tool [result a, result b]  user
import { isJsonArray, isJsonObject, type JsonArray, type JsonObject, type JsonValue } from '../../../model/json.js'
import { isWords } from '../../../model/refusal.js'
import {
  type AssistantPart,
  type Message,
  type TextPart,
  type ToolResultPart,
  type UserPart,
} from '../../../model/request.js'
import { stringOf, textOf } from '../../scalars.js'
import { decodeImage } from '../parts/made.js'
import { callArguments, reasoningText } from '../response.js'
import { markEncrypted, unseal } from '../sealed.js'
import { flatName, SEARCH_NAME } from '../tool-names.js'
import { decodeContent, decodeTexts, decodeWords } from './decode-content.js'
import { notCarried } from './invalid.js'

export type DecodedInput = {
  readonly system: readonly TextPart[]
  readonly messages: readonly Message[]
  /** Names of items that are left out for every target. */
  readonly dropped: ReadonlySet<string>
}

/** @throws invalid_request with the path of an item that only this wire carries */
export function decodeInput(input: JsonValue | undefined): DecodedInput {
  if (!isJsonArray(input)) {
    const content: TextPart[] = [{ type: 'text', text: stringOf(input) ?? '' }]
    return { system: [], messages: [{ role: 'user', content }], dropped: new Set() }
  }
  const turns = new Turns(input)
  input.forEach((item, i) => {
    if (isJsonObject(item)) pushItem(turns, item, `input.${i}`)
  })
  return turns.end()
}

function pushItem(turns: Turns, item: JsonObject, path: string): void {
  switch (item.type ?? 'message') {
    case 'message':
      pushMessage(turns, item, path)
      return
    case 'reasoning':
      pushReasoning(turns, item)
      return
    case 'function_call':
    case 'custom_tool_call':
      turns.call(item, flatName(textOf(item.namespace), stringOf(item.name) ?? ''), callArguments(item))
      return
    case 'function_call_output':
    case 'custom_tool_call_output':
      if (textOf(item.call_id) === null) turns.user(noteOf(item, `${path}.output`))
      else turns.result(item, { content: decodeContent(item.output, `${path}.output`) })
      return
    case 'tool_search_call':
      turns.search(item)
      return
    case 'tool_search_output':
      turns.found(item)
      return
    case 'image_generation_call': {
      const source = decodeImage(item)
      if (source === null) throw notCarried(path, 'an image without its bytes')
      turns.assistant({ type: 'made-image', source })
      return
    }
    // Their tools are listed by tool-names.ts.
    case 'additional_tools':
      return
    default:
      throw notCarried(path, `an item of type '${stringOf(item.type) ?? ''}'`)
  }
}

function pushMessage(turns: Turns, item: JsonObject, path: string): void {
  const at = `${path}.content`
  if (item.role === 'user') turns.user(decodeContent(item.content, at))
  else if (item.role === 'assistant') for (const part of decodeWords(item.content, at)) turns.assistant(part)
  else turns.system.push(...decodeTexts(item.content, at))
}

/** A result that answers no call: other wires have none, so it is a user's, under its name. */
function noteOf(item: JsonObject, at: string): UserPart[] {
  const content = decodeContent(item.output, at)
  const name = textOf(item.name)
  return name === null ? content : [{ type: 'text', text: `${flatName(textOf(item.namespace), name)}:` }, ...content]
}

function pushReasoning(turns: Turns, item: JsonObject): void {
  const text = reasoningText(item)
  const encrypted = textOf(item.encrypted_content)
  const sealed = encrypted === null ? null : unseal(encrypted)
  // The signature of a call: its call has it already.
  if (sealed?.kind === 'call') return
  if (sealed?.kind === 'redacted') {
    turns.assistant({ type: 'reasoning', text: '', signature: null, redacted: sealed.redacted })
  } else {
    const own = encrypted === null ? null : markEncrypted(encrypted, '')
    const signature = sealed?.signature ?? own
    if (text !== '' || signature !== null) turns.assistant({ type: 'reasoning', text, signature, redacted: null })
  }
}

/** Types of the items that answer a call. */
const RESULT_TYPES: ReadonlySet<JsonValue | undefined> = new Set(['function_call_output', 'custom_tool_call_output'])
const SEARCH_RESULT = 'tool_search_output'

type Turn =
  | { role: 'user'; content: Extract<Message, { role: 'user' }>['content'] }
  | ModelTurn
  | { role: 'tool'; content: ToolResultPart[] }

/** `content`: all before the first call; `rest`: from there on. */
type ModelTurn = { role: 'assistant'; content: AssistantPart[]; rest: AssistantPart[] }

/** The turns so far. */
class Turns {
  readonly system: TextPart[] = []
  readonly #turns: Turn[] = []
  readonly #dropped = new Set<string>()
  /** Ids of calls for which a result comes, by the kind of call. */
  readonly #answered: ReadonlySet<string>
  readonly #searched: ReadonlySet<string>
  /** Calls whose result is still to come: until then users' turns wait. */
  readonly #open = new Set<string>()
  readonly #nameOf = new Map<string, string>()
  /** Signatures of calls of another wire, which come behind them. */
  readonly #signatureOf: ReadonlyMap<string, string>
  #waiting: Turn[] = []

  constructor(input: JsonArray) {
    this.#answered = idsOf(input, (type) => RESULT_TYPES.has(type))
    this.#searched = idsOf(input, (type) => type === SEARCH_RESULT)
    this.#signatureOf = signaturesIn(input)
  }

  user(content: Extract<Message, { role: 'user' }>['content']): void {
    const turns = this.#open.size > 0 ? this.#waiting : this.#turns
    turns.push({ role: 'user', content })
  }

  /** Words and reasoning. Words go before the calls of its turn, where every wire accepts it. */
  assistant(part: AssistantPart): void {
    const { content, rest } = this.#model()
    if (isWords(part) || rest.length === 0) content.push(part)
    else rest.push(part)
  }

  call(item: JsonObject, name: string, text: string): void {
    const id = stringOf(item.call_id) ?? ''
    this.#nameOf.set(id, name)
    const signature = this.#signatureOf.get(id) ?? null
    this.#model().rest.push({ type: 'tool-call', id, name, arguments: text, signature })
    if (this.#answered.has(id) || this.#searched.has(id)) this.#open.add(id)
  }

  result(item: JsonObject, { content }: Pick<ToolResultPart, 'content'>): void {
    const callId = stringOf(item.call_id) ?? ''
    const result: ToolResultPart = {
      type: 'tool-result',
      callId,
      name: this.#nameOf.get(callId) ?? null,
      content,
      isError: false,
    }
    const last = this.#turns.at(-1)
    if (last?.role === 'tool') last.content.push(result)
    else this.#turns.push({ role: 'tool', content: [result] })
    this.#open.delete(callId)
    if (this.#open.size === 0) this.#release()
  }

  /** A search that the client ran. One that the vendor ran, or without a result, is left out: its tools are known all the same. */
  search(item: JsonObject): void {
    const id = textOf(item.call_id)
    if (id === null || !this.#searched.has(id)) {
      this.#dropped.add('input.tool_search_call')
      return
    }
    this.call(item, SEARCH_NAME, JSON.stringify(item.arguments ?? {}))
  }

  found(item: JsonObject): void {
    const id = textOf(item.call_id)
    if (id === null || !this.#open.has(id)) this.#dropped.add('input.tool_search_output')
    else this.result(item, { content: [{ type: 'text', text: JSON.stringify(item.tools ?? []) }] })
  }

  end(): DecodedInput {
    this.#release()
    const messages = this.#turns.map((turn): Message => {
      if (turn.role !== 'assistant') return turn
      return { role: turn.role, content: turn.content.concat(turn.rest) }
    })
    return { system: this.system, messages, dropped: this.#dropped }
  }

  /** The turn of the model that a part of it belongs to: while results are due, the one that made the calls. */
  #model(): ModelTurn {
    const last = this.#turns.at(-1)
    if (last?.role === 'assistant') return last
    const caller = this.#open.size > 0 ? this.#turns.findLast((turn) => turn.role === 'assistant') : undefined
    if (caller !== undefined) return caller
    const turn: ModelTurn = { role: 'assistant', content: [], rest: [] }
    this.#turns.push(turn)
    return turn
  }

  #release(): void {
    this.#turns.push(...this.#waiting)
    this.#waiting = []
  }
}

function idsOf(input: JsonArray, isOne: (type: JsonValue | undefined) => boolean): Set<string> {
  return new Set(input.flatMap((item) => (isJsonObject(item) && isOne(item.type) ? (textOf(item.call_id) ?? []) : [])))
}

function signaturesIn(input: JsonArray): Map<string, string> {
  const found = new Map<string, string>()
  for (const item of input) {
    const encrypted = isJsonObject(item) && item.type === 'reasoning' ? textOf(item.encrypted_content) : null
    const sealed = encrypted === null ? null : unseal(encrypted)
    if (sealed?.kind === 'call') found.set(sealed.callId, sealed.signature)
  }
  return found
}
