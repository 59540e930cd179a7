// The spans of one export in OTLP's protobuf, written as requests settle: nothing is left to encode when the batch is sent. An object a
// span and OpenTelemetry's own encoder took 45 us of a request (bench traces), which this does in 3.
//
//   ExportTraceServiceRequest  1 ResourceSpans { 1 resource, 2 ScopeSpans { 1 scope, 2 Span ... } }
//   Span      1 trace_id  2 span_id  3 trace_state  4 parent_span_id  5 name  6 kind  7 start_time  8 end_time
//             9 attributes: KeyValue ...  13 links: Link ...  15 status  16 flags
//   KeyValue  1 key  2 AnyValue { 1 string | 2 bool | 3 int | 4 double | 5 array }
//   Link      1 trace_id  2 span_id  6 flags
//
// https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto

import { type ParentSpan } from '../trace-context.js'
import {
  type AnyValue,
  BYTES,
  encodeField,
  encodePair,
  FIXED32,
  FIXED64,
  fieldLength,
  tag,
  VARINT,
  varintLength,
} from './protobuf.js'
import { MAX_BYTES_OF_UNIT, MAX_SHORT, ProtobufWriter } from './protobuf-writer.js'

const SPAN = tag(2, BYTES)
const TRACE_ID = tag(1, BYTES)
const SPAN_ID = tag(2, BYTES)
const TRACE_STATE = tag(3, BYTES)
const PARENT_ID = tag(4, BYTES)
const NAME = tag(5, BYTES)
const KIND = tag(6, VARINT)
const START_TIME = tag(7, FIXED64)
const END_TIME = tag(8, FIXED64)
const ATTRIBUTE = tag(9, BYTES)
const LINK = tag(13, BYTES)
const STATUS = tag(15, BYTES)
const STATUS_CODE = tag(3, VARINT)
/** Field 16 has a tag of two bytes. */
const SPAN_FLAGS = 0x80 | tag(0, FIXED32)
const SPAN_FLAGS_REST = 1
const LINK_FLAGS = tag(6, FIXED32)
const VALUE = tag(2, BYTES)
const STRING = tag(1, BYTES)
const INT = tag(3, VARINT)
const DOUBLE = tag(4, FIXED64)

/** The schema's numbers. */
export const INTERNAL = 1
export const SERVER = 2
export const CLIENT = 3
const FAILED = 2
const IS_SAMPLED = 1
/** What the bit after it says is known. */
const HAS_REMOTE = 0x100
const IS_REMOTE = 0x200

const TRACE_ID_BYTES = 16
const SPAN_ID_BYTES = 8
/** Everything of a span but its texts, with room to spare. */
const SPAN_ROOM = 256
/** Everything of an attribute but its name and its text. */
const ATTRIBUTE_ROOM = 32
/** Tags and lengths before the first span, but for resource and scope themselves. */
const HEAD_ROOM = 24

/** The name of an attribute, encoded. */
export type AttributeName = Uint8Array

/** Of an attribute whose values hardly ever come again. */
export function attributeName(name: string): AttributeName {
  return encodeField(1, name)
}

/** An attribute that many spans have, for `encoded`. */
export function encodeAttribute(name: string, value: AnyValue): Uint8Array {
  return encodePair(9, name, value)
}

/** Who sends the spans: the same for all batches. */
export type BatchHead = { readonly resource: Uint8Array; readonly scope: Uint8Array }

/** `attributes`: of the resource. `scope`: name and version of what makes the spans. */
export function encodeHead(
  attributes: Readonly<Record<string, string>>,
  scope: { readonly name: string; readonly version: string },
): BatchHead {
  const pairs = Object.entries(attributes).map(([name, value]) => encodePair(1, name, value))
  return {
    resource: Buffer.concat(pairs),
    scope: Buffer.concat([encodeField(1, scope.name), encodeField(2, scope.version)]),
  }
}

/** What begins a span. Ids are lower-case hex, times are Unix ms with fractions. */
export type SpanStart = {
  readonly traceId: string
  readonly spanId: string
  /** Of a span within a request: what is added to the id, which is the request's, so that it needs no random bytes; else 0. */
  readonly place: number
  /** Null for a root. */
  readonly parentId: string | null
  /** The same of the parent. */
  readonly parentPlace: number
  /** The parent is another service's. */
  readonly isParentRemote: boolean
  /** `tracestate`; empty for none. */
  readonly state: string
  readonly name: string
  readonly kind: number
  readonly startMs: number
  readonly endMs: number
}

export class SpanBatch {
  /** Spans that are complete. */
  spans = 0
  readonly #head: BatchHead
  readonly #out: ProtobufWriter
  readonly #first: number
  /** Of the last complete span: one that was never ended is not sent. */
  #end: number
  #flags = 0

  /** `capacity`: bytes, as a first guess. */
  constructor(head: BatchHead, capacity: number) {
    this.#head = head
    this.#first = HEAD_ROOM + head.resource.length + head.scope.length
    this.#out = new ProtobufWriter(Math.max(capacity, this.#first))
    this.#end = this.#first
  }

  /** Bytes so far. */
  get size(): number {
    return this.#end
  }

  startSpan(span: SpanStart): void {
    const { name, state, parentId } = span
    const out = this.#out
    // Its length takes two bytes but for the shortest and the longest.
    out.at = this.#end + 3
    out.reserve(SPAN_ROOM + MAX_BYTES_OF_UNIT * (name.length + state.length))
    out.id(TRACE_ID, span.traceId, TRACE_ID_BYTES)
    out.id(SPAN_ID, span.spanId, SPAN_ID_BYTES)
    out.addToId(span.place)
    if (state !== '') out.string(TRACE_STATE, state)
    if (parentId !== null) {
      out.id(PARENT_ID, parentId, SPAN_ID_BYTES)
      out.addToId(span.parentPlace)
    }
    out.string(NAME, name)
    out.bytes2(KIND, span.kind)
    out.time(START_TIME, span.startMs)
    out.time(END_TIME, span.endMs)
    this.#flags = IS_SAMPLED | HAS_REMOTE | (span.isParentRemote ? IS_REMOTE : 0)
  }

  text(name: AttributeName, value: string): void {
    const { length } = value
    const out = this.#out
    out.reserve(ATTRIBUTE_ROOM + name.length + MAX_BYTES_OF_UNIT * length)
    const pairLength = name.length + length + 4
    if (pairLength > MAX_SHORT || !out.ascii(value, out.at + name.length + 6)) {
      this.#longText(name, value)
      return
    }
    this.#name(pairLength, name)
    out.bytes2(VALUE, length + 2)
    out.bytes2(STRING, length)
    out.at += length
  }

  /** A whole number from 0. */
  int(name: AttributeName, value: number): void {
    const out = this.#out
    out.reserve(ATTRIBUTE_ROOM + name.length)
    const digits = varintLength(value)
    this.#name(name.length + digits + 3, name)
    out.bytes2(VALUE, digits + 1)
    out.length(INT, value)
  }

  double(name: AttributeName, value: number): void {
    const out = this.#out
    out.reserve(ATTRIBUTE_ROOM + name.length)
    this.#name(name.length + 11, name)
    out.bytes2(VALUE, 9)
    out.double(DOUBLE, value)
  }

  /** Attributes that were encoded before. @see encodeAttribute */
  encoded(attributes: Uint8Array): void {
    const out = this.#out
    out.reserve(attributes.length)
    out.copy(attributes)
  }

  /** After all attributes. */
  link({ traceId, spanId, isSampled }: ParentSpan): void {
    const out = this.#out
    out.reserve(SPAN_ROOM)
    out.bytes2(LINK, TRACE_ID_BYTES + SPAN_ID_BYTES + 9)
    out.id(TRACE_ID, traceId, TRACE_ID_BYTES)
    out.id(SPAN_ID, spanId, SPAN_ID_BYTES)
    out.fixed32(LINK_FLAGS, (isSampled ? IS_SAMPLED : 0) | HAS_REMOTE | IS_REMOTE)
  }

  endSpan(isFailed: boolean): void {
    const out = this.#out
    out.reserve(ATTRIBUTE_ROOM)
    if (isFailed) {
      out.bytes2(STATUS, 2)
      out.bytes2(STATUS_CODE, FAILED)
    }
    out.byte(SPAN_FLAGS)
    out.fixed32(SPAN_FLAGS_REST, this.#flags)
    this.#closeSpan()
    this.spans += 1
  }

  /** The bytes to send. */
  finish(): Uint8Array {
    const { resource, scope } = this.#head
    const out = this.#out
    const spans = this.#end - this.#first
    const ofScope = fieldLength(scope.length) + spans
    const ofResource = fieldLength(resource.length) + fieldLength(ofScope)
    const start = this.#first - (fieldLength(ofResource) - spans)
    out.at = start
    out.length(tag(1, BYTES), ofResource)
    out.length(tag(1, BYTES), resource.length)
    out.copy(resource)
    out.length(tag(2, BYTES), ofScope)
    out.length(tag(1, BYTES), scope.length)
    out.copy(scope)
    return out.bytes.subarray(start, this.#end)
  }

  #closeSpan(): void {
    const out = this.#out
    const start = this.#end + 3
    const length = out.at - start
    const shift = varintLength(length) - 2
    if (shift !== 0) out.bytes.copyWithin(start + shift, start, out.at)
    const end = out.at + shift
    out.at = this.#end
    out.length(SPAN, length)
    this.#end = end
  }

  /** Tag and length of an attribute, and its name. */
  #name(length: number, name: AttributeName): void {
    const out = this.#out
    out.length(ATTRIBUTE, length)
    out.copy(name)
  }

  #longText(name: AttributeName, value: string): void {
    const length = Buffer.byteLength(value)
    const ofValue = fieldLength(length)
    this.#name(name.length + fieldLength(ofValue), name)
    this.#out.length(VALUE, ofValue)
    this.#out.string(STRING, value)
  }
}
