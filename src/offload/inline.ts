// Codec work on this thread, for small bodies, for which passing them to a worker costs more than the work itself.
import { type Codec } from '../protocols/contract/codec.js'
import {
  type CodecResults,
  type CodecTask,
  type DecodedBody,
  type EncodedRequestBody,
  performTask,
  withBody,
  withOriginal,
} from '../protocols/contract/envelope.js'
import { type EncodeTask } from '../protocols/contract/request-task.js'
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

  /**
   * Reads a large body without its bulk; null if that is not enough.
   * @throws invalid_request
   */
  skim(surfaceId: string, body: Uint8Array<ArrayBuffer>): DecodedBody | null {
    const startedMs = performance.now()
    const skimmed = this.#codec.skimBody(surfaceId, body)
    if (skimmed === null) return null
    recordTask(this.#metrics, 'decode', 'inline', startedMs)
    return withBody(skimmed, body)
  }

  /** Edits a skimmed body; null if that is not enough. @throws what the codec throws */
  pass(task: EncodeTask): EncodedRequestBody | null {
    const startedMs = performance.now()
    const passed = this.#codec.passBody(task)
    if (passed === null) return null
    recordTask(this.#metrics, 'encode', 'inline', startedMs)
    return withOriginal(passed, task.body)
  }
}
