// Stored answers for tests, and stores that fail or take their time.
import { GatewayError } from '../../src/errors.js'
import { stored } from '../../src/protocols/openai-responses/stored.js'
import { MemoryStore } from '../../src/responses/memory-store.js'
import { type ResponseTexts } from '../../src/responses/response-desk.js'
import { type IndexedResponse, type ResponseChange, type ResponseStore } from '../../src/responses/store.js'

export const CAPS = { maxBytes: 1_000_000, maxBytesPerKey: 1_000_000 }
/** What a desk has to know of the texts. */
export const TEXTS: ResponseTexts = stored
export const DAY_MS = 86_400_000

export function storedResponse(id: string, over: Partial<IndexedResponse> = {}): IndexedResponse {
  return {
    ...{ id, owner: 'a', model: 'm', phase: 'over', items: [], streamId: null, expiresAtMs: DAY_MS },
    input: Buffer.from('[]'),
    response: Buffer.from(`{"id":"${id}"}`),
    ...over,
  }
}

/** The same as it was when it ran. */
export function runningResponse(id: string, over: Partial<IndexedResponse> = {}): IndexedResponse {
  return storedResponse(id, { phase: 'running', ...over })
}

/** The next state of an answer. */
export function changeOf({ input: _, model: __, ...change }: IndexedResponse): ResponseChange {
  return change
}

/** A store in memory whose clock and timers stand still until they are moved. */
export function createMemoryStore() {
  const clock = { nowMs: 0 }
  const timers: { dueAtMs: number; act: () => void }[] = []
  const store = new MemoryStore({
    nowMs: () => clock.nowMs,
    after: (delayMs, act) => void timers.push({ dueAtMs: clock.nowMs + delayMs, act }),
  })
  const moveTo = (nowMs: number): void => {
    clock.nowMs = nowMs
    for (const timer of timers.splice(0)) {
      if (timer.dueAtMs <= nowMs) timer.act()
      else timers.push(timer)
    }
  }
  return { store, clock, timers, moveTo }
}

/** A store that cannot be had. */
export function createDeadStore(): ResponseStore {
  const fail = async (): Promise<never> => {
    throw new GatewayError('storage_unavailable', { message: 'The response store is unavailable.' })
  }
  return { put: fail, advance: fail, get: fail, delete: fail, findItems: fail, close: async () => undefined }
}

/** A store whose writes wait until they are released. */
export function createSlowStore(inner: ResponseStore) {
  const waiting: (() => void)[] = []
  const store: ResponseStore = {
    async put(response, caps) {
      await new Promise<void>((resolve) => waiting.push(resolve))
      await inner.put(response, caps)
    },
    async advance(change, caps) {
      await new Promise<void>((resolve) => waiting.push(resolve))
      return await inner.advance(change, caps)
    },
    get: (owner, id) => inner.get(owner, id),
    findItems: (owner, ids) => inner.findItems(owner, ids),
    delete: (owner, id) => inner.delete(owner, id),
    close: () => inner.close(),
  }
  return { store, waiting, release: () => waiting.splice(0).forEach((go) => void go()) }
}
