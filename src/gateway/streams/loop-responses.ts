// The store of answers of one event loop. In memory all of them are on loop 0, so that its caps hold for the whole process; the other loops
// reach it over a port. Made by the first request that needs it.
import { type MessagePort } from 'node:worker_threads'
import { type ResponsesConfig } from '../../config/response-types.js'
import { type Config } from '../../config/types.js'
import { type Responses } from '../../pipeline/context.js'
import { MemoryStore } from '../../responses/memory-store.js'
import { PortStore } from '../../responses/port/port-store.js'
import { servePort } from '../../responses/port/serve-port.js'
import { ResponseDesk, type ResponseTexts } from '../../responses/response-desk.js'
import { ResponseIds } from '../../responses/response-ids.js'
import { type ResponseStore } from '../../responses/store.js'
import { type Log } from '../../telemetry/records.js'

export type LoopResponsesOptions = {
  readonly config: Config
  readonly loopIndex: number
  readonly texts: ResponseTexts
  /** A new port to loop 0. */
  readonly connectHolder: () => Promise<MessagePort | null>
  /** Runs `act` once after so long. */
  readonly after: (delayMs: number, act: () => void) => void
}

export class LoopResponses {
  readonly #ids = new ResponseIds()
  readonly #texts: ResponseTexts
  readonly #store: ResponseStore | null

  constructor(options: LoopResponsesOptions) {
    this.#texts = options.texts
    this.#store = createStore(options)
  }

  /** As one configuration has it. */
  of({ retentionMs, maxBytes, maxBytesPerKey, onStoreDown }: ResponsesConfig, log: Log): Responses {
    const store = this.#store
    const ids = this.#ids
    const texts = this.#texts
    if (store === null) return { ids, desk: null }
    const warn = (fields: object, message: string): void => log.warn(fields, message)
    const caps = { maxBytes, maxBytesPerKey }
    return { ids, desk: new ResponseDesk({ store, texts, retentionMs, caps, onStoreDown, nowMs: Date.now, warn }) }
  }

  /** Another event loop uses the store through the port. */
  accept(port: MessagePort): void {
    if (this.#store !== null) servePort(port, this.#store)
  }

  async close(): Promise<void> {
    await this.#store?.close()
  }
}

function createStore({ config, loopIndex, connectHolder, after }: LoopResponsesOptions): ResponseStore | null {
  if (config.responses.store === 'off') return null
  return loopIndex === 0 ? new MemoryStore({ nowMs: Date.now, after }) : new PortStore(connectHolder)
}
