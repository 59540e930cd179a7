// The budgets of a request: found once, and reserved in before each attempt, at the price of its target. An attempt that no budget can pay
// is not sent; another target may be cheaper.
import { type BudgetRefusal, type BudgetSet, type Reserved } from '../../accounts/budgets/types.js'
import { GatewayError } from '../../errors.js'
import { type Target, targetName } from '../../model/target.js'
import { type DecodedRequest } from '../../protocols/contract/request-task.js'
import { type RouteTarget } from '../../routing/router.js'
import { type PipelineContext } from '../context.js'
import { costsNothing, ratesFor } from '../delivery/cost.js'
import { type ExchangeView } from '../exchange.js'
import { amountFor, boundOf, payableOutput } from '../spending/bound.js'
import { trustedUserOf } from '../spending/end-user.js'
import { Hold } from '../spending/hold.js'
import { Learned, type ModelUse } from '../spending/learned.js'

/** Less than this is no answer; it is also the least that a provider's API accepts as a cap. */
const LEAST_OUTPUT = 16
/** No model writes more in one answer: a greater cap of a client must not hold all of a budget. */
const MOST_OUTPUT = 131_072
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
  const bound = boundOf(rates, Math.ceil(estimatedTokens * use.inputRatio))
  const output = outputOf(exchange, use, target)
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

type Output = {
  /** Output tokens without which the attempt is not sent. */
  readonly least: number
  /** What it is expected to need. */
  readonly wanted: number
  readonly answers: number
  /** The client's, on each answer. */
  readonly clientCap: number
  /** What it costs can be counted while it runs. */
  readonly isVisible: boolean
}

/** Of all answers together. */
function outputOf({ decoded, context, request }: ExchangeView, use: ModelUse, target: Target): Output {
  const facts = decoded?.facts
  if (facts === undefined || facts.endpoint?.isText === false) return NO_OUTPUT
  const answers = facts.answers ?? 1
  const clientCap = facts.maxOutputTokens ?? Number.POSITIVE_INFINITY
  const isOther =
    facts.endpoint !== undefined || facts.raw !== undefined || request.surface.upstreamFrames !== undefined
  const isStream = facts.stream && !isOther
  const isThinking = hidesThinking(context, target)
  const isVisible = isStream && answers === 1 && !isThinking
  const tokenCap = request.key.token?.maxOutputTokens ?? MOST_OUTPUT
  const most = Math.min(clientCap, tokenCap, target.contextTokens ?? MOST_OUTPUT, MOST_OUTPUT)
  const unseen = Math.max(use.usualOutput * UNSEEN_FACTOR, isThinking ? LEAST_THOUGHT : LEAST_UNSEEN)
  const usual = isVisible ? use.usualOutput : unseen
  // What runs unseen can use all of the cap that the client has set.
  const wanted = isVisible || facts.maxOutputTokens === null ? Math.min(most, usual) : most
  const least = Math.min(clientCap, LEAST_OUTPUT)
  return { least: least * answers, wanted: wanted * answers, answers, clientCap, isVisible }
}

/** Of what is thought nothing can be counted before the end. */
function hidesThinking({ dialects }: PipelineContext, target: Target): boolean {
  return target.thinks === true && dialects.get(target.protocol)?.hidesThinking?.(target) === true
}

const NO_OUTPUT: Output = Object.freeze({
  ...{ least: 0, wanted: 0, answers: 1 },
  ...{ clientCap: 0, isVisible: false },
})

/**
 * The cap to send for each answer; null for none. A stream with all that it wanted is counted while it runs, and needs no cap that its
 * client has not set.
 */
function capOf({ wanted, answers, clientCap, isVisible }: Output, payable: number): number | null {
  if (isVisible && payable >= wanted) return null
  const cap = Math.floor(payable / answers)
  return cap < clientCap ? cap : null
}

/** What is reserved cannot be told, or not be written down. */
export function budgetsUnavailable(): GatewayError {
  return new GatewayError('storage_unavailable', { message: 'The budgets are not available.', retryable: true })
}

function refusal({ budget, resetsAtMs, isUnavailable, isLasting }: BudgetRefusal): GatewayError {
  if (isLasting === true) {
    const message = `The budget ${budget} cannot be held with the present configuration of the gateway.`
    return new GatewayError('storage_unavailable', { message })
  }
  if (isUnavailable) return budgetsUnavailable()
  const until = resetsAtMs === null ? '' : ` It resets at ${new Date(resetsAtMs).toISOString()}.`
  return new GatewayError('budget_exceeded', {
    message: `The budget ${budget} has too little left for this request.${until}`,
  })
}
