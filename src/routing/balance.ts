// In which order the targets of a model are tried. Pure: chance, loads and affinity are passed in.
//
//   affinity: none    by weight at random; among targets of the drawn weight the one with the least in flight
//   affinity: prefix  by rendezvous hashing: the same prompt prefix goes to the same target as long as that one is well
import { type RouteTarget } from './router.js'

export type BalanceFacts = {
  /** 0 <= n < 1 */
  readonly random: () => number
  /** Requests in flight at the target's slot, on all event loops. */
  readonly loadOf: (slot: number) => number
  /** Hash of the prompt prefix that should stay on one target, 32 bits; null for none. */
  readonly affinity: number | null
}

const MAX_UINT32 = 2 ** 32

/** All targets in the order in which they are tried; weight 0 comes last. A single target is not copied. */
export function orderTargets(targets: readonly RouteTarget[], facts: BalanceFacts): readonly RouteTarget[] {
  if (targets.length < 2) return targets
  return facts.affinity === null ? drawByWeight(targets, facts) : rankByHash(targets, facts.affinity)
}

/** Draws without replacement, each time in proportion to the weights left. Loads matter only for the first. */
function drawByWeight(targets: readonly RouteTarget[], { random, loadOf }: BalanceFacts): RouteTarget[] {
  const left = [...targets]
  const order: RouteTarget[] = []
  while (left.length > 0) {
    let point = random() * left.reduce((sum, target) => sum + target.weight, 0)
    let at = left.findIndex((target) => {
      point -= target.weight
      return point < 0
    })
    if (at < 0) at = 0
    if (order.length === 0) at = leastLoaded(left, at, loadOf)
    order.push(...left.splice(at, 1))
  }
  return order
}

/** The least loaded among the targets with the weight of the drawn one; on a tie the drawn one or the first. */
function leastLoaded(targets: readonly RouteTarget[], drawn: number, loadOf: (slot: number) => number): number {
  const weight = targets[drawn]?.weight
  let best = drawn
  let bestLoad = loadOf(targets[drawn]?.slot ?? -1)
  for (const [at, target] of targets.entries()) {
    if (target.weight !== weight || at === drawn) continue
    const load = loadOf(target.slot)
    if (load < bestLoad) {
      best = at
      bestLoad = load
    }
  }
  return best
}

/**
 * Highest score first. Adding or removing a target moves only the prefixes that belong to it.
 * @see https://www.ietf.org/archive/id/draft-ietf-bess-weighted-hrw-00.html weighted rendezvous hashing
 */
function rankByHash(targets: readonly RouteTarget[], affinity: number): RouteTarget[] {
  const scored = targets.map((target) => ({ target, score: scoreOf(target, affinity) }))
  return scored.sort((a, b) => b.score - a.score).map(({ target }) => target)
}

function scoreOf({ weight, target }: RouteTarget, affinity: number): number {
  if (weight === 0) return 0
  const hash = mix(hashText(affinity, `${target.provider}/${target.model}`))
  return -weight / Math.log((hash + 1) / (MAX_UINT32 + 1))
}

const FNV_PRIME = 0x01000193

/** FNV-1a over bytes, begun with `seed`; 32 bits. */
export function hashBytes(seed: number, bytes: Uint8Array): number {
  let hash = seed >>> 0
  for (const byte of bytes) hash = Math.imul(hash ^ byte, FNV_PRIME) >>> 0
  return hash
}

function hashText(seed: number, text: string): number {
  let hash = seed >>> 0
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), FNV_PRIME) >>> 0
  return hash
}

/** MurmurHash3's finalizer. It spreads similar hashes apart, since FNV's last bytes change only the low bits. */
function mix(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}
