// Runs without clients for tests: over a store in memory, with an exchange that ends when it is told to.
import { type ErrorData } from '../../src/model/error.js'
import { type OwnAnswer } from '../../src/pipeline/client.js'
import { stored } from '../../src/protocols/openai-responses/stored.js'
import { type NewResponse, ResponseDesk } from '../../src/responses/response-desk.js'
import { type ResponseStore } from '../../src/responses/store.js'
import { AnswerRun } from '../../src/server/background/answer-run.js'
import { BackgroundRun } from '../../src/server/background/background-run.js'
import { CAPS, createMemoryStore } from './responses.js'

type RunSetup = { readonly owner?: string; readonly store?: ResponseStore; readonly phase?: NewResponse['phase'] }

/** An answer as it is stored when it is accepted. */
export function queuedRecord(id: string, { owner = 'a', phase = 'running' }: RunSetup = {}): NewResponse {
  const own = { id, store: true, background: true, previous_response_id: null }
  const state = { own, model: 'm', createdSec: 7, status: 'queued', error: null } as const
  const response = Buffer.from(JSON.stringify(stored.encodeState(state, null)))
  return { id, owner, model: 'm', phase, input: Buffer.from('[]'), response, streamId: null }
}

export function createRun(id: string, setup: RunSetup = {}) {
  const { owner = 'a', store = createMemoryStore().store as ResponseStore } = setup
  const desk = createDesk(store)
  const told: string[] = []
  let isHeld = true
  const exchange: { own: OwnAnswer | null; thrown: unknown } = { own: null, thrown: null }
  const record = queuedRecord(id, setup)
  const answerRun = new AnswerRun({
    ...{ record, stored, desk },
    members: { id, store: true, background: true, previous_response_id: null },
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
    stopStream: () => void told.push('stream stopped'),
    onChange: () => undefined,
  })
  const run = new BackgroundRun(answerRun, {
    release() {
      isHeld = false
    },
  })
  const accept = () => desk.commit(record)
  /** What the store has of it. */
  const show = async (): Promise<Record<string, unknown> | null> => {
    const found = await store.get(owner, id)
    if (found === null) return null
    const { phase, streamId } = found
    return { ...JSON.parse(Buffer.from(found.response).toString()), phase, streamId }
  }
  /** Cancelled by another event loop or node. */
  const cancelElsewhere = () =>
    desk.advance({ id, owner, phase: 'over', streamId: null, response: stored.withCancelled(record.response) })
  const settle = (error: ErrorData | null): void => exchange.own?.settled?.(error)
  return {
    run,
    answerRun,
    accept,
    cancelElsewhere,
    desk,
    store,
    told,
    exchange,
    show,
    settle,
    isRoomHeld: () => isHeld,
  }
}

export function createDesk(store: ResponseStore): ResponseDesk {
  const warn = (): void => undefined
  return new ResponseDesk({
    ...{ store, texts: stored, retentionMs: 1000, caps: CAPS },
    ...{ onStoreDown: 'fail', nowMs: () => 0, warn },
  })
}

/** Lets what waits go on. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
