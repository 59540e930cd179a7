// Decides where codec work on whole bodies runs: small bodies on this thread, large ones in the worker pool, where smaller ones go
// too if one turn has too many. This is the only place with that rule. The first large body starts the pool, so a gateway without
// large bodies runs no threads for it.
import { GatewayError } from '../errors.js'
import { type AnswerTask, type EncodedAnswer } from '../protocols/contract/answer-task.js'
import { type Codec } from '../protocols/contract/codec.js'
import { type DecodedBody, type EncodedRequestBody } from '../protocols/contract/envelope.js'
import { type EncodeTask } from '../protocols/contract/request-task.js'
import { MIN_SKIMMED_BYTES } from '../protocols/contract/skim.js'
import { BodyGarbage } from './body-garbage.js'
import { InlineLane } from './inline.js'
import { CodecPool } from './pool.js'
import { type OffloadMetrics } from './record.js'
import { TurnShare } from './turn-share.js'

/**
 * Results come at once when done inline, as a promise when a worker does it. A task takes the body: use the one in the result
 * from then on (`body` of decode, `original` of encode). After a failed task the body is gone.
 * Beyond what each method says, all fail with overloaded when the queue is full or the worker dies or is stuck.
 */
export type Offload = {
  /**
   * As much of a request as routing and limits need: the bulk of a large one is neither read nor checked yet (protocols/contract/skim).
   * @throws invalid_request
   */
  skim(surfaceId: string, body: Uint8Array<ArrayBuffer>): DecodedBody | Promise<DecodedBody>
  /** All of a request. @throws invalid_request */
  decode(surfaceId: string, body: Uint8Array<ArrayBuffer>): DecodedBody | Promise<DecodedBody>
  /** @throws invalid_request */
  encode(task: EncodeTask): EncodedRequestBody | Promise<EncodedRequestBody>
  /** One whole answer of a stream's frames. @throws the error the stream ended with */
  aggregate(task: AnswerTask): EncodedAnswer | Promise<EncodedAnswer>
  /** One whole answer in another protocol's form. @throws upstream_malformed */
  transcode(task: AnswerTask): EncodedAnswer | Promise<EncodedAnswer>
  /** Ends the workers; tasks still running fail with overloaded. */
  close(): Promise<void>
}

export type OffloadOptions = {
  /** Bodies of this size and more go to the pool; 0 sends everything. Smaller ones go there too where a turn has too many. */
  readonly minBytes: number
  readonly workers: number
  /** Tasks that may wait beyond those in the workers' hands. */
  readonly maxQueue: number
  readonly taskTimeoutMs: number
  readonly metrics: OffloadMetrics
  /** The worker's entry file; default: workers/codec. */
  readonly workerUrl?: URL
  /** Bodies of new requests that wait or are in work, in bytes; where they have reached it, no further one is taken. Default: 256 MiB. */
  readonly maxDecodingBytes?: number
  /** V8 heap of one worker; a task over it ends the worker, not the process. Default: Node's own. */
  readonly maxWorkerHeapMb?: number
}

/** Skimming takes an eighth of the time that reading takes (bench/micro/skim), so so much more of it is done on this thread. */
const SKIMMED_PER_READ = 8
/**
 * To translate a skimmed body, it is read, checked and written anew, 2 ms for 215 KB: it goes to a worker from a smaller size on
 * (bench/README.md, S13).
 */
const TRANSLATED_PER_READ = 4
/** A smaller body is translated in less than half a millisecond, and counts as one that is only read. */
const MIN_TRANSLATED_BYTES = 32 * 1024

/** The codec must hold the same protocols as the worker's entry file. */
export function createOffload(codec: Codec, options: OffloadOptions): Offload {
  const inline = new InlineLane(codec, options.metrics)
  const pool = new CodecPool(options)
  const turn = new TurnShare()
  const garbage = new BodyGarbage()
  const laneFor = (bytes: number): InlineLane | CodecPool => {
    if (bytes >= options.minBytes) return pool
    // A full pool refuses: what may be done here is rather done here.
    return pool.isFull || turn.take(bytes) ? inline : pool
  }
  const laneOf = (body: Uint8Array) => laneFor(body.byteLength)

  return {
    skim: (surfaceId, body) => {
      const bytes = body.byteLength
      garbage.note(bytes)
      const weight = bytes / SKIMMED_PER_READ
      let isSkimmed = true
      if (bytes >= MIN_SKIMMED_BYTES && weight < options.minBytes && (pool.isFull || turn.take(weight))) {
        const skimmed = inline.skim(surfaceId, body)
        if (skimmed !== null) return skimmed
        isSkimmed = false
      }
      return laneFor(bytes).run<'decode'>({ kind: 'decode', surfaceId, body, isSkimmed })
    },
    decode: (surfaceId, body) => {
      garbage.note(body.byteLength)
      return laneOf(body).run<'decode'>({ kind: 'decode', surfaceId, body, isSkimmed: false })
    },
    encode: (task) => {
      // What is made of it is about as large.
      garbage.note(task.body.byteLength)
      const { form, resource } = task.facts.endpoint ?? {}
      if (task.body.byteLength === 0 && resource === undefined) throw bodyIsGone()
      const isPassed = task.head !== null || form !== undefined || resource !== undefined
      const passed = isPassed ? inline.pass(task) : null
      if (passed !== null) return passed
      const { surfaceId, body, json, head, facts, members, target, prompt, attachments = null } = task
      const { outputCap = null, upstreamStream } = task
      // Spelled out: a spread of it costs 1 us.
      const bytes = body.byteLength + sizeOf(attachments)
      const weight = head !== null && bytes >= MIN_TRANSLATED_BYTES ? bytes * TRANSLATED_PER_READ : bytes
      const lane = bytes < options.minBytes && pool.isFull ? inline : laneFor(weight)
      return lane.run<'encode'>({
        kind: 'encode',
        surfaceId,
        body,
        json,
        head,
        facts,
        members,
        target,
        prompt,
        attachments,
        outputCap,
        upstreamStream,
      })
    },
    aggregate: (task) => laneOf(task.body).run<'aggregate'>({ ...task, kind: 'aggregate' }),
    transcode: (task) => laneOf(task.body).run<'transcode'>({ ...task, kind: 'transcode' }),
    close: () => pool.close(),
  }
}

/** Of what becomes a part of the body. */
function sizeOf(attachments: EncodeTask['attachments']): number {
  if (attachments === null || attachments === undefined) return 0
  return attachments.reduce((bytes, { source }) => bytes + (source?.base64.length ?? 0), 0)
}

/** No decoded body is empty: this one went away with a worker, and the next target must not be sent nothing. */
function bodyIsGone(): GatewayError {
  return new GatewayError('overloaded', {
    message: 'The gateway is at capacity: it lost the worker that processed the request.',
  })
}
