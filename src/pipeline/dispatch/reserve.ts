// The budgets of a request: found once, and reserved in before each attempt, at the price of its target. An attempt that no budget can pay
// is not sent; another target may be cheaper.
import { type BudgetRefusal, type BudgetSet, type Reserved } from '../../accounts/budgets/types.js'
import { GatewayError } from '../../errors.js'
import { type Target, targetName } from '../../model/target.js'
import { readTier } from '../../model/usage.js'
import { type RequestFacts } from '../../protocols/contract/protocol.js'
import { type DecodedRequest } from '../../protocols/contract/request-task.js'
import { type RouteTarget } from '../../routing/router.js'
import { type Attempt } from '../attempt/attempt.js'
import { type PipelineContext } from '../context.js'
import { costsNothing, maxOutputOf, ratesFor } from '../delivery/cost.js'
import { acceptedBy, type ExchangeIn, type ExchangeView } from '../exchange.js'
import { type Asked, amountFor, boundOf, payableOutput } from '../spending/bound.js'
import { trustedUserOf } from '../spending/end-user.js'
import { Hold } from '../spending/hold.js'
import { Learned, type ModelUse } from '../spending/learned.js'
import { readRefusedCap } from '../spending/refused-cap.js'

/** Less than this is no answer; it is also the least that a provider's API accepts as a cap. */
const LEAST_OUTPUT = 16
/** No model writes more in one answer: a greater cap of a client must not hold all of a budget. */
const MOST_OUTPUT = 131_072
/** A large one of high quality, at the vendor with tokens for images (platform.openai.com, image generation). */
const IMAGE_TOKENS = 8192
/** No codec for speech has a lower rate that people use: 4 kbit/s. */
const LEAST_AUDIO_BYTES_PER_SEC = 500
/** No model has a larger context. */
const MOST_CONTEXT = 10_000_000
/** Caps that one target may reject of one request: half of the last one, where it does not say what it accepts. */
const MOST_TRIES = 4
/** What runs unseen is capped by what is reserved for it, so it gets more than usual, and never so little that a long answer is cut. */
const UNSEEN_FACTOR = 4
const LEAST_UNSEEN = 16_384
const LEAST_THOUGHT = 32_768

/**
 * The budgets that hold for a request; null for none, and for one that costs the operator nothing.
 * @throws forbidden for a request of unknown meaning under a budget in dollars
 */
export function budgetsFor(exchange: ExchangeView, { facts }: DecodedRequest): BudgetSet | null {
  const { budgets = null } = exchange.context
  if (budgets === null || costsNothing(exchange)) return null
  const { key } = exchange.request
  const set = budgets.desk.budgetsOf({
    owner: key.owner,
    accountIndex: key.account === undefined ? -1 : key.index,
    model: facts.model,
    user: trustedUserOf(exchange),
  })
  if (set?.countsMoney === true && facts.raw !== undefined) {
    throw new GatewayError('forbidden', {
      message: 'A budget in dollars holds for this key, so it cannot use paths whose cost is not known beforehand.',
    })
  }
  return set
}

/**
 * Reserves for one attempt. A promise where other nodes have to be asked what is left.
 * @throws budget_exceeded; storage_unavailable where the budgets are not known at present
 * @throws misconfigured for a target without a price, where one is needed
 */
export function reserve(exchange: ExchangeView, budgets: BudgetSet, routed: RouteTarget): Hold | Promise<Hold> {
  const { target } = routed
  const rates = ratesFor(exchange, routed)
  if (budgets.countsMoney && rates === null) {
    const name = targetName(target.provider, target.model)
    throw new GatewayError('misconfigured', {
      message: `No price is known for ${name}; a budget in dollars holds for this request, so it needs a model with a price.`,
    })
  }
  const use = (exchange.context.budgets?.learned ?? new Learned()).of(target)
  const estimatedTokens = exchange.decoded?.estimatedTokens ?? 0
  const bound = boundOf(rates, Math.ceil(estimatedTokens * use.inputRatio), askedOf(exchange, target, use))
  const output = outputOf(exchange, routed, { use, inputTokens: bound.inputTokens })
  const { least, wanted } = output
  const holdOf = (granted: Reserved): Hold => {
    if (granted.refused) throw refusal(granted)
    const cap = capOf(output, payableOutput(bound, granted.held))
    const stepTokens = output.isVisible ? use.usualOutput : null
    return new Hold({ reservation: granted, rates, use, estimatedTokens, cap, bound, stepTokens })
  }
  const granted = budgets.reserve(amountFor(bound, least), amountFor(bound, wanted))
  return granted instanceof Promise ? granted.then(holdOf) : holdOf(granted)
}

/**
 * What it may use besides tokens. A class of service counts if it is asked for, or if the provider has served this model with it before:
 * only the provider knows what its account has by default.
 */
function askedOf({ decoded, requestBytes }: ExchangeView, { extraBody }: Target, { serviceTiers }: ModelUse): Asked {
  const { serviceTier, endpoint } = decoded?.facts ?? NO_FACTS
  const asked = serviceTier ?? readTier(extraBody.service_tier)
  return {
    serviceTiers: asked === null ? serviceTiers : [...serviceTiers, asked],
    images: endpoint?.images ?? 0,
    audioSeconds: endpoint?.hearsAudio === true ? Math.ceil(requestBytes / LEAST_AUDIO_BYTES_PER_SEC) : 0,
  }
}

const NO_FACTS: Partial<RequestFacts> = Object.freeze({})

type Output = {
  /** Output tokens without which the attempt is not sent. */
  readonly least: number
  /** What it is expected to need. */
  readonly wanted: number
  readonly answers: number
  /** The client's, on each answer. */
  readonly clientCap: number
  /** The target rejects a greater one. */
  readonly mostCap: number
  /** What it costs can be counted while it runs. */
  readonly isVisible: boolean
}

type Known = { readonly use: ModelUse; readonly inputTokens: number }

/** Of all answers together. */
function outputOf(exchange: ExchangeView, routed: RouteTarget, known: Known): Output {
  const { decoded, context, request } = exchange
  const { target } = routed
  const facts = decoded?.facts
  const images = facts?.endpoint?.images ?? 0
  if (images > 0) return { ...NO_OUTPUT, wanted: Math.max(known.use.usualOutput, images * IMAGE_TOKENS) }
  if (facts === undefined || facts.endpoint?.isText === false) return NO_OUTPUT
  const answers = facts.answers ?? 1
  const clientCap = facts.maxOutputTokens ?? Number.POSITIVE_INFINITY
  const isOther =
    facts.endpoint !== undefined || facts.raw !== undefined || request.surface.upstreamFrames !== undefined
  const isStream = facts.stream && !isOther
  const isThinking = hidesThinking(context, target)
  const isVisible = isStream && answers === 1 && !isThinking
  const tokenCap = request.key.token?.maxOutputTokens ?? MOST_OUTPUT
  const { most: modelMost, mostCap } = limitsOf(exchange, routed, known)
  const most = Math.min(clientCap, tokenCap, modelMost)
  const { usualOutput } = known.use
  const unseen = Math.max(usualOutput * UNSEEN_FACTOR, isThinking ? LEAST_THOUGHT : LEAST_UNSEEN)
  const usual = isVisible ? usualOutput : Math.min(unseen, mostCap)
  // What runs unseen can use all of the cap that the client has set, or of what the target accepts.
  const wanted = isVisible || facts.maxOutputTokens === null ? Math.min(most, usual) : Math.min(most, mostCap)
  const least = Math.min(clientCap, LEAST_OUTPUT)
  return { least: least * answers, wanted: wanted * answers, answers, clientCap, mostCap, isVisible }
}

type OutputLimits = {
  /** Of one answer. */
  readonly most: number
  /** A cap that the target accepts; never above `most`. */
  readonly mostCap: number
}

/** As the configuration, the price list and what the provider has rejected so far say. */
function limitsOf(exchange: ExchangeView, routed: RouteTarget, { use, inputTokens }: Known): OutputLimits {
  const { target } = routed
  const context = Math.min(target.contextTokens ?? MOST_CONTEXT, use.context ?? MOST_CONTEXT)
  // A list may be behind: it does not lower a cap that the client has set.
  const isUncapped = (exchange.decoded?.facts.maxOutputTokens ?? null) === null
  const told = isUncapped ? maxOutputOf(exchange, routed) : target.maxOutputTokens
  const modelMost = Math.min(told ?? MOST_OUTPUT, use.mostOutput ?? MOST_OUTPUT)
  const most = Math.min(modelMost, context, MOST_OUTPUT)
  // Providers reject a cap that does not fit into the context behind the input. The bound of the input is often above what they count.
  const room = Math.max(context - inputTokens, Math.floor(context / 2))
  const accepted = acceptedBy(exchange, target)?.tokens ?? MOST_OUTPUT
  return { most, mostCap: Math.min(most, room, use.mostCap ?? MOST_OUTPUT, accepted) }
}

/** Of what is thought nothing can be counted before the end. */
function hidesThinking({ dialects }: PipelineContext, target: Target): boolean {
  return target.thinks === true && dialects.get(target.protocol)?.hidesThinking?.(target) === true
}

const NO_OUTPUT: Output = Object.freeze({
  ...{ least: 0, wanted: 0, answers: 1 },
  ...{ clientCap: 0, mostCap: 0, isVisible: false },
})

/**
 * The cap to send for each answer; null for none. A stream with all that it wanted is counted while it runs, and needs no cap that its
 * client has not set.
 */
function capOf({ wanted, answers, clientCap, mostCap, isVisible }: Output, payable: number): number | null {
  if (isVisible && payable >= wanted) return null
  const cap = Math.min(Math.floor(payable / answers), mostCap)
  return cap < clientCap ? cap : null
}

export type Rejected = {
  readonly attempt: Attempt | null
  readonly routed: RouteTarget
  readonly failure: GatewayError
}

/**
 * The target has rejected the gateway's own cap because its model writes less, or has less room: that is remembered, and the same request
 * is sent again with a cap that it accepts. False where the cap was the client's.
 */
export function hasRejectedCap(
  exchange: ExchangeIn<'dispatch'>,
  { facts }: DecodedRequest,
  { attempt, routed, failure }: Rejected,
): boolean {
  const sent = attempt?.outputCap ?? null
  if (sent === null || sent >= (facts.maxOutputTokens ?? Number.POSITIVE_INFINITY)) return false
  const refused = readRefusedCap(failure.data, sent)
  const tries = acceptedBy(exchange, routed.target)?.tries ?? 0
  if (refused === null || tries >= MOST_TRIES) return false
  exchange.context.budgets?.learned.of(routed.target).noteRefusedCap(refused)
  exchange.accepted = { target: routed.target, tokens: refused.next, tries: tries + 1 }
  return true
}

/** What is reserved cannot be told, or not be written down. */
export function budgetsUnavailable(): GatewayError {
  return new GatewayError('storage_unavailable', { message: 'The budgets are not available.', retryable: true })
}

function refusal({ budget, resetsAtMs, isUnavailable, isLasting, isCrowded }: BudgetRefusal): GatewayError {
  if (isLasting === true) {
    const message = `The budget ${budget} cannot be held with the present configuration of the gateway.`
    return new GatewayError('storage_unavailable', { message })
  }
  if (isUnavailable) return budgetsUnavailable()
  const until = resetsAtMs === null ? '' : ` It resets at ${new Date(resetsAtMs).toISOString()}.`
  if (isCrowded === true) {
    const message = `The budget ${budget} has as many end users as it can tell apart, and this one is not among them.${until}`
    return new GatewayError('budget_exceeded', { message })
  }
  return new GatewayError('budget_exceeded', {
    message: `The budget ${budget} has too little left for this request.${until}`,
  })
}
