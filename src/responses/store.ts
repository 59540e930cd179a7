// The contract of a store of answers: what is kept of one, and how its owner finds it again. Owners are told apart by every call, so that
// no store gives an answer to another key.
//
//   put --> waiting | running --advance--> ... --advance--> over     an answer that is over stays as it is, and one that is deleted away
import { GatewayError } from '../errors.js'

/**
 * How far an answer is. `waiting`: it will run, in this process or in another one, so that it survives both. `running`: it ends with the
 * process that stored it so. `lost`: it was running, and that process is dead; a store finds it so, and none is stored so. `over`: it
 * changes no more.
 */
export type Phase = 'waiting' | 'running' | 'lost' | 'over'

/** Where an output item is in the text of its answer. */
export type ItemSpan = { readonly id: string; readonly start: number; readonly end: number }

/** An answer that its client may come back to. The two texts are JSON as it was sent, and are never parsed by a store. */
export type StoredResponse = {
  /** As the client knows it. */
  readonly id: string
  /** The owner of the gateway key; the same for all on a gateway without keys. */
  readonly owner: string
  /** By the name that the client used. */
  readonly model: string
  readonly phase: Phase
  /** The array of all input items, those of earlier turns included: an answer is continued without them. */
  readonly input: Uint8Array
  /** The whole response object: its output items, its usage, its status. */
  readonly response: Uint8Array
  /** The kept stream that has its events; null if its stream is not kept. */
  readonly streamId: string | null
  /** Unix ms; from then on it is not found. */
  readonly expiresAtMs: number
}

/** An answer as it is put into a store, with its output items that requests may name by their ids. */
export type IndexedResponse = StoredResponse & { readonly items: readonly ItemSpan[] }

/** The next state of an answer: its input and its model stay as they are. */
export type ResponseChange = Omit<IndexedResponse, 'input' | 'model'>

/** Bytes that all answers, and those of one owner, may take. */
export type ResponseCaps = { readonly maxBytes: number; readonly maxBytesPerKey: number }

/** Each call may answer at once, where nothing has to be awaited. */
export type ResponseStore = {
  /**
   * Stores a new answer; the oldest make room, of its owner where that limit is the reason, else of the owner that has the most.
   * @throws storage_full for one that is larger than the caps; storage_unavailable
   */
  put(response: IndexedResponse, caps: ResponseCaps): void | Promise<void>
  /**
   * Stores the next state of an answer that is not over. False, with nothing changed: it is over, or its owner has none with this id.
   * @throws storage_full for one that is larger than the caps; storage_unavailable
   */
  advance(change: ResponseChange, caps: ResponseCaps): boolean | Promise<boolean>
  /** Null alike if there is none with this id, if it has expired, and if it is not the owner's. @throws storage_unavailable */
  get(owner: string, id: string): StoredResponse | null | Promise<StoredResponse | null>
  /** False if there was none. @throws storage_unavailable */
  delete(owner: string, id: string): boolean | Promise<boolean>
  /** The texts of items of the owner's answers, by their ids; the latest one of an id. Null for an unknown one. @throws storage_unavailable */
  findItems(owner: string, ids: readonly string[]): FoundItems | Promise<FoundItems>
  close(): Promise<void>
}

/** In the order of the ids. */
export type FoundItems = readonly (Uint8Array | null)[]

/** What an answer takes besides its texts: its ids, its places in the lists of a store. */
export const RESPONSE_COST_BYTES = 512

/** The same for each of its items. */
export const ITEM_COST_BYTES = 128

/** The bytes of an answer, as the caps count them. */
export function bytesOf({ input, ...change }: Pick<IndexedResponse, 'input' | 'response' | 'items'>): number {
  return input.byteLength + changeBytesOf(change)
}

/** The same without its input. */
export function changeBytesOf({ response, items }: Pick<ResponseChange, 'response' | 'items'>): number {
  const idBytes = items.reduce((sum, { id }) => sum + Buffer.byteLength(id), 0)
  return response.byteLength + RESPONSE_COST_BYTES + items.length * ITEM_COST_BYTES + idBytes
}

/** The error for an answer that no store may hold. */
export function tooLarge(bytes: number): GatewayError {
  const message = `This response takes ${bytes} bytes, more than responses.maxBytesPerKey or responses.maxBytes.`
  return new GatewayError('storage_full', { message, retryable: false })
}
