// Answers a request with its number of input tokens, in place of running it: counted by the provider where one of the targets can, else
// the estimate by which limits are charged. The model must be one that the key may use; nothing is charged.
//
//   routeOf > a target that counts? > dispatch > its count           none, or it failed > the estimate, which says so
import { GatewayError, toGatewayError } from '../../errors.js'
import { type DecodedRequest } from '../../protocols/contract/request-task.js'
import { wireOf } from '../../protocols/contract/wire-of.js'
import { countingFacts } from '../../protocols/endpoints/endpoint.js'
import { type AnswerOutcome, reply, resultAnswer } from '../delivery/answer.js'
import { dispatch, routeOf } from '../dispatch/dispatch.js'
import { canServe } from '../dispatch/endpoint-route.js'
import { type ExchangeIn } from '../exchange.js'

const COMPLETE: AnswerOutcome = Object.freeze({ outcome: 'complete', cause: null })
/** Says that the number is an estimate. */
const ESTIMATED = ['x-sluice-estimated', 'input_tokens'] as const

/** @throws model_not_found, forbidden, invalid_request */
export async function count(exchange: ExchangeIn<'dispatch' | 'count'>, decoded: DecodedRequest): Promise<void> {
  const route = routeOf(exchange, decoded)
  const { surface } = exchange.request
  if (surface.encodeCount === undefined)
    throw new GatewayError('internal', { cause: new Error('a surface that does not count') })
  const endpoint = countingFacts(wireOf(surface))
  if (canServe(route, endpoint, exchange.context) && (await isCounted(exchange, decoded, endpoint))) return
  if (exchange.isEnded) return
  const answer = resultAnswer(exchange, Buffer.from(JSON.stringify(surface.encodeCount(decoded.estimatedTokens))))
  reply(exchange, { ...answer, headers: [...answer.headers, ESTIMATED] }, COMPLETE)
}

/** True if a provider has counted. A failure is none of the client's: it still gets a number. @throws invalid_request, our own */
async function isCounted(
  exchange: ExchangeIn<'dispatch' | 'count'>,
  decoded: DecodedRequest,
  endpoint: ReturnType<typeof countingFacts>,
): Promise<boolean> {
  const counting = { ...decoded, facts: { ...decoded.facts, stream: false, endpoint } }
  exchange.decoded = counting
  try {
    await dispatch(exchange, counting)
    return true
  } catch (thrown) {
    const { data } = toGatewayError(thrown)
    if (data.code === 'invalid_request' && data.upstreamStatus === null) throw thrown
    return false
  }
}
