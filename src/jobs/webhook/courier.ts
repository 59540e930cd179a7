// Sends the webhooks of jobs that have ended: claims due deliveries from the store, makes one attempt for each, and reports the
// result to the store. The number per endpoint is bounded, so that a bad one does not delay others. Hints of the store wake it; it
// also polls, for due retries.

import { jobErrorOf } from '../job-json.js'
import { ClaimLoop } from '../run/claim-loop.js'
import { TIMERS, type Timers } from '../run/timers.js'
import { originOf } from '../sqlite/deliveries.js'
import { type ClaimedDelivery, type DeliveryQueue, type DeliveryResult, type JobStore } from '../store.js'
import { encodeWebhookBody } from './body.js'
import { settleDelivery } from './schedule.js'
import { sendWebhook, type WebhookOptions } from './webhook.js'

/** Options that a reload may change. */
export type CourierSettings = {
  readonly webhook: WebhookOptions
  /** Beyond the time of one attempt: a courier that died with it has left it to others by then. */
  readonly leaseMs: number
}

export type CourierOptions = {
  readonly store: DeliveryQueue & Pick<JobStore, 'subscribe'>
  /** Read for each claim and attempt. */
  readonly settings: () => CourierSettings
  readonly random: () => number
  readonly timers?: Timers
  /** One attempt is over. `cause` is for the log alone. */
  readonly onAttempt?: (delivery: ClaimedDelivery, result: DeliveryResult, cause: unknown) => void
}

const POLL_MS = 1000
const AT_ONCE = 64
const PER_ORIGIN = 4

/** The sender of one process. */
export class Courier {
  readonly #options: CourierOptions
  readonly #timers: Timers
  readonly #perOrigin = new Map<string, number>()
  readonly #sending = new Set<Promise<void>>()
  readonly #loop: ClaimLoop
  #unsubscribe: () => void = () => undefined

  constructor(options: CourierOptions) {
    this.#options = options
    this.#timers = options.timers ?? TIMERS
    this.#loop = new ClaimLoop({
      ...{ pollMs: POLL_MS, timers: this.#timers },
      hasRoom: () => this.#sending.size < AT_ONCE,
      claim: () => this.#claim(),
    })
  }

  /** Begins to send. */
  start(): void {
    this.#unsubscribe = this.#options.store.subscribe((event) => {
      if (event.type === 'delivery') this.#loop.wake()
    })
    this.#loop.start()
  }

  /** Claims no more; resolves when no attempt is running, or after `graceMs`: attempts without a response by then are repeated. */
  async stop(graceMs: number): Promise<void> {
    this.#unsubscribe()
    await this.#loop.stop()
    let callOff = (): void => undefined
    const patience = new Promise<void>((resolve) => {
      callOff = this.#timers.after(graceMs, resolve)
    })
    await Promise.race([Promise.all(this.#sending), patience])
    callOff()
  }

  async #claim(): Promise<boolean> {
    const { store, settings } = this.#options
    const { webhook, leaseMs: beyondMs } = settings()
    const limit = AT_ONCE - this.#sending.size
    const leaseMs = webhook.timeoutMs + beyondMs
    const exceptOrigins = [...this.#perOrigin].filter(([, count]) => count >= PER_ORIGIN).map(([origin]) => origin)
    try {
      const claimed = await store.claimDeliveries({ limit, leaseMs, exceptOrigins, perOrigin: PER_ORIGIN })
      for (const delivery of claimed) this.#begin(delivery)
      return true
    } catch {
      // The store is unavailable, which the job runner reports.
      return false
    }
  }

  #begin(delivery: ClaimedDelivery): void {
    const origin = originOf(delivery.url)
    this.#count(origin, 1)
    const sending = this.#send(delivery).finally(() => {
      this.#sending.delete(sending)
      this.#count(origin, -1)
      this.#loop.wake()
    })
    this.#sending.add(sending)
  }

  #count(origin: string, by: number): void {
    const count = (this.#perOrigin.get(origin) ?? 0) + by
    if (count > 0) this.#perOrigin.set(origin, count)
    else this.#perOrigin.delete(origin)
  }

  /** Never rejects. A result that does not reach the store is sent again when the lease expires: at least once. */
  async #send(delivery: ClaimedDelivery): Promise<void> {
    const { store, settings, random, onAttempt } = this.#options
    const { job, url, lease, attempts } = delivery
    const answer = await sendWebhook({ id: job.id, url, body: bodyOf(delivery) }, settings().webhook)
    const result = settleDelivery(answer, attempts, random())
    onAttempt?.(delivery, result, answer.kind === 'delivered' ? null : answer.cause)
    await store.settleDelivery(lease, result).catch(() => false)
  }
}

function bodyOf({ job }: ClaimedDelivery): Uint8Array {
  if (job.state === 'completed') {
    return encodeWebhookBody(job.id, { status: 'completed', response: job.answer ?? 'null' })
  }
  const error = jobErrorOf(job) ?? { message: 'Unknown', type: 'internal', attempts: job.attempts }
  return encodeWebhookBody(job.id, { status: 'error', error })
}
