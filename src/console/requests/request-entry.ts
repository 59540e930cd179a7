// A request that has ended, as GET /admin/v1/requests lists it, and how the screens say it.

export type Try = {
  readonly target: string
  readonly result: string
  readonly code?: string
  readonly status?: number | null
  readonly message?: string
  readonly ms: number
}

export type RequestEntry = {
  /** Its body is kept. */
  readonly hasBody?: boolean
  readonly id: string
  readonly endedAt: string
  readonly node: string
  readonly loop: number
  readonly key: string | null
  readonly surface: string
  readonly transport: string
  readonly model: string | null
  readonly target: string | null
  readonly outcome: string
  readonly status: number
  readonly finish: string | null
  readonly tokens: { readonly in: number; readonly out: number; readonly cached: number; readonly reasoning: number }
  readonly ttftMs: number | null
  readonly totalMs: number
  readonly overheadMs: number | null
  readonly queueMs?: number
  readonly connectMs?: number
  readonly settleMs?: number
  readonly attempts: number
  readonly cost?: number
  readonly error?: { readonly code: string; readonly message: string; readonly upstreamStatus?: number }
  readonly tries?: readonly Try[]
  readonly [member: string]: unknown
}

/** One span of the waterfall, in ms from the acceptance of the request. */
export type Span = { readonly name: string; readonly fromMs: number; readonly toMs: number; readonly kind: string }

/**
 * What a request spent its time with. The gateway's own time is not all at the beginning, but it is there that one looks for it, but for
 * what came after the provider's last byte; attempts that failed are laid one after the other before the first token.
 */
export function spansOf(entry: RequestEntry): Span[] {
  const { overheadMs, queueMs = 0, connectMs = 0, settleMs = 0, ttftMs, totalMs, tries = [] } = entry
  const queued = Math.min(queueMs, totalMs)
  // The times in the queue and after the last byte are parts of it.
  const own = Math.min(Math.max((overheadMs ?? 0) - settleMs, queued), totalMs)
  const spans: Span[] = []
  if (queued > 0) spans.push({ name: 'Waiting for a slot', fromMs: 0, toMs: queued, kind: 'wait' })
  if (own > queued) spans.push({ name: 'Gateway', fromMs: queued, toMs: own, kind: 'own' })
  const ended = Math.max(totalMs - settleMs, own)
  const first = Math.min(ttftMs ?? ended, ended)
  let fromMs = own
  for (const { target, result, ms } of tries.slice(0, -1)) {
    const toMs = Math.min(fromMs + ms, first)
    spans.push({ name: `${target}: ${result}`, fromMs, toMs, kind: 'failed' })
    fromMs = toMs
  }
  const connected = Math.min(fromMs + connectMs, first)
  if (connected > fromMs) spans.push({ name: 'Connecting', fromMs, toMs: connected, kind: 'wait' })
  fromMs = connected
  if (first > fromMs)
    spans.push({ name: ttftMs === null ? 'Without a token' : 'To the first token', fromMs, toMs: first, kind: 'wait' })
  if (ended > first) spans.push({ name: 'Tokens', fromMs: first, toMs: ended, kind: 'tokens' })
  if (totalMs > ended) spans.push({ name: 'To the client', fromMs: ended, toMs: totalMs, kind: 'settle' })
  return spans
}

/** Tokens that came after the first one, for each second of them; null where that says nothing. */
export function rateOf({ tokens, ttftMs, totalMs }: RequestEntry): number | null {
  const streamedMs = ttftMs === null ? 0 : totalMs - ttftMs
  return tokens.out < 2 || streamedMs <= 0 ? null : ((tokens.out - 1) * 1000) / streamedMs
}

/** How the row looks: what is no fault of anybody, what is the client's or a limit's, what must be looked at. */
export function markOf({ outcome, status }: Pick<RequestEntry, 'outcome' | 'status'>): string {
  if (outcome === 'complete') return 'fine'
  return status < LEAST_FAULT && !FAULTS.has(outcome) ? 'noted' : 'bad'
}

/** As in the API's filter `failed`. */
const FAULTS: ReadonlySet<string> = new Set(['upstream_cut', 'stalled', 'failed', 'drained'])
const LEAST_FAULT = 500

/** In the address of the page, in the place of one outcome: all those that must be looked at. */
export const ANY_FAILURE = 'failures'
