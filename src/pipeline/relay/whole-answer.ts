// Builds a whole answer from what an upstream sent: translated, or aggregated from the frames of a stream; inline or in a worker. It
// only builds the bytes; the attempt replies.
import { type Offload } from '../../offload/offload.js'
import { type AnswerTask, type EncodedAnswer } from '../../protocols/contract/answer-task.js'
import { type MadeKind } from './types.js'

export type WholeOptions = {
  readonly offload: Offload
  readonly kind: MadeKind
  readonly task: Omit<AnswerTask, 'body'>
  /** Exactly one of the two is called, now or later. */
  readonly onMade: (answer: EncodedAnswer) => void
  readonly onUnmade: (thrown: unknown) => void
}

/** Builds the answer from `bytes`, of which it takes ownership. */
export function makeWhole(bytes: Uint8Array, options: WholeOptions): void {
  const { onMade, onUnmade } = options
  let making: EncodedAnswer | Promise<EncodedAnswer>
  try {
    making = startMaking(ownBytes(bytes), options)
  } catch (thrown) {
    onUnmade(thrown)
    return
  }
  if (making instanceof Promise) making.then(onMade, onUnmade)
  else onMade(making)
}

function startMaking(body: Uint8Array<ArrayBuffer>, options: WholeOptions): EncodedAnswer | Promise<EncodedAnswer> {
  const { offload, kind } = options
  const task = { ...options.task, body }
  return kind === 'frames' ? offload.aggregate(task) : offload.transcode(task)
}

/** The bytes in their own memory, which may be transferred to a worker: small Buffers share one ArrayBuffer. */
function ownBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer } = bytes
  const isOwn = buffer instanceof ArrayBuffer && buffer.byteLength === bytes.byteLength
  return isOwn ? new Uint8Array(buffer) : new Uint8Array(bytes)
}
