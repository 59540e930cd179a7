// What is fetched of the URLs in one request, for targets that take only bytes: all at once, each URL once, never more than a
// request may have. It holds their memory until the exchange needs no body any more; then it also ends the fetches.
import { GatewayError } from '../errors.js'
import { type Attachment } from '../protocols/fit/attach.js'
import { type FetchEach, type Fetching, type PipelineContext, type Reservation } from './context.js'

const NONE: readonly Attachment[] = Object.freeze([])

/** The request and its key, for log and budget. */
export type AttachmentsOf = { readonly requestId: string; readonly key: { readonly index: number } }

/** The attachments of one exchange. */
export class Attachments {
  readonly #context: PipelineContext
  readonly #fetching: Fetching
  readonly #of: AttachmentsOf
  #known = NONE
  #reservations: Reservation[] = []
  #leaving: AbortController | null = null
  #refusal: GatewayError | null = null

  constructor(context: PipelineContext, fetching: Fetching, of: AttachmentsOf) {
    this.#context = context
    this.#fetching = fetching
    this.#of = of
  }

  /** The results so far; those that could not be fetched are included, without a source. */
  get known(): readonly Attachment[] {
    return this.#known
  }

  /** There was no room for them; no other target needs less. */
  get refusal(): GatewayError | null {
    return this.#refusal
  }

  /**
   * Fetches all at once, since their times would add up otherwise. A failed fetch does not reject.
   * @throws rate_limited, overloaded if there is no room; then nothing is held
   */
  async fetch(urls: readonly string[], withinMs: number): Promise<void> {
    const { maxCount, timeoutMs } = this.#context.config.content.fetch
    this.#leaving ??= new AbortController()
    const { signal } = this.#leaving
    const left = maxCount - this.#known.length
    const options = { signal, timeoutMs: Math.min(timeoutMs, withinMs) }
    try {
      const fetched = await Promise.all(
        urls.map((url, i) => (i < left ? this.#fetchOne(url, options) : { url, source: null })),
      )
      if (!signal.aborted) this.#known = [...this.#known, ...fetched]
    } catch (refusal) {
      this.drop()
      throw refusal
    }
  }

  /** Ends the fetches and releases the memory, when no content is needed any more. Idempotent. */
  drop(): void {
    this.#leaving?.abort()
    this.#leaving = null
    this.#known = NONE
    for (const reservation of this.#reservations) reservation.release()
    this.#reservations = []
  }

  async #fetchOne(url: string, options: Omit<FetchEach, 'room'>): Promise<Attachment> {
    const room = this.#fetching.reserve(this.#of.key.index)
    this.#reservations.push(room)
    try {
      const { mediaType, base64 } = await this.#fetching.fetch(url, { ...options, room })
      return { url, source: { kind: 'base64', mediaType, base64 } }
    } catch (thrown) {
      room.release()
      if (options.signal.aborted) return { url, source: null }
      if (thrown instanceof GatewayError) {
        this.#refusal = thrown
        throw thrown
      }
      const reason = thrown instanceof Error ? thrown.message : String(thrown)
      this.#context.log.warn({ id: this.#of.requestId, host: hostOf(url), reason }, 'attachment fetch failed')
      return { url, source: null }
    }
  }
}

/** The rest of an address may be a secret. */
function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : ''
}
