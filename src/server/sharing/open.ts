// Opens a desk for each request that may be answered from another one, or others from it; for all others it costs a few comparisons.
import { ownerOf } from '../../streams/kept/readable-log.js'
import { type KeyedAsking, type Sharing, type SharingDesk, type SharingRequest } from '../context.js'
import { RequestDesk } from './request-desk.js'
import { type SharingGround, type SharingPolicy } from './sharing.js'

/** Null where nothing is shared: no stream is kept, and no model shares its answers. */
export function createSharing(ground: SharingGround, policy: SharingPolicy): Sharing | null {
  const { keep, hasSharedModels } = policy
  if (keep === null && !hasSharedModels) return null
  return {
    open(request) {
      const { key, path, isKept, retryCount } = request
      // Nothing tells such callers apart but what they send.
      if (key.digest === null || (path?.callerKey ?? null) !== null) return null
      const isWanted = hasSharedModels || (keep !== null && (isKept || retryCount !== ''))
      return isWanted ? new RequestDesk({ ground, policy, request }) : null
    },
    openKeyed(request, keyed) {
      const desk = new RequestDesk({ ground, policy, request, keyed })
      const { keyedRun: run } = desk
      const { idempotencyKey, bodyDigest } = keyed
      if (run !== null) ground.index.addKeyed(ownerOf(request.key), idempotencyKey, { run, bodyDigest })
      return desk
    },
    findKeyed(request, keyed) {
      return findKeyed(request, keyed)
    },
  }

  function findKeyed(
    request: SharingRequest,
    { idempotencyKey, bodyDigest }: Pick<KeyedAsking, 'idempotencyKey' | 'bodyDigest'>,
  ): SharingDesk | 'mismatch' | null {
    const earlier = ground.index.keyed(ownerOf(request.key), idempotencyKey)
    if (earlier === null) return null
    if (earlier.bodyDigest !== bodyDigest) return 'mismatch'
    return new RequestDesk({ ground, policy, request, repeats: earlier.run })
  }
}
