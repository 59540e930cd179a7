// The time limit that a client sets for its request by a header. It can only shorten the configured timeouts, and its expiry is not a
// failure of a target.
import { GatewayError } from '../../errors.js'
import { type ErrorData } from '../../model/error.js'
import { type AcceptedRequest } from '../client.js'
import { type Clock } from '../context.js'

/** The request header, which the transports hand over with the dialects' parameters. It reaches no provider. */
export const TIMEOUT_HEADER = 'x-sluice-timeout-ms'
/** Timers may fire this much before the clock agrees, and an attempt's own total ends together with the client's. */
const TIMER_GRACE_MS = 2
const WHOLE_NUMBER = /^[1-9]\d{0,8}$/

/**
 * The moment in monotonic ms by which the answer must be complete; Infinity if the client has not said.
 * @throws invalid_request for anything but a whole number of ms from 1 up
 */
export function deadlineOf({ parameterHeaders, acceptedAtMs }: AcceptedRequest): number {
  const text = parameterHeaders[TIMEOUT_HEADER]
  if (text === undefined) return Number.POSITIVE_INFINITY
  if (WHOLE_NUMBER.test(text)) return acceptedAtMs + Number(text)
  throw new GatewayError('invalid_request', {
    message: `${TIMEOUT_HEADER} must be an integer of at least 1, in milliseconds.`,
    param: TIMEOUT_HEADER,
  })
}

/** The error of a request whose own time limit has expired. */
export function deadlinePassed(cause?: unknown): GatewayError {
  return new GatewayError('upstream_timeout', {
    message: `The time limit set by ${TIMEOUT_HEADER} has expired.`,
    cause,
  })
}

/** The part of an exchange that knows the client's time. */
export type Timed = {
  readonly deadlineAtMs: number
  readonly context: { readonly clock: Pick<Clock, 'nowMs'> }
}

/** True if an attempt failed because the client's own time was over. */
export function isOutOfTime({ deadlineAtMs, context }: Timed, error: ErrorData): boolean {
  return error.code === 'upstream_timeout' && context.clock.nowMs() >= deadlineAtMs - TIMER_GRACE_MS
}
