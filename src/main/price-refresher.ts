// Downloads the price list where the configuration names a URL: at start and then at intervals, asking only for what has changed. A
// list that is damaged, or that the guard refuses, never replaces the one in use. The new one is written beside the data of the
// process, and a reload reads it from there, as a restart without network does.
//
//   fetch (ETag) > read > guard against the list in use > file, atomically > reload of all event loops
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type PriceReport } from '../gateway/announce.js'
import { type JsonValue } from '../model/json.js'
import { refusalOf } from '../prices/guard.js'
import { readPrices } from '../prices/read-prices.js'
import { type PricesConfig } from '../prices/types.js'

/** Of one download. */
const TIMEOUT_MS = 30_000
/** Several times the largest list on offer. */
const MAX_BYTES = 16_777_216
const NOT_MODIFIED = 304

export type PriceRefresherOptions = {
  /** Those that are in use now. */
  readonly prices: () => PricesConfig
  /** There is a new file. */
  readonly onRefreshed: () => void
  readonly tell: (report: PriceReport) => void
  /** Unix ms. */
  readonly nowMs: () => number
}

/** The refreshes of one process. */
export class PriceRefresher {
  readonly #options: PriceRefresherOptions
  readonly #stopping = new AbortController()
  #timer: NodeJS.Timeout | null = null
  /** Of the list that was written last; null before. */
  #etag: string | null = null
  /** Where it came from: another URL has other tags. */
  #etagUrl: string | null = null

  constructor(options: PriceRefresherOptions) {
    this.#options = options
  }

  /** Refreshes now, and then at the intervals that the configuration has by then. Never rejects. */
  async start(): Promise<void> {
    const { enabled, url, refreshMs } = this.#options.prices()
    if (enabled && url !== null) this.#options.tell(await this.refresh(url))
    if (this.#stopping.signal.aborted) return
    this.#timer = setTimeout(() => void this.start(), refreshMs)
    this.#timer.unref()
  }

  /** No further download; a running one is abandoned. */
  stop(): void {
    this.#stopping.abort()
    if (this.#timer !== null) clearTimeout(this.#timer)
  }

  /** One download. Never rejects. */
  async refresh(url: string): Promise<PriceReport> {
    try {
      const found = await this.#download(url)
      if (found === null) return { result: 'unchanged' }
      const { table, cache } = this.#options.prices()
      const next = readPrices(JSON.parse(found.text) as JsonValue, url)
      const refusal = table === null ? null : refusalOf(next, table, this.#options.nowMs())
      if (refusal !== null) return { result: 'rejected', reason: refusal }
      await replaceFile(cache, found.text)
      this.#etag = found.etag
      this.#etagUrl = url
      this.#options.onRefreshed()
      return { result: 'refreshed' }
    } catch (thrown) {
      return { result: 'rejected', reason: reasonOf(thrown) }
    }
  }

  /** Null if it has not changed. */
  async #download(url: string): Promise<{ readonly text: string; readonly etag: string | null } | null> {
    const isKnown = this.#etag !== null && this.#etagUrl === url
    const response = await fetch(url, {
      headers: isKnown ? { 'if-none-match': this.#etag ?? '' } : {},
      signal: AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(TIMEOUT_MS)]),
    })
    if (response.status === NOT_MODIFIED && isKnown) return null
    if (!response.ok || response.body === null)
      throw new TypeError(`The server answered with status ${response.status}.`)
    const chunks: Uint8Array[] = []
    let bytes = 0
    for await (const chunk of response.body) {
      bytes += chunk.length
      if (bytes > MAX_BYTES) throw new TypeError(`The list is larger than ${MAX_BYTES} bytes.`)
      chunks.push(chunk)
    }
    return { text: Buffer.concat(chunks).toString(), etag: response.headers.get('etag') }
  }
}

/** Whole or not at all. */
async function replaceFile(path: string, text: string): Promise<void> {
  const draft = `${path}.${process.pid}.new`
  await mkdir(dirname(path), { recursive: true })
  await writeFile(draft, text)
  await rename(draft, path)
}

/** `fetch` hides the reason of a network error in its cause. */
function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown)
  return thrown.cause instanceof Error ? `${thrown.message}: ${thrown.cause.message}` : thrown.message
}
