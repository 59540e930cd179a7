// What nodes share of limits: the scripts of resources/lua/limit by name, and what every call of one begins with. ground.lua says
// which keys there are, and each script what it takes and answers.
import { readScript } from '../../redis/read-script.js'
import { LIMIT_TICKS } from '../local/token-bucket.js'

/** Each is atomic in Redis; the order is that in which Redis is given their texts. */
export const LIMIT_SCRIPTS = ['take', 'enter', 'next', 'pass', 'give', 'register', 'beat', 'leave'] as const

export type LimitScript = (typeof LIMIT_SCRIPTS)[number]

/** One hash tag: all keys are in one slot of a cluster. */
const PREFIX = '{sluice}:'

/** KEYS of every call, before the buckets: the places that ground.lua names. */
export const SHARED_KEYS: readonly string[] = Object.freeze(
  ['nodes', 'slots', 'turns', 'waiting', 'node:'].map((name) => PREFIX + name),
)

/** ARGV of every call, before its own: the arithmetic of buckets that is known in token-bucket.ts alone. */
export const SHARED_ARGS: readonly number[] = Object.freeze([LIMIT_TICKS.perMicrosecond, LIMIT_TICKS.maxDebt])

/** The key of one bucket; names come from configuration. */
export function bucketKey(owner: string, kind: string): string {
  return `${PREFIX}bucket:${owner}:${kind}`
}

/** The text of a script, with what all of them have in common. */
export function readLimitScript(name: LimitScript): string {
  return readScript(['limit/ground', `limit/${name}`])
}
