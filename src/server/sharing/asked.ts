// What a request asks for as far as answers are shared: the digests by which equal ones find each other, and what its model, its headers
// and its caller allow. Plain data, which holds nothing of the request itself.
import { QUEUE_HEADER, type ShareSubject } from '../../pipeline/client.js'
import { parseCacheControl } from '../../streams/sharing/cache-control.js'
import { digestRequest } from '../../streams/sharing/digest.js'
import { type SharingRequest } from '../context.js'

/** What may be done with a request and its answer. */
export type Asked = {
  /** Of its owner's equal requests. */
  readonly digest: string
  /** It may follow another one that runs. */
  readonly follows: boolean
  /** Others may follow it. */
  readonly leads: boolean
  /** Null: it has nothing to do with the cache. */
  readonly cache: AskedCache | null
}

export type AskedCache = {
  /** Of all requests that may get the same answer. */
  readonly digest: string
  /** It may be answered from the cache, with an answer of that age; null: of any. */
  readonly isRead: boolean
  readonly maxAgeMs: number | null
  readonly ttlMs: number
}

export type AskedFacts = {
  readonly request: SharingRequest
  readonly owner: string
  readonly bodyHash: Uint8Array
}

/** A client with a time limit of its own must not get an answer late because another one had none. */
const TIME_LIMIT_HEADER = 'x-sluice-timeout-ms'

/** Reads what a decoded request asks for. */
export function readAsked(subject: ShareSubject, { request, owner, bodyHash }: AskedFacts): Asked {
  const { policy, isStream, resolvedModel: model, prompt } = subject
  const { surfaceId, path, cacheControl } = request
  // What a client is shown while it waits is no part of what it asks, nor is the trace that it belongs to.
  const { [QUEUE_HEADER]: _, traceparent: __, tracestate: ___, ...parameterHeaders } = request.parameterHeaders
  const digestFor = (scope: string): string =>
    digestRequest({ scope, surfaceId, path, parameterHeaders, model, prompt, bodyHash })
  const digest = digestFor(owner)
  const mayShare = policy !== null && parameterHeaders[TIME_LIMIT_HEADER] === undefined
  if (!mayShare) return { digest, follows: false, leads: false, cache: null }
  const { noStore, noCache, maxAgeMs } = parseCacheControl(cacheControl)
  const leads = policy.coalesce && isStream
  const asked = { digest, follows: leads && !noCache, leads }
  if (policy.cache === null || noStore) return { ...asked, cache: null }
  const { ttlMs, scope } = policy.cache
  const cacheDigest = scope === 'gateway' ? digestFor(OF_ALL) : digest
  return { ...asked, cache: { digest: cacheDigest, isRead: !noCache, maxAgeMs, ttlMs } }
}

/** No owner: each of them is a digest. */
const OF_ALL = 'gateway'
