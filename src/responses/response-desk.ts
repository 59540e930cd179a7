// What requests and routes need of the store of answers, by one configuration: new ids, the answers of an owner, and commits that take
// no longer than a client waits for the end of its stream. No call takes longer than a second.
//
//   answer complete -> commit: stored | refused (fail: the client gets an error) | forward: sent all the same, with a line in the log
import { GatewayError, toGatewayError } from '../errors.js'
import {
  type FoundItems,
  type IndexedResponse,
  type ItemSpan,
  type ResponseCaps,
  type ResponseChange,
  type ResponseStore,
  type StoredResponse,
} from './store.js'

export type DeskOptions = {
  readonly store: ResponseStore
  readonly texts: ResponseTexts
  readonly retentionMs: number
  readonly caps: ResponseCaps
  readonly onStoreDown: 'fail' | 'forward'
  /** Unix ms. */
  readonly nowMs: () => number
  readonly warn: (fields: object, message: string) => void
}

/** What has to be known of the text of an answer. */
export type ResponseTexts = {
  /** The places of its output items that have an id. */
  itemsIn(response: Uint8Array): readonly ItemSpan[]
  /** The text of an answer whose process died before its end: it has failed. */
  withLost(response: Uint8Array): Uint8Array
}

type Stamped = 'expiresAtMs' | 'items'
/** An answer as its exchange knows it. */
export type NewResponse = Omit<StoredResponse, 'expiresAtMs'>
/** Its next state. */
export type NextResponse = Omit<ResponseChange, Stamped>

/** The longest time for which a client waits for the end of an answer that it has. */
export const COMMIT_MS = 1000

export class ResponseDesk {
  readonly #options: DeskOptions

  constructor(options: DeskOptions) {
    this.#options = options
  }

  /** One whose process is dead is found as it ended: failed. @throws storage_unavailable */
  get(owner: string, id: string): StoredResponse | null | Promise<StoredResponse | null> {
    const found = this.#options.store.get(owner, id)
    return found instanceof Promise ? inTime(found).then((each) => this.#ended(each)) : this.#ended(found)
  }

  /** @throws storage_unavailable */
  delete(owner: string, id: string): boolean | Promise<boolean> {
    const deleted = this.#options.store.delete(owner, id)
    return deleted instanceof Promise ? inTime(deleted) : deleted
  }

  /** The texts of output items of the owner's answers. @throws storage_unavailable */
  findItems(owner: string, ids: readonly string[]): FoundItems | Promise<FoundItems> {
    const found = this.#options.store.findItems(owner, ids)
    return found instanceof Promise ? inTime(found) : found
  }

  /** Stores a new answer for as long as the configuration says; null when it is stored, or goes on without. Never rejects. */
  commit(response: NewResponse): GatewayError | null | Promise<GatewayError | null> {
    const { store, caps } = this.#options
    try {
      const putting = store.put({ ...response, ...this.#stamp(response) }, caps)
      if (!(putting instanceof Promise)) return null
      return inTime(putting).then(
        () => null,
        (thrown: unknown) => this.#fail(thrown, response.id),
      )
    } catch (thrown) {
      return this.#fail(thrown, response.id)
    }
  }

  /** Stores the next state of an answer. False: it is over or was deleted, and stays so. Null: it goes on without. Never rejects. */
  advance(next: NextResponse): Advanced | Promise<Advanced> {
    const { store, caps } = this.#options
    try {
      const advancing = store.advance({ ...next, ...this.#stamp(next) }, caps)
      if (!(advancing instanceof Promise)) return advancing
      return inTime(advancing).catch((thrown: unknown) => this.#fail(thrown, next.id))
    } catch (thrown) {
      return this.#fail(thrown, next.id)
    }
  }

  /** Only the items of an answer that is over are whole. */
  #stamp({ phase, response }: NextResponse): Pick<IndexedResponse, Stamped> {
    const { nowMs, retentionMs, texts } = this.#options
    return { expiresAtMs: nowMs() + retentionMs, items: phase === 'over' ? texts.itemsIn(response) : NO_ITEMS }
  }

  #ended(found: StoredResponse | null): StoredResponse | null {
    if (found === null || found.phase !== 'lost') return found
    return { ...found, phase: 'over', response: this.#options.texts.withLost(found.response) }
  }

  #fail(thrown: unknown, response: string): GatewayError | null {
    const { onStoreDown, warn } = this.#options
    const error = toGatewayError(thrown)
    const { code, message: reason } = error.data
    warn({ response, code, reason, onStoreDown }, 'response not stored')
    return onStoreDown === 'fail' ? error : null
  }
}

export type Advanced = boolean | GatewayError | null

const NO_ITEMS: readonly ItemSpan[] = Object.freeze([])

/** @throws storage_unavailable when the time is up; what the store says later changes nothing */
async function inTime<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(notInTime()), COMMIT_MS)
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    clearTimeout(timer)
    // It may still fail after the time is up.
    answer.catch(ignore)
  }
}

function notInTime(): GatewayError {
  const message = `The response store did not answer within ${COMMIT_MS} ms.`
  return new GatewayError('storage_unavailable', { message })
}

function ignore(): void {}
