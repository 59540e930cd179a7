// The trace of a client that comes back to a kept stream. It is no exchange, so its span is made here: linked to the request whose answer
// the stream is, in the trace of the one that reads.

import { type KeptFacts } from '../../streams/kept/readable-log.js'
import { shownStreamId } from '../../streams/kept/stream-id.js'
import { type ClientOrigin, type StreamReaderResult } from '../../telemetry/records.js'
import { type FrontView } from '../context.js'

/** Who reads, by which request. */
export type Reading = {
  readonly view: Pick<FrontView, 'tracer'>
  readonly parameterHeaders: Readonly<Record<string, string>>
  readonly requestId: string
  readonly origin: ClientOrigin
}

/** Called when it begins to read; returns what to call when it has ended. Null where traces are off. */
export function traceReading(
  { view: { tracer }, parameterHeaders, requestId, origin }: Reading,
  facts: KeptFacts,
): ((result: StreamReaderResult) => void) | null {
  const trace = tracer?.begin(parameterHeaders) ?? null
  if (tracer === null || trace === null) return null
  const beganAtMs = performance.now()
  const { surfaceId: surface, id, trace: producer = null } = facts
  return (result) => {
    const totalMs = performance.now() - beganAtMs
    tracer.resumed({ trace, producer, requestId, surface, origin, stream: shownStreamId(id), result, totalMs })
  }
}
