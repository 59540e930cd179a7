// What the simulator answers besides chats: an endpoint reads the model of a request and makes a whole answer. By hand from the vendors'
// documents, like the wires, whose keys and errors it has.
import { type JsonObject } from '../../model/json.js'
import { type Refusal, type SimUrl } from '../wires/wire.js'

export type SimEndpoint = {
  /** The wire whose key and errors it has. */
  readonly wire: string
  /** POST paths; `*` at the end matches any rest. */
  readonly paths: readonly string[]
  /** Whether it answers this path; its `paths` may belong to chats as well. */
  isAt(path: string): boolean
  /** Null for a request without a model. */
  readModel(asked: SimAsked): string | null
  /** `model`: without a fault. */
  answer(asked: SimAsked, model: string): SimReply | Refusal
}

export type SimAsked = {
  readonly url: SimUrl
  /** A form's fields are its members. */
  readonly body: JsonObject
  /** The files of a form: name of the field -> length. */
  readonly files: Readonly<Record<string, number>>
  /** 24 hex digits. */
  readonly id: string
  readonly createdSec: number
}

export type SimReply = { readonly contentType: string; readonly body: Buffer }

/** A whole JSON answer. */
export function jsonReply(value: JsonObject): SimReply {
  return { contentType: 'application/json', body: Buffer.from(JSON.stringify(value)) }
}

/** Tokens of a text as the simulator counts them: four bytes each. */
export function tokensOf(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / 4)
}
