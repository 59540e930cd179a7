// What a failed attempt is called in the counters of its provider.
import { type ErrorCode } from '../model/error.js'
import { type AttemptResult } from '../telemetry/records.js'

const RESULT_OF: Partial<Record<ErrorCode, AttemptResult>> = {
  upstream_unreachable: 'unreachable',
  upstream_timeout: 'timeout',
  upstream_malformed: 'malformed',
  upstream_cut: 'cut',
}

/** The word for an error that ended an attempt; whatever has none of its own is a refusal. */
export function resultOf(code: ErrorCode): AttemptResult {
  return RESULT_OF[code] ?? 'rejected'
}
