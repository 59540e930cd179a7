// Answers a request with its number of input tokens, in place of running it: the estimate by which limits are charged, since no provider
// is asked. The model must be one that the key may use.
import { GatewayError } from '../../errors.js'
import { type DecodedRequest } from '../../protocols/contract/request-task.js'
import { type AnswerOutcome, reply, resultAnswer } from '../delivery/answer.js'
import { routeOf } from '../dispatch/dispatch.js'
import { type ExchangeIn } from '../exchange.js'

const COMPLETE: AnswerOutcome = Object.freeze({ outcome: 'complete', cause: null })
/** Says that the number is an estimate. */
const ESTIMATED = ['x-sluice-estimated', 'input_tokens'] as const

/** @throws model_not_found, forbidden, invalid_request */
export function count(exchange: ExchangeIn<'dispatch'>, decoded: DecodedRequest): void {
  routeOf(exchange, decoded)
  const { encodeCount } = exchange.request.surface
  if (encodeCount === undefined)
    throw new GatewayError('internal', { cause: new Error('a surface that does not count') })
  const answer = resultAnswer(exchange, Buffer.from(JSON.stringify(encodeCount(decoded.estimatedTokens))))
  reply(exchange, { ...answer, headers: [...answer.headers, ESTIMATED] }, COMPLETE)
}
