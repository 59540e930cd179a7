// One attempt to deliver one webhook: a signed POST on its own connection, to an untrusted server. It takes at most `timeoutMs`,
// reads at most 64 KiB, and connects only to the address that was checked. It keeps no state: schedule.ts decides on retries, and
// the store keeps pending webhooks.
import { type Dispatcher } from 'undici'
import Client from 'undici/lib/dispatcher/client.js'
import { GatewayError, toGatewayError } from '../../errors.js'
import { createGuardedConnector } from '../../upstream/strangers/guarded-connector.js'
import { type Resolve } from '../../upstream/strangers/guarded-lookup.js'
import { parseRetryAfterMs } from '../../wire/http.js'
import { type GuardPolicy, parseWebhookUrl } from './guard.js'
import { signWebhook } from './signature.js'

/** Only the head of the response matters; up to this size the body is read, so that a well-behaved server can finish. */
const MAX_ANSWER_BYTES = 64 * 1024
const MAX_ANSWER_HEAD_BYTES = 16 * 1024

const GONE = 410
/** Temporary errors that are retried, like every 5xx: timeout, too early, too many requests. */
const RETRIED_STATUSES: ReadonlySet<number> = new Set([408, 425, 429])
/**
 * The only error text for an attempt without a response: blocked, refused, unresolvable, reset, bad certificate, too slow. Any
 * difference would let a client map the network of the gateway (LLMGateway CVE-2026-108719).
 */
const UNREACHABLE = 'The endpoint is unreachable.'
const ENDED = Object.freeze(new GatewayError('client_gone', { message: 'The delivery attempt was aborted.' }))

export type WebhookDelivery = {
  /** The same for every attempt, so that receivers recognize duplicates. */
  readonly id: string
  readonly url: string
  readonly body: Uint8Array
}

/** The section `jobs.webhook` of the configuration, and substitutes for tests. */
export type WebhookOptions = GuardPolicy & {
  /** Null: webhooks are not signed. */
  readonly secret: string | null
  /** Also signs while receivers switch to the new secret. */
  readonly previousSecret: string | null
  readonly timeoutMs: number
  /** All addresses of a name; DNS unless given. */
  readonly resolve?: Resolve
  readonly unixMs?: () => number
  /** Adds to TLS verification (a private CA); cannot turn it off. */
  readonly ca?: string | Buffer
}

/** `error` is for the job's status; `cause` has details for the log only. */
export type WebhookAnswer =
  | { readonly kind: 'delivered' }
  /** 410: the endpoint wants no more webhooks. */
  | { readonly kind: 'gone'; readonly error: string; readonly cause: unknown }
  | {
      readonly kind: 'retry'
      readonly error: string
      readonly cause: unknown
      /** Retry-After of the endpoint, up to a day. */
      readonly retryAfterMs: number | null
    }
  /** Rejected permanently: a redirect, or another 4xx. */
  | { readonly kind: 'failed'; readonly error: string; readonly cause: unknown }

/** Makes one attempt. Never rejects; when it resolves, its connection is closed. */
export async function sendWebhook(delivery: WebhookDelivery, options: WebhookOptions): Promise<WebhookAnswer> {
  let url: URL
  try {
    url = parseWebhookUrl(delivery.url, options)
  } catch (thrown) {
    return unreachable(toGatewayError(thrown).message)
  }
  const unixMs = options.unixMs ?? Date.now
  return await new Promise((resolve) => {
    const attempt = new WebhookAttempt(url, options, { unixMs, resolve })
    attempt.start({
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      method: 'POST',
      headers: headersOf(delivery, options, Math.floor(unixMs() / 1000)),
      body: delivery.body,
      // A connection to an untrusted server is not kept.
      reset: true,
    })
  })
}

function headersOf({ id, body }: WebhookDelivery, options: WebhookOptions, timestampSec: number): string[] {
  const secrets = [options.secret, options.previousSecret].filter((secret) => secret !== null)
  const headers = ['content-type', 'application/json', 'user-agent', 'sluice-webhook']
  headers.push('webhook-id', id, 'webhook-timestamp', String(timestampSec))
  if (secrets.length > 0) headers.push('webhook-signature', signWebhook({ id, timestampSec, body }, secrets))
  return headers
}

type AttemptHooks = { readonly unixMs: () => number; readonly resolve: (answer: WebhookAnswer) => void }

/** undici's handler of the one request. The parser is never paused (undici#5360): data is counted and discarded. */
class WebhookAttempt implements Dispatcher.DispatchHandler {
  readonly #client: Client
  readonly #hooks: AttemptHooks
  readonly #timer: NodeJS.Timeout
  #controller: Dispatcher.DispatchController | null = null
  /** Known with the head; the body does not change it. */
  #answer: WebhookAnswer | null = null
  #bytes = 0
  #isOver = false

  constructor(url: URL, options: WebhookOptions, hooks: AttemptHooks) {
    this.#hooks = hooks
    this.#client = new Client(url.origin, {
      connect: createGuardedConnector(options),
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0,
      maxHeaderSize: MAX_ANSWER_HEAD_BYTES,
      allowH2: false,
    })
    this.#timer = setTimeout(() => this.#end('timed out'), options.timeoutMs)
  }

  start(options: Dispatcher.DispatchOptions): void {
    this.#client.dispatch(options, this)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
  }

  onResponseStart(_controller: unknown, status: number, headers: Record<string, string | string[] | undefined>): void {
    // 103 Early Hints come before the answer.
    if (status < 200 || this.#isOver) return
    this.#answer = answerOf(status, (name) => String(headers[name] ?? '') || null, this.#hooks.unixMs())
  }

  onResponseData(_controller: unknown, chunk: Buffer): void {
    this.#bytes += chunk.length
    if (this.#bytes > MAX_ANSWER_BYTES) this.#end('response too large')
  }

  onResponseEnd(): void {
    this.#end(null)
  }

  onResponseError(_controller: unknown, error: Error): void {
    this.#end(error)
  }

  /** Ends the attempt; only the first call counts. The result is that of the head, if there was one. */
  #end(cause: unknown): void {
    if (this.#isOver) return
    this.#isOver = true
    clearTimeout(this.#timer)
    const answer = this.#answer ?? unreachable(cause)
    const tell = () => this.#hooks.resolve(answer)
    this.#controller?.abort(ENDED)
    this.#client.destroy(ENDED).then(tell, tell)
  }
}

function answerOf(status: number, get: (name: string) => string | null, unixMs: number): WebhookAnswer {
  if (status >= 200 && status < 300) return { kind: 'delivered' }
  const error = `The endpoint returned status ${status}.`
  if (status === GONE) return { kind: 'gone', error, cause: null }
  if (status < 500 && !RETRIED_STATUSES.has(status)) return { kind: 'failed', error, cause: null }
  return { kind: 'retry', error, cause: null, retryAfterMs: parseRetryAfterMs(get, unixMs) }
}

function unreachable(cause: unknown): WebhookAnswer {
  return { kind: 'retry', error: UNREACHABLE, cause, retryAfterMs: null }
}
