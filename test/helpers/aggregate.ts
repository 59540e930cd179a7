// Joins the events of a stream to a whole answer, as the gateway does for clients that do not stream.
import { Aggregator } from '../../src/model/aggregate.js'
import { type ResponseMeta, type StreamEvent } from '../../src/model/event.js'
import { type ChatResponse } from '../../src/model/response.js'

/** Fails loudly on a stream that did not finish. */
export function aggregate(events: readonly StreamEvent[], fallback: ResponseMeta): ChatResponse {
  const aggregator = new Aggregator(fallback)
  for (const event of events) aggregator.push(event)
  if (events.at(-1)?.type !== 'finish') throw new Error('the stream did not finish')
  return aggregator.response()
}
