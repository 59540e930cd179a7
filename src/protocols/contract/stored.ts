// How the answers of a surface are stored under ids of the gateway, found again and continued. Pure functions over JSON text: an answer is
// stored as it was sent.
import { type GatewayError } from '../../errors.js'
import { type ErrorData } from '../../model/error.js'
import { type JsonObject } from '../../model/json.js'
import { type Member } from '../../wire/body/members.js'

/** What a request says about stored answers. Plain data. */
export type StateFacts = {
  /** The answer that it continues; null for none. */
  readonly previousId: string | null
  /** Its answer is to be stored. */
  readonly isStored: boolean
  /** It runs without its client. */
  readonly isBackground: boolean
  /** Items of its input that stand for output items of earlier answers; absent where there are none. */
  readonly references?: readonly ItemReference[]
}

/** The id of an earlier item, and the place in the input that it takes. */
export type ItemReference = { readonly index: number; readonly id: string }

/** An earlier answer and its input: the JSON texts of a list of items and of the answer. */
export type EarlierTurns = { readonly input: Uint8Array; readonly response: Uint8Array }

/** Members of every answer of a request that the gateway decides, `id` among them. */
export type OwnMembers = JsonObject & { readonly id: string }

/** `isOver`: it changes no more. */
export type StoredState = { readonly isOver: boolean; readonly isCancelled: boolean; readonly isBackground: boolean }

/** An answer that is not complete. */
export type AnswerState = {
  readonly own: OwnMembers
  readonly model: string
  readonly createdSec: number
  readonly status: 'queued' | 'in_progress' | 'failed' | 'cancelled'
  /** Where it has failed. */
  readonly error: ErrorData | null
}

/** An item of an answer, and where it is in the answer's text. */
export type ItemPlace = { readonly id: string; readonly start: number; readonly end: number }

/** One page of a list of items. */
export type ItemQuery = {
  readonly limit: number
  readonly order: 'asc' | 'desc'
  /** The id of the item before the page; null from the beginning. */
  readonly after: string | null
}

export type StoredAnswers = {
  /** The path below which single answers are found by id. */
  readonly path: string
  /** The id of a new answer. `unique`: up to 48 letters, digits, `-` and `_`. */
  encodeId(unique: string): string
  /** The members that the gateway decides. `isKept`: it is stored here. */
  ownMembers(id: string, facts: StateFacts, isKept: boolean): OwnMembers
  /**
   * The whole input of a request as a list of items, and its body with that as input and without what the gateway does itself. The body
   * is the same object if it stays as it is.
   * @throws invalid_request for an earlier answer that is not complete yet; payload_too_large above `maxBytes` with its turns
   */
  joinTurns(request: RequestText, earlier: EarlierTurns | null, maxBytes: number): JoinedTurns
  /**
   * The request with the texts of the items to which it refers.
   * @throws invalid_request for one that was not found; payload_too_large above `maxBytes`
   */
  withItems(request: RequestText, references: readonly ItemReference[], items: FoundTexts): RequestText
  /** An answer that is not complete: without output, in this state. `echo`: from the surface's `readEcho`. */
  encodeState(state: AnswerState, echo: JsonObject | null): JsonObject
  /** The answer in the last frame of a stream, as bytes of that frame; null if it has none. */
  answerIn(frame: Uint8Array): Uint8Array | null
  /** The number of an event in its stream; null for a frame without one. */
  sequenceOf(frame: Uint8Array): number | null
  /** How far a stored answer is, and whether it runs without its client. */
  readState(answer: Uint8Array): StoredState
  /** A stored answer that is not over, in another state; `error`: where it has failed. */
  withStatus(answer: Uint8Array, status: 'queued' | 'in_progress' | 'failed', error?: ErrorData): Uint8Array
  /** The events with which the stream of an answer begins that runs without its client: the first ones of its kept stream as well. */
  firstFrames(answer: Uint8Array): readonly Buffer[]
  /** The events with which the stream of an answer ends that is over, where no others of it are held. */
  lastFrames(answer: Uint8Array): readonly Buffer[]
  /** A stored answer that was cancelled. */
  withCancelled(answer: Uint8Array): Uint8Array
  /** A stored answer whose process died before its end: it has failed. */
  withLost(answer: Uint8Array): Uint8Array
  /** Where the output items of an answer are that have an id, in its bytes. */
  itemsIn(answer: Uint8Array): readonly ItemPlace[]
  /** A whole answer of this protocol with the members that the gateway decides; every other byte stays. */
  withOwn(answer: Uint8Array, own: OwnMembers): Uint8Array
  /** The error for an id that is unknown, has expired, or is another owner's, where a request continues it. */
  previousNotFound(id: string): GatewayError
  /** The error for an answer that is not one of the background, where it is to be cancelled. */
  notBackground(): GatewayError
  /** The same where it is read. */
  notFound(id: string): GatewayError
  /** @throws invalid_request for a cursor that is none of its items */
  encodeItems(stored: EarlierTurns & { readonly id: string }, query: ItemQuery): JsonObject
  encodeDeleted(id: string): JsonObject
}

/** A body, and where its members are. */
export type RequestText = { readonly body: Uint8Array<ArrayBuffer>; readonly members: readonly Member[] }

/** Texts of items by their ids, and how long the request may become with them. */
export type FoundTexts = { readonly texts: ReadonlyMap<string, Uint8Array>; readonly maxBytes: number }

export type JoinedTurns = { readonly body: Uint8Array<ArrayBuffer>; readonly input: Uint8Array }
