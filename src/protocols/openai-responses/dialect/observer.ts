// Dialect half, same protocol on both sides: observes passing events. Deltas, which are nearly all of a stream, are read from their bytes
// (flat-frame.ts); the few others are parsed.
import { type ErrorData } from '../../../model/error.js'
import { type FinishReason } from '../../../model/event.js'
import { isJsonArray, isJsonObject, type JsonObject } from '../../../model/json.js'
import { type UsageReport } from '../../../model/usage.js'
import {
  FRAME_CONTENT,
  FRAME_EDITED,
  FRAME_END,
  FRAME_ERROR,
  FRAME_OTHER,
  FRAME_STRIP,
  type StreamObserver,
} from '../../contract/protocol.js'
import { type OwnMembers } from '../../contract/stored.js'
import { bitsWithoutObject, parsePayload } from '../../frame-payload.js'
import { decodeStreamError } from '../../openai-error.js'
import { numberOf, textOf } from '../../scalars.js'
import { completedResponse, failureIn, responseOf } from '../frame.js'
import { eventWithOwn, queuedEvents, withNextNumber } from '../own-members.js'
import { reasoningText } from '../response.js'
import { decodeFinish, isCallItem } from '../status.js'
import { encodeResponseObject } from '../surface/echo.js'
import { encodeErrorEvent, encodeEvent, failureOf } from '../surface/stream-encoder.js'
import { decodeUsage } from '../usage.js'
import { FlatFrame } from './flat-frame.js'

const LF = 0x0a
/** Between the payloads of two events. */
const QUEUED_HEAD = Buffer.from('\n\nevent: response.queued\ndata: ')

/** Watches one stream. */
export class ResponsesObserver implements StreamObserver {
  readonly #frame = new FlatFrame()
  readonly #own: OwnMembers | null
  edited: Buffer | null = null
  usage: UsageReport | null = null
  error: ErrorData | null = null
  contentBytes = 0
  finish: FinishReason | null = null
  #hasCalls = false
  #isComplete = false
  /** Of the last event, -1 before the first. */
  #sequence = -1
  #id = ''
  #model = ''
  #createdSec = 0
  /** What is added to the numbers of events, once one of ours is among them. */
  #shift = 0

  /** `own`: the members of each response object that the gateway decides; null for none. */
  constructor(own: OwnMembers | null = null) {
    this.#own = own
  }

  observe(data: Buffer): number {
    // Nothing may follow the end, and in particular no end marker may follow an error.
    if (this.#isComplete || this.error !== null) return FRAME_STRIP
    if (this.#frame.readDelta(data)) {
      this.#count(this.#frame.sequence)
      this.contentBytes += this.#frame.deltaBytes
      const bits = this.#frame.deltaBytes > 0 ? FRAME_CONTENT : FRAME_OTHER
      return this.#shift === 0 ? bits : bits | this.#renumber(data)
    }
    const event = parsePayload(data)
    return event === null ? bitsWithoutObject(data) : this.#inspect(event) | this.#edit(event, data)
  }

  isComplete(): boolean {
    return this.#isComplete
  }

  /** The two events that end a failed stream, with the numbers and the id of those before. */
  encodeErrorFrame(error: ErrorData): string {
    const head = { id: this.#id, createdSec: this.#createdSec, model: this.#model, status: 'failed' } as const
    const echo = this.#own === null ? null : { own: this.#own }
    const response = JSON.stringify(encodeResponseObject({ ...head, error: failureOf(error) }, [], echo))
    const failed = encodeEvent('response.failed', `"response":${response}`, this.#sequence + 2)
    return encodeErrorEvent(error, this.#sequence + 1) + failed
  }

  /** Puts the gateway's members into a response object, of which a stream has few. */
  #edit({ type, response }: JsonObject, data: Buffer): number {
    const isFirst = type === 'response.created' && this.#own?.background === true && this.#shift === 0
    // The lines of a payload of several would be joined to those of the other one.
    if (isFirst && isJsonObject(response) && !data.includes(LF)) return this.#queue(data, this.#own)
    if (this.#own === null || !isJsonObject(response)) return this.#renumber(data)
    const edited = eventWithOwn(data, this.#own)
    if (edited === null) return FRAME_OTHER
    this.edited = this.#shift === 0 ? edited : withNextNumber(edited)
    return FRAME_EDITED
  }

  /** The first event of an answer that runs without its client, and one that says that it has waited: two frames for one. */
  #queue(data: Buffer, own: OwnMembers): number {
    const events = queuedEvents(data, own)
    if (events === null) return FRAME_OTHER
    this.edited = Buffer.concat([events[0], QUEUED_HEAD, events[1]])
    this.#shift = 1
    this.#sequence += 1
    return FRAME_EDITED
  }

  #renumber(data: Buffer): number {
    if (this.#shift === 0) return FRAME_OTHER
    this.edited = withNextNumber(data)
    return FRAME_EDITED
  }

  #inspect(event: JsonObject): number {
    // A keepalive of one vendor that stricter clients do not know (router-for-me/CLIProxyAPI#4691).
    if (event.type === 'keepalive') return FRAME_STRIP
    const failure = failureIn(event)
    if (failure !== null) {
      this.error = decodeStreamError(failure)
      return FRAME_ERROR
    }
    this.#count(numberOf(event.sequence_number) ?? -1)
    switch (event.type) {
      case 'response.created':
        this.#keep(responseOf(event))
        return FRAME_OTHER
      case 'response.output_item.added':
        return this.#observeItem(event, false)
      case 'response.output_item.done':
        return this.#observeItem(event, true)
      case 'response.completed':
      case 'response.incomplete':
        return this.#finish(completedResponse(event) ?? {})
      default:
        return this.#observeDelta(event)
    }
  }

  /** A delta in an unusual form. */
  #observeDelta({ type, delta }: JsonObject): number {
    const isDelta = typeof type === 'string' && type.endsWith('.delta')
    if (!isDelta || typeof delta !== 'string' || delta === '') return FRAME_OTHER
    this.contentBytes += delta.length
    return FRAME_CONTENT
  }

  /** A call says something by its name, and an item of a tool that the vendor runs by being there. */
  #observeItem({ item }: JsonObject, isDone: boolean): number {
    if (!isJsonObject(item)) return FRAME_OTHER
    if (isCallItem(item)) this.#hasCalls = true
    if (item.type === 'reasoning') return isDone && reasoningText(item) !== '' ? FRAME_CONTENT : FRAME_OTHER
    return isDone || item.type !== 'message' ? FRAME_CONTENT : FRAME_OTHER
  }

  #finish(response: JsonObject): number {
    const output = isJsonArray(response.output) ? response.output : []
    this.#isComplete = true
    this.usage = decodeUsage(response.usage, response.service_tier)
    this.finish = decodeFinish(response, this.#hasCalls || output.some(isCallItem))
    return output.length > 0 ? FRAME_END | FRAME_CONTENT : FRAME_END
  }

  #keep(response: JsonObject): void {
    this.#id = this.#own?.id ?? textOf(response.id) ?? ''
    this.#model = textOf(response.model) ?? ''
    this.#createdSec = numberOf(response.created_at) ?? 0
  }

  /** Servers without numbers are counted. */
  #count(sequence: number): void {
    this.#sequence = sequence < 0 ? this.#sequence + 1 : Math.max(sequence + this.#shift, this.#sequence)
  }
}
