// The stages of a request, as drawn in src/README.md, each in its own file. `isEnded` is checked after each await: the client may have left.
import { toGatewayError } from '../errors.js'
import { limitHeaders } from '../limit/headers.js'
import { type ClientRequest, type ExchangeHandle, type Pipeline } from './client.js'
import { type PipelineContext } from './context.js'
import { startKeepalive } from './delivery/keepalive.js'
import { fail, reject } from './delivery/reject.js'
import { RepeatedAnswers } from './delivery/repeated-answers.js'
import { dispatch } from './dispatch/dispatch.js'
import { Exchange, type SettleHook } from './exchange.js'
import { OpenExchanges } from './open-exchanges.js'
import { createOutsideEnds, type OutsideEnds } from './outside-ends.js'
import { settle } from './settle.js'
import { type Sink } from './sink.js'
import { admitRequest, admitTokens } from './stages/admit.js'
import { createAuthenticate, createRenew } from './stages/authenticate.js'
import { count } from './stages/count.js'
import { applyDefaults, applyPathFacts, decode } from './stages/decode.js'
import { share } from './stages/share.js'
import { takeTurn } from './stages/take-turn.js'

export type DrainablePipeline = Pipeline & Omit<OutsideEnds, 'endAtOnce'>

/** Joins the stages over one event loop's parts. */
export function createPipeline(context: PipelineContext): DrainablePipeline {
  const open = new OpenExchanges<Exchange>()
  const { endAll, endOf, endOfClosedAccounts, endAtOnce } = createOutsideEnds(open, context.accounts)
  const answers = new RepeatedAnswers()
  const onSettle: SettleHook = (exchange, ending) => {
    open.remove(exchange)
    exchange.request.sharing?.ended()
    settle(exchange, ending)
  }
  return {
    openCount: () => open.size,
    listOpen: () => open.list(),
    endAll,
    endOf,
    endOfClosedAccounts,
    authenticate: createAuthenticate(context.config, context),
    renew: createRenew(context.config, context),
    limitHeaders: (key) => limitHeaders(context.limiter.snapshot(key.index)),
    start(request: ClientRequest, sink: Sink): ExchangeHandle {
      const exchange = new Exchange(request, sink, context, onSettle)
      open.add(exchange)
      context.metrics.exchangeStarted()
      if (!endAtOnce(exchange)) void run(exchange)
      return exchange
    },
    reject: (rejection, sink) => reject(rejection, sink, { context, answers }),
  }
}

/** Never rejects: anything thrown becomes the exchange's one error answer. */
async function run(exchange: Exchange): Promise<void> {
  try {
    const wait = admitRequest(exchange) //                               429, 503
    const early = wait === null ? null : await takeTurn(exchange, wait)
    if (exchange.isEnded) return
    const decoding = early ?? decode(exchange) //                        400; inline or in a worker
    const ofBody = decoding instanceof Promise ? await decoding : decoding
    if (exchange.isEnded) return
    exchange.body = ofBody.body
    const request = applyDefaults(exchange, applyPathFacts(ofBody, exchange.request.path ?? null))
    exchange.decoded = request
    if (exchange.request.path?.counts === true) return await count(exchange, request) // by a provider or an estimate
    if (request.facts.stream) startKeepalive(exchange)
    const { sharing } = exchange.request
    if (sharing && (await share(exchange, sharing, request))) return //  answered by another's stream, or from the cache
    const tokens = admitTokens(exchange, request.facts, request.estimatedTokens)
    if (tokens !== null) await tokens //                                 429
    if (exchange.isEnded) return
    await dispatch(exchange, request) //                                 404, 403, 502, 503, 504; chunks follow by callbacks
  } catch (thrown) {
    fail(exchange, toGatewayError(thrown))
  }
}
