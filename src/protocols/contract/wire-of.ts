// Whether a surface and a dialect are the two halves of one wire, between which bytes pass as they are.
import { type Surface } from './protocol.js'

/** The id of the dialect whose bodies a surface has. */
export function wireOf({ id, wire }: Pick<Surface, 'id' | 'wire'>): string {
  return wire ?? id
}
