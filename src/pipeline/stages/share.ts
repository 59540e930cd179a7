// Shares answers: before a request runs, its desk decides whether it is answered from what another one gets or got. Follows the right
// to the model; a request that is answered in this way reserves no tokens and reaches no provider.
//
//   desk.decide --alone | lead--> tokens, dispatch           --follow--> reads the other's log           --answer--> the same answer
import { GatewayError } from '../../errors.js'
import { type DecodedRequest } from '../../protocols/contract/request-task.js'
import { type Route } from '../../routing/router.js'
import { type ShareDesk, type SharedAnswer, type ShareSubject, type ShareVerdict } from '../client.js'
import { exchangeHeaders, reply } from '../delivery/answer.js'
import { beginAgain, followLog } from '../delivery/begin-stream.js'
import { fail } from '../delivery/reject.js'
import { routeOf } from '../dispatch/dispatch.js'
import { type ExchangeIn } from '../exchange.js'
import { waitForSlot } from './admit.js'
import { takeDecodedTurn } from './take-turn.js'

type Sharing = ExchangeIn<'share' | 'delivery' | 'admit'>

/**
 * True: the exchange is answered, or has ended; false: it runs. A request that repeats none takes its slot here.
 * @throws model_not_found, forbidden, invalid_request; after `enter` also what `waitForSlot` throws
 */
export async function share(exchange: Sharing, desk: ShareDesk, decoded: DecodedRequest): Promise<boolean> {
  const subject = subjectOf(exchange, decoded)
  let verdict = await decide(exchange, desk, subject)
  if (verdict.kind === 'enter' && !exchange.isEnded) {
    const wait = waitForSlot(exchange)
    if (wait !== null) await takeDecodedTurn(exchange, wait, decoded)
    if (!exchange.isEnded) verdict = await decide(exchange, desk, subject)
  }
  if (exchange.isEnded) return true
  if (!isAnswered(exchange, verdict)) return false
  exchange.forgetBody()
  return true
}

async function decide(exchange: Sharing, desk: ShareDesk, subject: ShareSubject): Promise<ShareVerdict> {
  const deciding = desk.decide(subject)
  if (!(deciding instanceof Promise)) return deciding
  exchange.onCancel = () => desk.ended()
  const verdict = await deciding
  exchange.onCancel = null
  return verdict
}

function subjectOf(exchange: Sharing, decoded: DecodedRequest): ShareSubject {
  const { facts } = decoded
  const route = routeOf(exchange, decoded)
  return {
    sink: exchange.sink,
    isStream: facts.stream,
    model: facts.model,
    resolvedModel: namesOf(facts.model, route),
    policy: route.sharing,
    isRepeatable: facts.raw === undefined && facts.endpoint?.isRepeatable !== false && exchange.own?.isPrivate !== true,
    prompt: exchange.prompt,
    body: exchange.body,
  }
}

/** After a reload the name may stand for others, and what they answered for it before is no longer its answer. */
function namesOf(model: string, { targets }: Route): string {
  return [model, ...targets.map(({ target }) => `${target.provider}/${target.model}`)].join('\n')
}

function isAnswered(exchange: Sharing, verdict: ShareVerdict): boolean {
  switch (verdict.kind) {
    case 'alone':
    case 'enter':
      return false
    case 'lead':
      exchange.sink = verdict.sink
      exchange.sharedHeaders = verdict.headers
      beginAgain(exchange)
      return false
    case 'follow':
      exchange.sink = verdict.sink
      exchange.sharedHeaders = verdict.headers
      exchange.shared = verdict.shared
      exchange.borrowed = verdict.log
      beginAgain(exchange)
      followLog(exchange)
      return true
    case 'answer':
      exchange.sharedHeaders = verdict.headers
      exchange.shared = verdict.shared
      answerAs(exchange, verdict.answer)
      return true
    case 'refuse':
      throw verdict.error
  }
}

function answerAs(exchange: Sharing, answer: SharedAnswer): void {
  if ('error' in answer) {
    fail(exchange, GatewayError.of(answer.error))
    return
  }
  const { status, contentType, body } = answer
  const headers = [...exchangeHeaders(exchange), ['content-type', contentType] as const]
  reply(exchange, { status, headers, body, error: null }, { outcome: 'complete', cause: undefined })
}
