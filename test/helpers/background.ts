// Runs without clients for tests: over a store in memory, with an exchange that ends when it is told to.
import { type ErrorData } from '../../src/model/error.js'
import { type OwnAnswer } from '../../src/pipeline/client.js'
import { stored } from '../../src/protocols/openai-responses/stored.js'
import { ResponseDesk } from '../../src/responses/response-desk.js'
import { type ResponseStore } from '../../src/responses/store.js'
import { BackgroundRun } from '../../src/server/background/background-run.js'
import { CAPS, createMemoryStore } from './responses.js'

export function createRun(id: string, { owner = 'a', store = createMemoryStore().store as ResponseStore } = {}) {
  const warn = (): void => undefined
  const desk = new ResponseDesk({
    store,
    texts: stored,
    retentionMs: 1000,
    caps: CAPS,
    onStoreDown: 'fail',
    nowMs: () => 0,
    warn,
  })
  const told: string[] = []
  let isHeld = true
  const exchange: { own: OwnAnswer | null; thrown: unknown } = { own: null, thrown: null }
  const run = new BackgroundRun({
    members: { id, store: true, background: true, previous_response_id: null },
    ...{ owner, model: 'm', createdSec: 7, input: Buffer.from('[]'), echo: null, stored, desk },
    start(own) {
      if (exchange.thrown !== null) throw exchange.thrown
      exchange.own = own
      told.push('started')
      return {
        cancel() {
          told.push('cancelled')
          own.settled?.(null)
        },
      }
    },
    room: {
      release() {
        isHeld = false
      },
    },
    refuse: ({ data }) => void told.push(`refused: ${data.code}`),
    stopStream: () => void told.push('stream stopped'),
  })
  /** What the store has of it. */
  const show = async (): Promise<Record<string, unknown> | null> => {
    const found = await store.get(owner, id)
    if (found === null) return null
    return { ...JSON.parse(Buffer.from(found.response).toString()), streamId: found.streamId }
  }
  const settle = (error: ErrorData | null): void => exchange.own?.settled?.(error)
  return { run, desk, store, told, exchange, show, settle, isRoomHeld: () => isHeld }
}

/** Lets what waits go on. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
