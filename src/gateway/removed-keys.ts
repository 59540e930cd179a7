// What a reload does to the open requests of keys that it removes, where it is asked to: server.endRequestsOfRemovedKeys.
import { type Config } from '../config/types.js'
import { type OutsideEnds } from '../pipeline/outside-ends.js'

/** Ends them in the pipelines of earlier configurations. Keys are known by what they are: one that is only renamed goes on. */
export function endOfRemovedKeys(
  earlier: readonly { readonly pipeline: Pick<OutsideEnds, 'endOf'> }[],
  next: Config,
): void {
  if (!next.server.endRequestsOfRemovedKeys) return
  const known = new Set(next.keys.map(({ keySha256 }) => keySha256))
  // A request from a time without keys has none that could be removed.
  for (const { pipeline } of earlier) pipeline.endOf(({ digest }) => digest !== null && !known.has(digest))
}
