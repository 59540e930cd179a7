// Handles an upstream that answered with a status other than 2xx: its body is read up to a cap and the target's dialect decodes it
// into one error. Only surfaces that pass the upstream through show its body, without secrets.
import { type ErrorData } from '../../model/error.js'
import { type Dialect } from '../../protocols/contract/protocol.js'
import { type ResponseHeaders } from '../../upstream/call.js'
import { concealText, type Secretive } from '../../upstream/conceal.js'
import { parseRetryAfterMs } from '../../wire/http.js'
import { maskKeys } from '../../wire/mask-keys.js'
import { UpstreamBody } from '../relay/upstream-body.js'
import { headerText } from './header-text.js'

/** Of an upstream's error answer, more than this is not read. */
const MAX_ERROR_BODY_BYTES = 65_536
const FIRST_ERROR_STATUS = 400
/** Some vendors quote part of a rejected key. */
const KEY_STATUSES: ReadonlySet<number> = new Set([401, 403])

export class Refusal {
  readonly #status: number
  readonly #retryAfterMs: number | null
  readonly #body = new UpstreamBody(MAX_ERROR_BODY_BYTES)
  #bytes: Buffer | null = null

  /** `unixMs`: the wall clock, for a `Retry-After` that is a date. */
  constructor(status: number, headers: ResponseHeaders, unixMs: number) {
    this.#status = status
    this.#retryAfterMs = parseRetryAfterMs((name) => headerText(headers, name), unixMs)
  }

  /** @throws upstream_malformed past the cap */
  push(chunk: Buffer): void {
    this.#body.push(chunk)
  }

  /** The error, once the body has ended. Retry-After in the header takes precedence over a time in the body. */
  decode(dialect: Dialect): ErrorData {
    this.#bytes ??= this.#body.take()
    const error = dialect.decodeError(this.#status, this.#bytes)
    return { ...error, retryAfterMs: this.#retryAfterMs ?? error.retryAfterMs }
  }

  /**
   * The upstream's body as JSON, for a client of a surface that shows it; null if there is nothing to show: no JSON, a
   * redirect, or a refusal of the operator's key, which does not concern the client. Call it after `decode`.
   */
  show(secrets: Secretive): Uint8Array | null {
    const isOfOperatorsKey = KEY_STATUSES.has(this.#status) && secrets.apiKey !== null && secrets.callerKey === null
    if (this.#bytes === null || this.#status < FIRST_ERROR_STATUS || isOfOperatorsKey) return null
    const text = maskKeys(concealText(secrets, this.#bytes.toString('utf8')))
    return isJsonBody(text) ? Buffer.from(text) : null
  }
}

/** An object or a list, which clients can parse. */
function isJsonBody(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null
  } catch {
    return false
  }
}
