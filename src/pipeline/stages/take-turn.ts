// Waiting for the slot of a request that found none free. One whose client asks for its place in the queue is decoded meanwhile, since
// only its body says whether it streams; it is shown its place from then on.
import { type DecodedBody } from '../../protocols/contract/envelope.js'
import { asksForPlace, showPlaces } from '../delivery/queue-place.js'
import { type ExchangeIn } from '../exchange.js'
import { type SlotWait } from './admit.js'
import { applyPathFacts, decode } from './decode.js'

/**
 * Resolves once the slot is taken, with the body if it was decoded.
 * @throws rate_limited, overloaded, client_gone, and invalid_request for a body that was decoded meanwhile
 */
export async function takeTurn(
  exchange: ExchangeIn<'delivery' | 'recall'>,
  wait: SlotWait,
): Promise<DecodedBody | null> {
  if (!asksForPlace(exchange)) {
    await wait.entered
    return null
  }
  // Whichever fails first ends the exchange; the other one's failure is then of no interest.
  const [decoded] = await Promise.all([decodeInQueue(exchange, wait), wait.entered])
  return decoded
}

/** The same for a request that was decoded before. */
export async function takeDecodedTurn(
  exchange: ExchangeIn<'delivery'>,
  wait: SlotWait,
  { facts }: Pick<DecodedBody, 'facts'>,
): Promise<void> {
  if (facts.stream && asksForPlace(exchange)) showPlaces(exchange, wait.watch)
  await wait.entered
}

async function decodeInQueue(exchange: ExchangeIn<'delivery' | 'recall'>, wait: SlotWait): Promise<DecodedBody> {
  const decoded = applyPathFacts(await decode(exchange), exchange.request.path ?? null)
  if (decoded.facts.stream && !exchange.isEnded) showPlaces(exchange, wait.watch)
  return decoded
}
