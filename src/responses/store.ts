// The contract of a store of answers: what is kept of one, and how its owner finds it again. Owners are told apart by every call, so that
// no store gives an answer to another key.

/** An answer that its client may come back to. The two texts are JSON as it was sent, and are never parsed by a store. */
export type StoredResponse = {
  /** As the client knows it. */
  readonly id: string
  /** The owner of the gateway key; the same for all on a gateway without keys. */
  readonly owner: string
  /** By the name that the client used. */
  readonly model: string
  /** The array of all input items, those of earlier turns included: an answer is continued without them. */
  readonly input: Uint8Array
  /** The whole response object: its output items, its usage, its status. */
  readonly response: Uint8Array
  /** The kept stream that has its events; null if its stream is not kept. */
  readonly streamId: string | null
  /** Unix ms; from then on it is not found. */
  readonly expiresAtMs: number
}

/** Bytes that all answers, and those of one owner, may take. */
export type ResponseCaps = { readonly maxBytes: number; readonly maxBytesPerKey: number }

/** Each call may answer at once, where nothing has to be awaited. */
export type ResponseStore = {
  /**
   * Stores an answer, in place of one with the same id.
   * @throws storage_full for one that is larger than the caps; storage_unavailable
   */
  put(response: StoredResponse, caps: ResponseCaps): void | Promise<void>
  /** Null alike if there is none with this id, if it has expired, and if it is not the owner's. @throws storage_unavailable */
  get(owner: string, id: string): StoredResponse | null | Promise<StoredResponse | null>
  /** False if there was none. @throws storage_unavailable */
  delete(owner: string, id: string): boolean | Promise<boolean>
  close(): Promise<void>
}

/** What an answer takes besides its texts: its ids, its places in the lists of a store. */
export const RESPONSE_COST_BYTES = 512

/** The bytes of an answer, as the caps count them. */
export function bytesOf({ input, response }: Pick<StoredResponse, 'input' | 'response'>): number {
  return input.byteLength + response.byteLength + RESPONSE_COST_BYTES
}
