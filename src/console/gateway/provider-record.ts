// A provider as GET /admin/v1/providers lists it, and how the screens say how it does.

export type ProviderRecord = {
  readonly name: string
  readonly protocol: string
  readonly breaker: 'closed' | 'half-open' | 'open'
  readonly paused: boolean
  readonly windowMs: number
  readonly attempts: number
  readonly failed: number
  readonly errorShare: number | null
  readonly rateLimited: number
  readonly firstTokenMs: { readonly p50: number | null; readonly p95: number | null }
}

/** `closed`: nothing is wrong. `failing`: most attempts fail, though some target's breaker lets them through; `errors`: some do. */
export type ProviderState = 'paused' | 'open' | 'half-open' | 'failing' | 'errors' | 'closed'

type Health = Pick<ProviderRecord, 'paused' | 'breaker' | 'attempts' | 'errorShare'>

/** One error or two may be anything. */
const LEAST_ATTEMPTS = 3
const FAILING_SHARE = 0.5
/** Below it there are always some. */
const ERRORS_SHARE = 0.1
const WORDS = {
  ...{ open: 'breaker open', 'half-open': 'breaker half-open', failing: 'failing', errors: 'some errors' },
  closed: 'healthy',
}

/** How it does, for its look: the worst that is true of it. */
export function providerState({ paused, ...health }: Health): ProviderState {
  return paused ? 'paused' : stateOf(health)
}

/** The same in words: `paused (breaker open)`. */
export function providerWords({ paused, ...health }: Health): string {
  const words = WORDS[stateOf(health)]
  return paused ? `paused (${words})` : words
}

function stateOf({ breaker, attempts, errorShare }: Omit<Health, 'paused'>): Exclude<ProviderState, 'paused'> {
  if (breaker !== 'closed') return breaker
  if (attempts < LEAST_ATTEMPTS || errorShare === null || errorShare < ERRORS_SHARE) return 'closed'
  return errorShare >= FAILING_SHARE ? 'failing' : 'errors'
}
