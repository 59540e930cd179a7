// The body of an attempt. Where the gateway may fetch what clients name by URL, and the target takes only bytes, making it is
// two steps with a fetch between them; without that option nothing is awaited and nothing is asked.
//
//   encode -> wanted: [urls] -> fetched, all at once, until the client leaves -> encode again -> body

import { type DecodedRequest } from '../../protocols/contract/codec.js'
import { type EncodedRequestBody } from '../../protocols/contract/envelope.js'
import { type Attachment } from '../../protocols/fit/attach.js'
import { type ExchangeIn } from '../exchange.js'
import { type Attempt } from './attempt.js'

/** @throws invalid_request for content that the target does not take, fetched or not */
export function encode(
  exchange: ExchangeIn<'attempt'>,
  attempt: Attempt,
  decoded: DecodedRequest,
): EncodedRequestBody | Promise<EncodedRequestBody> {
  const encoding = attempt.encode(decoded)
  return exchange.context.fetchAttachment === null ? encoding : encodeFetched(exchange, attempt, { decoded, encoding })
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
  if (encoded.wanted === undefined) return encoded
  exchange.body = encoded.original
  if (exchange.isEnded) return encoded
  const fetched = await fetchAll(exchange, encoded.wanted)
  exchange.attachments = [...(exchange.attachments ?? []), ...fetched]
  // Whoever asked looks at `isEnded` before the empty body could be sent.
  return exchange.isEnded ? encoded : attempt.makeBody(decoded)
}

/** One after the other would add up their times. Never rejects: what has not come is known by its null. */
async function fetchAll(exchange: ExchangeIn<'attempt'>, wanted: readonly string[]): Promise<readonly Attachment[]> {
  const { context, request, deadlineAtMs } = exchange
  const { config, clock, fetchAttachment, log } = context
  const { maxCount, timeoutMs } = config.content.fetch
  const startedAtMs = clock.nowMs()
  const leaving = new AbortController()
  exchange.onCancel = () => leaving.abort()
  const withinMs = Math.min(timeoutMs, deadlineAtMs - startedAtMs)
  const fetched = await Promise.all(
    wanted.map(async (url, i): Promise<Attachment> => {
      if (i >= maxCount || fetchAttachment === null) return { url, source: null }
      try {
        const { mediaType, base64 } = await fetchAttachment(url, leaving.signal, withinMs)
        return { url, source: { kind: 'base64', mediaType, base64 } }
      } catch (thrown) {
        const reason = thrown instanceof Error ? thrown.message : String(thrown)
        if (!leaving.signal.aborted)
          log.warn({ id: request.requestId, host: hostOf(url), reason }, 'attachment fetch failed')
        return { url, source: null }
      }
    }),
  )
  if (!exchange.isEnded) exchange.onCancel = null
  exchange.upstreamSpentMs += clock.nowMs() - startedAtMs
  return fetched
}

/** The rest of an address may be a secret. */
function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : ''
}
