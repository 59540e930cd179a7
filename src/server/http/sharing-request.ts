// What sharing needs to know of a request over HTTP, and whether its stream is kept for its client.
import { type KeyIdentity, type PathFacts } from '../../pipeline/client.js'
import { type Sink } from '../../pipeline/sink.js'
import { type Surface } from '../../protocols/contract/protocol.js'
import { type FrontView, type SharingRequest } from '../context.js'
import { type RequestHead } from '../engine/request-head.js'

/** The parts of a request over HTTP that decide about it. */
export type HttpAsking = {
  readonly requestId: string
  readonly path: PathFacts | null
  readonly head: RequestHead
  readonly view: Pick<FrontView, 'keeping'>
  /** Of the client's connection. */
  readonly clientSink: Sink
  readonly isOver: boolean
}

/** It asks for a stream to which it can come back. An Idempotency-Key counts as asking. */
export function asksToKeep({ asksToResume, idempotencyKey }: RequestHead): boolean {
  return asksToResume || idempotencyKey !== ''
}

/** Its stream, if it is one, is kept for its client. */
export function isKept({ head, view: { keeping } }: Pick<HttpAsking, 'head' | 'view'>): boolean {
  return keeping !== null && (keeping.isAlways || asksToKeep(head))
}

/** Client libraries count their retries of a request from 1; the first try has 0. */
const RETRY_COUNT = /^[1-9]\d{0,2}$/

function isRetry({ retryCount }: RequestHead): boolean {
  return RETRY_COUNT.test(retryCount)
}

/** Anything of it may be shared: few requests need a desk where no model shares its answers. */
export function mayShare(
  asking: Pick<HttpAsking, 'head'> & { readonly view: Pick<FrontView, 'keeping' | 'sharing'> },
): boolean {
  const { sharing } = asking.view
  return sharing !== null && (sharing.isForAll || isKept(asking) || isRetry(asking.head))
}

/** The same request as sharing sees it. */
export function sharingRequestOf(asking: HttpAsking, key: KeyIdentity, surface: Surface): SharingRequest {
  const { requestId, path, head, clientSink } = asking
  const { parameterHeaders, cacheControl } = head
  // Member by member: spreads take 2 us (V8 11.3).
  return {
    requestId,
    surfaceId: surface.id,
    key,
    path,
    parameterHeaders,
    cacheControl,
    clientSink,
    isRetry: isRetry(head),
    isKept: isKept(asking),
    hasIds: asksToKeep(head),
    isOver: () => asking.isOver,
  }
}
