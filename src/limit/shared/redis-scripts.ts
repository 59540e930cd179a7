// The scripts of the shared limits, from resources/lua/limit, and the arguments that every call begins with. ground.lua lists
// the keys; each script documents its arguments and its reply.
import { readScript } from '../../redis/read-script.js'
import { LIMIT_TICKS } from '../local/token-bucket.js'

/** Each is atomic in Redis; they are loaded in this order. */
export const LIMIT_SCRIPTS = ['take', 'enter', 'next', 'pass', 'give', 'register', 'beat', 'leave'] as const

export type LimitScript = (typeof LIMIT_SCRIPTS)[number]

/** One hash tag: all keys are in one slot of a cluster. */
const PREFIX = '{sluice}:'

/** KEYS of every call, before the buckets: the places that ground.lua names. */
export const SHARED_KEYS: readonly string[] = Object.freeze(
  ['nodes', 'slots', 'turns', 'waiting', 'node:'].map((name) => PREFIX + name),
)

/** ARGV of every call, before its own: constants of the bucket arithmetic, which only token-bucket.ts defines. */
export const SHARED_ARGS: readonly number[] = Object.freeze([LIMIT_TICKS.perMicrosecond, LIMIT_TICKS.maxDebt])

/** The key of one bucket; names come from configuration. */
export function bucketKey(owner: string, kind: string): string {
  return `${PREFIX}bucket:${owner}:${kind}`
}

/** The text of a script, with the part that all scripts share. */
export function readLimitScript(name: LimitScript): string {
  return readScript(['limit/ground', `limit/${name}`])
}

/** The texts of all of them, as a link loads them. */
export function readLimitScripts(): ReadonlyMap<LimitScript, string> {
  return new Map(LIMIT_SCRIPTS.map((name) => [name, readLimitScript(name)]))
}
