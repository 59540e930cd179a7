// An upstream that answered with another status than 2xx: its body is read up to a cap and becomes one error, in the words of
// the target's dialect. It never reaches the client as it is.
import { type ErrorData } from '../model/error.js'
import { type Dialect } from '../protocols/protocol.js'
import { type ResponseHeaders } from '../upstream/call.js'
import { parseRetryAfterMs } from '../wire/http.js'
import { BodyCollector } from './body-collector.js'
import { headerText } from './header-text.js'

/** Of an upstream's error answer, more than this is not read. */
const MAX_ERROR_BODY_BYTES = 65_536

export class Refusal {
  readonly #status: number
  readonly #retryAfterMs: number | null
  readonly #body = new BodyCollector(MAX_ERROR_BODY_BYTES)

  /** `unixMs`: the wall clock, for a `Retry-After` that is a date. */
  constructor(status: number, headers: ResponseHeaders, unixMs: number) {
    this.#status = status
    this.#retryAfterMs = parseRetryAfterMs((name) => headerText(headers, name), unixMs)
  }

  /** @throws upstream_malformed past the cap */
  push(chunk: Buffer): void {
    this.#body.push(chunk)
  }

  /** What it means, once the body has ended. The header's time to wait goes before one in the body. */
  decode(dialect: Dialect): ErrorData {
    const error = dialect.decodeError(this.#status, this.#body.take())
    return { ...error, retryAfterMs: this.#retryAfterMs ?? error.retryAfterMs }
  }
}
