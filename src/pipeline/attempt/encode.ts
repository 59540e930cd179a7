// The body of an attempt. If the gateway may fetch content by URL and the target accepts only bytes, encoding is two steps with a
// fetch in between; without that option nothing is awaited.
//
//   encode -> wanted: [urls] -> fetched, all at once, until the client leaves -> encode again -> body

import { type EncodedRequestBody } from '../../protocols/contract/envelope.js'
import { type DecodedRequest } from '../../protocols/contract/request-task.js'
import { type ExchangeIn } from '../exchange.js'
import { type Attempt } from './attempt.js'

/**
 * @throws invalid_request for content that the target does not accept, fetched or not
 * @throws rate_limited, overloaded if there is no room for what would be fetched
 */
export function encode(
  exchange: ExchangeIn<'attempt'>,
  attempt: Attempt,
  decoded: DecodedRequest,
): EncodedRequestBody | Promise<EncodedRequestBody> {
  const encoding = attempt.encode(decoded)
  return exchange.attachments === null ? encoding : encodeFetched(exchange, attempt, { decoded, encoding })
}

type Encoding = {
  readonly decoded: DecodedRequest
  readonly encoding: EncodedRequestBody | Promise<EncodedRequestBody>
}

async function encodeFetched(
  exchange: ExchangeIn<'attempt'>,
  attempt: Attempt,
  { decoded, encoding }: Encoding,
): Promise<EncodedRequestBody> {
  const encoded = await encoding
  const { attachments, context, deadlineAtMs } = exchange
  // Without attachments, another attempt has answered meanwhile.
  if (encoded.wanted === undefined || attachments === null) return encoded
  exchange.body = encoded.original
  if (exchange.isEnded) return encoded
  const startedAtMs = context.clock.nowMs()
  await attachments.fetch(encoded.wanted, deadlineAtMs - startedAtMs)
  exchange.upstreamSpentMs += context.clock.nowMs() - startedAtMs
  // The caller checks `isEnded` before it would send the empty body.
  return exchange.isEnded || exchange.attachments === null ? encoded : attempt.makeBody(decoded)
}
