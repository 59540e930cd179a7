// The state of one attempt: its target, its times, what arrived and what of that the client sees. Only its attempt writes it; all
// others read the current one, `exchange.current`. A hedge that wins is one assignment.
import { NO_USAGE, type Usage, type UsageSource } from '../model/usage.js'
import { type Framing } from '../protocols/contract/protocol.js'
import { type RouteTarget } from '../routing/router.js'
import { type Meter } from './relay/types.js'

export class AttemptState {
  /** Null before the first attempt alone. */
  readonly routed: RouteTarget | null
  readonly metricsSlot: number
  /** Fields of the request that the target cannot carry. */
  dropped: readonly string[] = []
  /** How the upstream frames its stream, where its own frames reach the client; else null. */
  framing: Framing | null = null
  /** Status and content type of a whole answer that reaches the client as the upstream gave it; else null. */
  wholeHead: { readonly status: number; readonly contentType: string } | null = null
  /** The JSON body with which the upstream refused, where the client may see it. */
  refusalBody: Uint8Array | null = null
  /** The upstream's own name of the request; null before it has answered, and where it gives none. */
  upstreamRequestId: string | null = null
  /** Counts what comes; null before the upstream has answered. */
  meter: Meter | null = null
  usage: Usage = NO_USAGE
  usageSource: UsageSource = 'estimated'
  /** Monotonic ms: the request was sent, its first token came, its last byte came. */
  startedAtMs: number | null = null
  firstTokenAtMs: number | null = null
  endedAtMs: number | null = null

  constructor(routed: RouteTarget | null, metricsSlot: number) {
    this.routed = routed
    this.metricsSlot = metricsSlot
  }
}

export type AttemptView = Readonly<AttemptState>

/** Before any attempt. */
export const NO_ATTEMPT: AttemptView = Object.freeze(new AttemptState(null, 0))

/** Time between sending and the last byte, in ms; 0 before both. */
export function spentMs({ startedAtMs, endedAtMs }: AttemptView): number {
  return startedAtMs === null || endedAtMs === null ? 0 : endedAtMs - startedAtMs
}
