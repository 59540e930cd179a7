// Contents of a validated body -> canonical messages.
//
//   {"role":"user"}  -> results of tools, then the rest         {"role":"model"}, {"role":"model"}, ... -> one turn of the assistant
//
// A client keeps what it was sent, so that an answer that was streamed comes back in as many contents as it had chunks; they are
// joined up to a signature, which belongs to all of the thought before it. Calls and results without ids are paired by their names, in order.
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../../../model/json.js'
import { type AssistantPart, type Message, type ToolResultPart, type UserPart } from '../../../model/request.js'
import { CallIds } from '../../fit/call-ids.js'
import { stringOf, textOf } from '../../scalars.js'
import { decodeSignature } from '../signature.js'
import { decodeUserPart } from './decode-content.js'

/** `lost`: names of what the turns of the model had and no other wire carries. */
export type DecodedContents = { readonly messages: readonly Message[]; readonly lost: ReadonlySet<string> }

/** The messages, in order; contents without anything in them are left out. */
export function decodeContents(contents: JsonValue | undefined): DecodedContents {
  const decoder: Decoder = { calls: new CallIds(idsIn(contents)), lost: new Set() }
  const messages: Message[] = []
  let turn: ModelTurn | null = null
  for (const [index, content] of (isJsonArray(contents) ? contents : []).entries()) {
    if (!isJsonObject(content)) continue
    if (content.role === 'model') {
      turn ??= new ModelTurn(decoder)
      for (const part of partsOf(content)) turn.push(part)
      continue
    }
    endTurn(turn, messages)
    turn = null
    messages.push(...decodeUser(content, `contents.${index}`, decoder))
  }
  endTurn(turn, messages)
  return { messages, lost: decoder.lost }
}

type Decoder = { readonly calls: CallIds; readonly lost: Set<string> }

function partsOf({ parts }: JsonObject): JsonObject[] {
  return isJsonArray(parts) ? parts.filter(isJsonObject) : []
}

function endTurn(turn: ModelTurn | null, messages: Message[]): void {
  const content = turn?.end() ?? []
  if (content.length > 0) messages.push({ role: 'assistant', content })
}

function decodeUser(content: JsonObject, path: string, { calls }: Decoder): Message[] {
  const results: ToolResultPart[] = []
  const rest: UserPart[] = []
  for (const [index, part] of partsOf(content).entries()) {
    const at = `${path}.parts.${index}`
    if (isJsonObject(part.functionResponse)) {
      results.push(decodeResult(part.functionResponse, `${at}.functionResponse`, calls))
      continue
    }
    const decoded = decodeUserPart(part, at)
    if (decoded !== null) rest.push(decoded)
  }
  const messages: Message[] = results.length > 0 ? [{ role: 'tool', content: results }] : []
  return rest.length > 0 ? [...messages, { role: 'user', content: rest }] : messages
}

function decodeResult(result: JsonObject, path: string, calls: CallIds): ToolResultPart {
  const name = String(result.name)
  const { text, isError } = readResponse(isJsonObject(result.response) ? result.response : {})
  const media = partsOf(result).flatMap((part, index) => decodeUserPart(part, `${path}.parts.${index}`) ?? [])
  const callId = calls.answered(name, textOf(result.id))
  return { type: 'tool-result', callId, name, content: [{ type: 'text', text }, ...media], isError }
}

/** The vendor suggests the members `output`, `result` and `error`; anything else is the result itself. */
function readResponse(response: JsonObject): { readonly text: string; readonly isError: boolean } {
  const [[member, value] = ['', null], ...others] = Object.entries(response)
  if (others.length === 0 && typeof value === 'string') {
    if (member === 'error') return { text: value, isError: true }
    if (member === 'output' || member === 'result') return { text: value, isError: false }
  }
  return { text: JSON.stringify(response), isError: false }
}

/** Joins the parts of one turn of the model. */
class ModelTurn {
  readonly #decoder: Decoder
  readonly #content: AssistantPart[] = []
  #open: 'text' | 'reasoning' | null = null
  #words = ''

  constructor(decoder: Decoder) {
    this.#decoder = decoder
  }

  push(part: JsonObject): void {
    const sealed = textOf(part.thoughtSignature)
    const { signature, redacted } = sealed === null ? NOTHING : decodeSignature(sealed)
    const call = part.functionCall
    if (isJsonObject(call)) {
      this.#close(null)
      this.#content.push(this.#decodeCall(call, signature))
      return
    }
    const image = madeImageIn(part)
    if (image !== null) {
      this.#close(null)
      this.#content.push(image)
    } else if (typeof part.text !== 'string') this.#lose(part)
    const kind = part.thought === true ? 'reasoning' : 'text'
    this.#write(kind, stringOf(part.text) ?? '')
    if (redacted !== null) {
      this.#close(null)
      this.#content.push({ type: 'reasoning', text: '', signature: null, redacted })
      return
    }
    if (signature === null) return
    if (this.#open === 'text') this.#close(null)
    this.#open ??= 'reasoning'
    this.#close(signature)
  }

  end(): readonly AssistantPart[] {
    this.#close(null)
    return this.#content
  }

  #write(kind: 'text' | 'reasoning', words: string): void {
    if (words === '') return
    if (this.#open !== kind) this.#close(null)
    this.#open = kind
    this.#words += words
  }

  #close(signature: string | null): void {
    const open = this.#open
    const text = this.#words
    this.#open = null
    this.#words = ''
    if (open === 'text') this.#content.push({ type: 'text', text })
    if (open === 'reasoning') this.#content.push({ type: 'reasoning', text, signature, redacted: null })
  }

  #decodeCall(call: JsonObject, signature: string | null): AssistantPart {
    const name = String(call.name)
    const id = this.#decoder.calls.called(name, textOf(call.id))
    const args = JSON.stringify(isJsonObject(call.args) ? call.args : {})
    return { type: 'tool-call', id, name, arguments: args, signature }
  }

  /** Code that the model ran, and what it made that is no image. */
  #lose(part: JsonObject): void {
    for (const [member, value] of Object.entries(part)) {
      if (isJsonObject(value)) this.#decoder.lost.add(`contents.parts.${member}`)
    }
  }
}

/** An image that the model has made; null for any other part. */
function madeImageIn({ inlineData }: JsonObject): AssistantPart | null {
  if (!isJsonObject(inlineData)) return null
  const [mediaType, base64] = [textOf(inlineData.mimeType), textOf(inlineData.data)]
  if (mediaType === null || base64 === null || !mediaType.startsWith('image/')) return null
  return { type: 'made-image', source: { kind: 'base64', mediaType, base64 } }
}

const NOTHING = { signature: null, redacted: null } as const

/** The ids that there are: this wire allows calls without one. */
function* idsIn(contents: JsonValue | undefined): Generator<string> {
  if (!isJsonArray(contents)) return
  for (const content of contents) {
    if (!isJsonObject(content)) continue
    for (const { functionCall: call, functionResponse: result } of partsOf(content)) {
      const id = isJsonObject(call) ? call.id : isJsonObject(result) ? result.id : null
      if (typeof id === 'string') yield id
    }
  }
}
