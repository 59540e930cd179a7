// The one word for how an error ends an exchange: the same in the metric, the log, a WebSocket's last message and a job.
import { type ErrorCode, type ErrorData } from '../model/error.js'
import { type Outcome } from '../model/event.js'

/** What an error is called as an outcome. Before any content, whatever is not named here is `rejected`. */
const OUTCOME_OF: Partial<Record<ErrorCode, Outcome>> = {
  // In mid-stream, too: its key was removed while it ran.
  unauthenticated: 'rejected',
  client_gone: 'client_gone',
  slow_reader: 'slow_reader',
  rate_limited: 'limit',
  overloaded: 'limit',
  upstream_timeout: 'stalled',
  upstream_cut: 'upstream_cut',
  draining: 'drained',
  internal: 'failed',
}

/** The outcome that an error gives an exchange; `hasContent`: some of the answer has reached the client. */
export function outcomeOf(error: ErrorData, hasContent: boolean): Outcome {
  const named = OUTCOME_OF[error.code]
  // Limits of ours refuse before there is an upstream; one that the upstream names is its own.
  const isOwn = named !== 'limit' || (!hasContent && !isFromUpstream(error))
  if (named !== undefined && isOwn) return named
  // In mid-stream everything the upstream does wrong cuts its answer off.
  return hasContent ? 'upstream_cut' : 'rejected'
}

function isFromUpstream({ upstreamStatus, upstreamType, upstreamCode }: ErrorData): boolean {
  return upstreamStatus !== null || upstreamType !== null || upstreamCode !== null
}
