// What requests and routes need of the store of answers, by one configuration: new ids, the answers of an owner, and a commit that takes
// no longer than a client waits for the end of its stream.
//
//   answer complete -> commit: stored | refused (fail: the client gets an error) | forward: sent all the same, with a line in the log
import { GatewayError, toGatewayError } from '../errors.js'
import { type ResponseCaps, type ResponseStore, type StoredResponse } from './store.js'

export type DeskOptions = {
  readonly store: ResponseStore
  readonly retentionMs: number
  readonly caps: ResponseCaps
  readonly onStoreDown: 'fail' | 'forward'
  /** Unix ms. */
  readonly nowMs: () => number
  readonly warn: (fields: object, message: string) => void
}

/** An answer as its exchange knows it. */
export type NewResponse = Omit<StoredResponse, 'expiresAtMs'>

/** The longest time for which a client waits for the end of an answer that it has. */
export const COMMIT_MS = 1000

export class ResponseDesk {
  readonly #options: DeskOptions

  constructor(options: DeskOptions) {
    this.#options = options
  }

  /** @throws storage_unavailable */
  get(owner: string, id: string): StoredResponse | null | Promise<StoredResponse | null> {
    return this.#options.store.get(owner, id)
  }

  /** @throws storage_unavailable */
  delete(owner: string, id: string): boolean | Promise<boolean> {
    return this.#options.store.delete(owner, id)
  }

  /** Stores an answer for as long as the configuration says; null when it is stored, or goes on without. Never rejects. */
  commit(response: NewResponse): GatewayError | null | Promise<GatewayError | null> {
    const { store, caps } = this.#options
    try {
      const putting = store.put(this.#dated(response), caps)
      if (!(putting instanceof Promise)) return null
      return this.#await(putting, response.id)
    } catch (thrown) {
      return this.#fail(toGatewayError(thrown), response.id)
    }
  }

  async #await(putting: Promise<void>, id: string): Promise<GatewayError | null> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(notInTime()), COMMIT_MS)
    })
    try {
      await Promise.race([putting, late])
      return null
    } catch (thrown) {
      return this.#fail(toGatewayError(thrown), id)
    } finally {
      clearTimeout(timer)
      // It may still fail after the time is up.
      putting.catch(() => undefined)
    }
  }

  #dated(response: NewResponse): StoredResponse {
    const { nowMs, retentionMs } = this.#options
    const { id, owner, model, input, response: text, streamId } = response
    return { id, owner, model, input, response: text, streamId, expiresAtMs: nowMs() + retentionMs }
  }

  #fail(error: GatewayError, response: string): GatewayError | null {
    const { onStoreDown, warn } = this.#options
    const { code, message: reason } = error.data
    warn({ response, code, reason, onStoreDown }, 'response not stored')
    return onStoreDown === 'fail' ? error : null
  }
}

function notInTime(): GatewayError {
  const message = `The response store did not answer within ${COMMIT_MS} ms.`
  return new GatewayError('storage_unavailable', { message })
}
