// The state of one attempt: its target, its times, what has arrived, and what the client sees of that. Only its attempt writes it; all
// others read the current one, `exchange.current`. A hedge that wins is one assignment.
import { NO_USAGE, type Usage, type UsageSource } from '../model/usage.js'
import { type RouteTarget } from '../routing/router.js'
import { type Meter, type Passing } from './relay/types.js'
import { type Hold } from './spending/hold.js'

export class AttemptState {
  /** Null only before the first attempt. */
  readonly routed: RouteTarget | null
  readonly metricsSlot: number
  /** Fields of the request that the target cannot carry. */
  dropped: readonly string[] = []
  /** How the upstream's stream reaches the client if it passes unchanged; else null. */
  framing: Passing | null = null
  /** Status and content type of a whole answer, or of bytes, that reach the client unchanged; else null. */
  wholeHead: { readonly status: number; readonly contentType: string } | null = null
  /** The JSON body of the upstream's refusal, if the client may see it. */
  refusalBody: Uint8Array | null = null
  /** The upstream's own id of the request; null before it has answered, and if it sends none. */
  upstreamRequestId: string | null = null
  /** The status of the upstream's answer; null before it. */
  status: number | null = null
  /** Only of a traced request: the id under which the upstream knows the span, and what its answer says of itself. */
  spanId: string | null = null
  answerId: string | null = null
  answerModel: string | null = null
  /** Another attempt, which ran beside it, had content first. */
  isHedgeLoser = false
  /** Counts what arrives; null before the upstream has answered. */
  meter: Meter | null = null
  /** What it has reserved in the budgets of its request; null without budgets. */
  hold: Hold | null = null
  usage: Usage = NO_USAGE
  usageSource: UsageSource = 'estimated'
  /** Monotonic ms: it began, a connection was made for it (null: it took an open one), its first token came, its last byte came. */
  startedAtMs: number | null = null
  connectedAtMs: number | null = null
  firstTokenAtMs: number | null = null
  endedAtMs: number | null = null

  constructor(routed: RouteTarget | null, metricsSlot: number) {
    this.routed = routed
    this.metricsSlot = metricsSlot
  }
}

export type AttemptView = Readonly<AttemptState>

/** The state before any attempt. */
export const NO_ATTEMPT: AttemptView = Object.freeze(new AttemptState(null, 0))

/** How long it took to connect, in ms; null if no connection was made. */
export function connectMs({ startedAtMs, connectedAtMs }: AttemptView): number | null {
  return startedAtMs === null || connectedAtMs === null ? null : connectedAtMs - startedAtMs
}

/** Time between sending and the last byte, in ms; 0 before both. */
export function spentMs({ startedAtMs, endedAtMs }: AttemptView): number {
  return startedAtMs === null || endedAtMs === null ? 0 : endedAtMs - startedAtMs
}
