// When a failed webhook is retried and when it is given up: the schedule that Standard Webhooks proposes, with jitter, so that the
// webhooks of an endpoint that was down do not all arrive at once. Pure.
import { type WebhookAnswer } from './webhook.js'

const SEC_MS = 1000
const MINUTE_MS = 60 * SEC_MS
const HOUR_MS = 60 * MINUTE_MS

/** Waits after the first attempt, the second, ...: about three days in all. @see spec/standard-webhooks.md, "Deliverability" */
const WAITS_MS: readonly number[] = Object.freeze([
  ...[5 * SEC_MS, 5 * MINUTE_MS, 30 * MINUTE_MS, 2 * HOUR_MS, 5 * HOUR_MS],
  ...[10 * HOUR_MS, 14 * HOUR_MS, 20 * HOUR_MS, 24 * HOUR_MS],
])
/** Never earlier than the schedule, at most so much later. */
const JITTER = 0.2

/** The first attempt and one after each wait. */
export const MAX_WEBHOOK_ATTEMPTS = WAITS_MS.length + 1

/** The result of a delivery; `error` is for the job's status and reveals nothing about the network behind the URL. */
export type DeliveryFate =
  | { readonly kind: 'delivered' }
  | { readonly kind: 'retry'; readonly delayMs: number; readonly error: string }
  | { readonly kind: 'dead'; readonly error: string }

/** Decides after attempt number `attempts` (from 1); `random` is 0 <= n < 1. */
export function settleDelivery(answer: WebhookAnswer, attempts: number, random: number): DeliveryFate {
  if (answer.kind === 'delivered') return answer
  const { error } = answer
  const waitMs = WAITS_MS[attempts - 1]
  if (answer.kind !== 'retry' || waitMs === undefined) return { kind: 'dead', error }
  const leastMs = Math.max(waitMs, answer.retryAfterMs ?? 0)
  return { kind: 'retry', delayMs: Math.round(leastMs * (1 + JITTER * random)), error }
}
