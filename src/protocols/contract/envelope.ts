// Codec tasks as messages between threads. An envelope is a small MessagePack head and the large body, each in its own ArrayBuffer, so
// that both are transferred and neither is copied. Both sides of the transfer are in this file.
//
//   event loop: packTask ---> worker: answerTask (codec) ---> event loop: unpackReply, which throws what the codec threw
import { GatewayError, toGatewayError } from '../../errors.js'
import { type ErrorData } from '../../model/error.js'
import { pack, unpack } from '../../wire/pack.js'
import { type AnswerTask, type EncodedAnswer } from './answer-task.js'
import { type Codec } from './codec.js'
import { type DecodedRequest, type EncodedBody, type EncodeTask, type RequestHead } from './request-task.js'

export type CodecTask =
  | {
      readonly kind: 'decode'
      readonly surfaceId: string
      readonly body: Uint8Array<ArrayBuffer>
      /** It need not be read in full: see skim.ts. */
      readonly isSkimmed: boolean
    }
  | ({ readonly kind: 'encode' } & EncodeTask)
  | ({ readonly kind: 'aggregate' } & AnswerTask)
  | ({ readonly kind: 'transcode' } & AnswerTask)

/** `body` may be empty; `original` is the client's body on its way back. Written by `emptyEnvelope` alone. */
export type Envelope = {
  head: Uint8Array<ArrayBuffer>
  body: Uint8Array<ArrayBuffer>
  original: Uint8Array<ArrayBuffer> | null
}

/** A decoded request with the body, which went to the worker and came back (inline: the same object). */
export type DecodedBody = DecodedRequest & { readonly body: Uint8Array<ArrayBuffer> }
/** An encoded request with the client's own body, which the next attempt needs; back from a worker it shares no memory with `body`. */
export type EncodedRequestBody = EncodedBody & { readonly original: Uint8Array<ArrayBuffer> }

/** The result of each kind of task. */
export type CodecResults = {
  readonly decode: DecodedBody
  readonly encode: EncodedRequestBody
  readonly aggregate: EncodedAnswer
  readonly transcode: EncodedAnswer
}

/** Runs a task on this thread. */
export function performTask(codec: Codec, task: CodecTask): CodecResults[CodecTask['kind']] {
  switch (task.kind) {
    case 'decode':
      return withBody(decodeTask(codec, task), task.body)
    case 'encode':
      return withOriginal(codec.encodeBody(task), task.body)
    case 'aggregate':
      return codec.aggregateFrames(task)
    case 'transcode':
      return codec.transcodeResponse(task)
  }
}

function decodeTask(codec: Codec, task: Extract<CodecTask, { kind: 'decode' }>): DecodedRequest {
  const { surfaceId, body, isSkimmed } = task
  return (isSkimmed ? codec.skimBody(surfaceId, body) : null) ?? codec.decodeBody(surfaceId, body)
}

// Written out: spreading these two objects took 2 us of a small request (profile of S1, Node 20.20).
/** The request with its bytes. */
export function withBody(decoded: DecodedRequest, body: Uint8Array<ArrayBuffer>): DecodedBody {
  const { facts, members, estimatedTokens, selector, json, head } = decoded
  if (selector !== undefined) return { facts, members, estimatedTokens, selector, json, head, body }
  return { facts, members, estimatedTokens, json, head, body }
}

/** The upstream's body with the client's. */
export function withOriginal(encoded: EncodedBody, original: Uint8Array<ArrayBuffer>): EncodedRequestBody {
  const { path, body, pieces, dropped, wanted, echo } = encoded
  if (pieces !== undefined) return { path, body, pieces, dropped, original }
  if (wanted !== undefined) return { path, body, dropped, wanted, original }
  return echo === undefined ? { path, body, dropped, original } : { path, body, dropped, echo, original }
}

/** Event loop's side. Takes ownership of the body: once the envelope is posted, the caller's view is detached. */
export function packTask(task: CodecTask): Envelope {
  const { body, ...rest } = task
  // The parsed JSON stays here: packing it would cost more than parsing the bytes again.
  const head = pack('json' in rest ? { ...rest, json: null, head: rest.head === null ? null : SKIMMED } : rest)
  return { head, body: ownBuffer(body), original: null }
}

/** All that a worker needs to know of what was read: that the rest is still to be checked. */
const SKIMMED: RequestHead = Object.freeze({ json: Object.freeze({}), shortTexts: [] })

/** Worker's side. Never throws: what the codec throws is returned as plain error data. */
export function answerTask(codec: Codec, envelope: Envelope): Envelope {
  try {
    const task = { ...(unpack(envelope.head) as object), body: envelope.body } as CodecTask
    const result = performTask(codec, task)
    if (task.kind === 'decode') {
      const { body, ...rest } = result as DecodedBody
      return { head: pack({ ...rest, json: null }), body, original: null }
    }
    if (task.kind === 'encode') {
      const { body, original, ...rest } = result as EncodedRequestBody
      // An upstream socket may still use `body` when the next attempt transfers `original`: they must not be the same buffer.
      return { head: pack(rest), body: body === original ? new Uint8Array(body) : ownBuffer(body), original }
    }
    const { body, ...rest } = result as EncodedAnswer
    return { head: pack(rest), body, original: null }
  } catch (thrown) {
    const error = toGatewayError(thrown)
    return {
      head: pack({ error: error.data, cause: describeCause(error.cause) }),
      body: new Uint8Array(0),
      original: null,
    }
  }
}

/** The cause is transferred as text, for the log only. */
function describeCause(cause: unknown): string | null {
  if (cause === undefined) return null
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
}

/**
 * Event loop's side: the result.
 * @throws what the codec threw in the worker
 */
export function unpackReply<K extends CodecTask['kind']>(_kind: K, reply: Envelope): CodecResults[K] {
  const head = unpack(reply.head) as { error?: ErrorData; cause?: string | null }
  if (head.error !== undefined) {
    const { cause } = head
    throw new GatewayError(head.error.code, { ...head.error, ...(typeof cause === 'string' ? { cause } : {}) })
  }
  const { body, original } = reply
  return (original === null ? { ...head, body } : { ...head, body, original }) as unknown as CodecResults[K]
}

const EMPTY = new Uint8Array(0)

/**
 * Event loop's side, once it is unpacked: whoever still has the envelope keeps none of its bytes. Old tables of piscina's keep tasks that
 * are done, with their answers, until V8's next full collection.
 */
export function emptyEnvelope(envelope: Envelope): void {
  envelope.head = EMPTY
  envelope.body = EMPTY
  envelope.original = null
}

/** The buffers to transfer with an envelope. */
export function buffersOf(envelope: Envelope): ArrayBuffer[] {
  const { head, body, original } = envelope
  return original === null ? [head.buffer, body.buffer] : [head.buffer, body.buffer, original.buffer]
}

/** The bytes in an ArrayBuffer that holds nothing else, so that nothing else is transferred. */
function ownBuffer(body: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  // Not slice, which is a view for a Buffer; small Buffers are views of Node's pool, which must never be transferred.
  return body.byteLength === body.buffer.byteLength ? body : new Uint8Array(body)
}
