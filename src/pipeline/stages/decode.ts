// Bytes to a validated request: parse, check, find the members' spans. Small bodies inline, large ones in the pool;
// offload decides which, the result is the same.
import { type DecodedBody } from '../../protocols/contract/envelope.js'
import { type ExchangeView } from '../exchange.js'

/** @throws invalid_request with `param`; overloaded when the pool is full, stuck or dead */
export function decode(exchange: ExchangeView): DecodedBody | Promise<DecodedBody> {
  return exchange.context.offload.decode(exchange.request.surface.id, exchange.body)
}
