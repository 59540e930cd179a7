// What the path of a request says is laid over what its body says: a route that always streams, a provider in the path.
// Between decode and admit; on a path that says nothing the request passes as it is.
import { type DecodedBody } from '../../protocols/contract/envelope.js'
import { type PathFacts } from '../client.js'

/** The request as path and body together have it; the same object where the path says nothing. */
export function applyPathFacts(decoded: DecodedBody, path: PathFacts | null): DecodedBody {
  if (path === null) return decoded
  const { facts } = decoded
  const stream = facts.stream || path.streams
  return { ...decoded, facts: { ...facts, stream, provider: path.provider ?? facts.provider } }
}
