// The outcome of an exchange that ends with an error: the same word in the metric, the log, a WebSocket's last message and a job.
import { type ErrorCode, type ErrorData } from '../model/error.js'
import { type Outcome } from '../model/event.js'

/** Outcomes by error code. Before any content, codes without an entry are `rejected`. */
const OUTCOME_OF: Partial<Record<ErrorCode, Outcome>> = {
  // In mid-stream, too: its key was removed while it ran.
  unauthenticated: 'rejected',
  client_gone: 'client_gone',
  slow_reader: 'slow_reader',
  rate_limited: 'limit',
  budget_exceeded: 'limit',
  overloaded: 'limit',
  upstream_timeout: 'stalled',
  upstream_cut: 'upstream_cut',
  draining: 'drained',
  internal: 'failed',
}

/** The outcome that an error gives an exchange; `hasContent`: some of the answer has reached the client. */
export function outcomeOf(error: ErrorData, hasContent: boolean): Outcome {
  const named = OUTCOME_OF[error.code]
  // Our own limits reject before there is an upstream; one reported by the upstream is the upstream's.
  const isOwn = named !== 'limit' || error.code === 'budget_exceeded' || (!hasContent && !isFromUpstream(error))
  if (named !== undefined && isOwn) return named
  // In mid-stream every upstream error cuts the answer off.
  return hasContent ? 'upstream_cut' : 'rejected'
}

function isFromUpstream({ upstreamStatus, upstreamType, upstreamCode }: ErrorData): boolean {
  return upstreamStatus !== null || upstreamType !== null || upstreamCode !== null
}
