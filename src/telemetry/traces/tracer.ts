// Takes requests into traces, and writes their spans when they settle. One per configuration of an event loop, only where traces are
// exported or passed on. It never waits and never throws for what a client sent.
import { type ExchangeRecord, type PassedTrace, type RequestTrace, type Tracer } from '../records.js'
import { type SpanBatch } from './encoding/span-batch.js'
import { isSampled, type SamplerConfig } from './sampler.js'
import { type SpanIds } from './span-ids.js'
import { type Unwritten } from './span-queue.js'
import { countSpans, type SpanGround, writeReading, writeSpans } from './spans.js'
import { formatTraceparent, readTraceparent, readTracestate } from './trace-context.js'

/** The headers of trace context, by lower-case name. */
export const TRACE_HEADERS: readonly string[] = Object.freeze(['traceparent', 'tracestate'])

export type TracerOptions = {
  readonly ids: SpanIds
  /** Providers that get the trace. */
  readonly passedTo: readonly string[]
  /** Null: traces are passed on, and no spans are made. */
  readonly spans: TracerSpans | null
}

export type TracerSpans = {
  readonly sampler: SamplerConfig
  readonly ground: SpanGround
  /** Unix time in ms, with fractions. */
  readonly nowMs: () => number
  readonly out: SpanOutlet
}

/** Where spans go. @see SpanExport */
export type SpanOutlet = {
  put(request: Unwritten<SpanBatch>, isMinor: boolean): void
}

/** The tracer of one configuration. */
export function createTracer({ ids, passedTo, spans }: TracerOptions): Tracer {
  const passed = new Set(passedTo)
  return {
    begin(headers) {
      const parent = readTraceparent(headers.traceparent)
      if (parent === null) {
        if (spans === null) return null
        const traceId = ids.traceId()
        const sampled = isSampled(spans.sampler, traceId, null)
        return { traceId, spanId: ids.spanId(), parentId: null, isSampled: sampled, state: '' }
      }
      const { traceId, spanId: parentId } = parent
      const state = readTracestate(headers.tracestate)
      // Without spans of our own the caller's is the parent of what comes after us.
      if (spans === null) return { traceId, spanId: parentId, parentId: null, isSampled: parent.isSampled, state }
      const sampled = isSampled(spans.sampler, traceId, parent.isSampled)
      return { traceId, spanId: ids.spanId(), parentId, isSampled: sampled, state }
    },
    passTo: (provider, trace) =>
      passed.has(provider) ? passOn(trace, spans === null ? trace.spanId : ids.spanId()) : null,
    settled(record) {
      const { trace } = record
      if (spans === null || trace === null || !trace.isSampled) return
      const settled = { record, trace, endMs: spans.nowMs() }
      const write = (batch: SpanBatch) => writeSpans(batch, settled, spans.ground)
      spans.out.put({ spans: countSpans(record), write }, isRefusal(record))
    },
    resumed(reading) {
      if (spans === null || !reading.trace.isSampled) return
      const endMs = spans.nowMs()
      spans.out.put({ spans: 1, write: (batch) => writeReading(batch, reading, spans.ground, endMs) }, false)
    },
  }
}

function passOn({ traceId, isSampled, state }: RequestTrace, spanId: string): PassedTrace {
  const traceparent = formatTraceparent({ traceId, spanId, isSampled })
  return { spanId, headers: state === '' ? { traceparent } : { traceparent, tracestate: state } }
}

function isRefusal({ attempts, shared }: ExchangeRecord): boolean {
  return attempts === 0 && shared === null
}
