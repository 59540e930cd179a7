// Selects the scanner of a framing, which turns an upstream's chunks into frames, for both passthrough and decode.
import { NdjsonScanner } from './ndjson.js'
import { type FrameScanner, MAX_FRAME_BYTES, type OnFrame, type ScannerOptions } from './scanner.js'
import { SseScanner } from './sse.js'

const DEFAULTS: ScannerOptions = Object.freeze({ maxFrameBytes: MAX_FRAME_BYTES })

/** A new scanner for one stream. @see FrameScanner for who owns which bytes */
export function createFrameScanner(
  framing: 'sse' | 'ndjson',
  onFrame: OnFrame,
  options: ScannerOptions = DEFAULTS,
): FrameScanner {
  return framing === 'sse' ? new SseScanner(onFrame, options) : new NdjsonScanner(onFrame, options)
}
