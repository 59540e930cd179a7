// An offload over the fake protocols and the faulty worker, with its metrics written down.
import { createOffload, type Offload, type OffloadOptions } from '../../src/offload/offload.js'
import { createCodec } from '../../src/protocols/contract/codec.js'
import { encodeText } from '../../src/wire/json.js'
import { FAKE_PROTOCOLS } from './fake-protocol.js'

export const FAKE_WORKER = new URL('./fake-worker.js', import.meta.url)

export type OffloadRig = { offload: Offload; tasks: string[]; queue: number[] }

/** Everything goes to two workers unless the options say otherwise. */
export function createRig(options: Partial<OffloadOptions> = {}): OffloadRig {
  const tasks: string[] = []
  const queue: number[] = []
  const metrics = {
    offloadTask: (task: string, where: string, seconds: number) => {
      tasks.push(`${task} ${where} ${seconds >= 0 && seconds < 60 ? 'timed' : seconds}`)
    },
    offloadQueue: (length: number) => {
      queue.push(length)
    },
  }
  const defaults = { minBytes: 0, workers: 2, maxQueue: 100, taskTimeoutMs: 20_000, workerUrl: FAKE_WORKER, metrics }
  return { offload: createOffload(createCodec(FAKE_PROTOCOLS), { ...defaults, ...options }), tasks, queue }
}

/** A body in an ArrayBuffer of its own. `!exit` and the like as the model make the fake worker misbehave. */
export function fakeBody(model = 'm', text = 'hé'): Uint8Array<ArrayBuffer> {
  return encodeText(JSON.stringify({ model, text }))
}
