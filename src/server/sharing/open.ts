// Opens a desk for each request that may be answered from another one, or others from it; for all others it costs a few comparisons.
import { ownerOf } from '../../streams/kept/readable-log.js'
import { keyNameOf } from '../../streams/sharing/run-index.js'
import { type FoundKeyed, type KeyedAsking, type Sharing, type SharingRequest } from '../context.js'
import { RequestDesk } from './request-desk.js'
import { type SharingGround, type SharingPolicy } from './sharing.js'

type KeyQuery = Pick<KeyedAsking, 'idempotencyKey' | 'bodyDigest'>

/** Null where nothing is shared: no stream is kept, and no model shares its answers. */
export function createSharing(ground: SharingGround, policy: SharingPolicy): Sharing | null {
  const { keep, hasSharedModels } = policy
  const { index, peers } = ground
  if (keep === null && !hasSharedModels) return null
  return {
    isForAll: hasSharedModels,
    open(request) {
      const { key, path, isKept, isRetry } = request
      // Nothing tells such callers apart but what they send.
      if (key.owner === null || (path?.callerKey ?? null) !== null) return null
      const isWanted = hasSharedModels || (keep !== null && (isKept || isRetry))
      return isWanted ? new RequestDesk({ ground, policy, request }) : null
    },
    openKeyed(request, keyed) {
      const desk = new RequestDesk({ ground, policy, request, keyed })
      const { keyedRun: run } = desk
      const name = keyNameOf(ownerOf(request.key), keyed.idempotencyKey)
      // Taken meanwhile, while another loop was asked: then the store says so as well.
      if (run !== null && index.keyed(name) === null) index.addKeyed(name, { run, bodyDigest: keyed.bodyDigest })
      return desk
    },
    findKeyed(request, keyed) {
      const name = keyNameOf(ownerOf(request.key), keyed.idempotencyKey)
      const found = findHere(request, keyed, name)
      if (found !== null || peers?.mayHave(name) !== true) return found
      return peers.find({ how: 'key', name, bodyDigest: keyed.bodyDigest }).then((runs) => {
        if (runs === 'mismatch') return runs
        const [repeats] = runs
        return repeats === undefined
          ? findHere(request, keyed, name)
          : new RequestDesk({ ground, policy, request, repeats })
      })
    },
  }

  function findHere(request: SharingRequest, { bodyDigest }: KeyQuery, name: string): FoundKeyed {
    const earlier = index.keyed(name)
    if (earlier === null) return null
    if (earlier.bodyDigest !== bodyDigest) return 'mismatch'
    return new RequestDesk({ ground, policy, request, repeats: earlier.run })
  }
}
