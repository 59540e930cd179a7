// Codec work on this thread, for small bodies, for which passing them to a worker costs more than the work itself.
import { type Codec } from '../protocols/contract/codec.js'
import { type CodecResults, type CodecTask, performTask } from '../protocols/contract/envelope.js'
import { type OffloadMetrics, recordTask } from './record.js'

/** Does each task before it returns. */
export class InlineLane {
  readonly #codec: Codec
  readonly #metrics: OffloadMetrics

  constructor(codec: Codec, metrics: OffloadMetrics) {
    this.#codec = codec
    this.#metrics = metrics
  }

  /**
   * Does the task now.
   * @throws what the codec throws
   */
  run<K extends CodecTask['kind']>(task: Extract<CodecTask, { kind: K }>): CodecResults[K] {
    const startedMs = performance.now()
    try {
      return performTask(this.#codec, task) as CodecResults[K]
    } finally {
      recordTask(this.#metrics, task.kind, 'inline', startedMs)
    }
  }
}
