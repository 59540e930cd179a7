// The scripts of budgets over several nodes, from resources/lua/budgets: ground.lua lists the keys; each script documents its arguments
// and its reply.
import { readScript } from '../../../redis/read-script.js'

/** Each is atomic in Redis; they are loaded in this order. */
export const SPEND_SCRIPTS = ['claim', 'register', 'seed', 'finish', 'leave'] as const

export type SpendScript = (typeof SPEND_SCRIPTS)[number]

/** One hash tag, as for limits: all keys are in one slot of a cluster. */
const PREFIX = '{sluice}:spend:'

/** KEYS of every call, before the windows. */
export const GROUND_KEYS: readonly string[] = Object.freeze(
  ['state', 'nodes', 'calls', 'awaited'].map((name) => PREFIX + name),
)

/** Both keys of one window of a budget. */
export function windowKeys(budgetId: string, windowStartMs: number): readonly [string, string] {
  const key = `${PREFIX}${budgetId}:${windowStartMs}`
  return [key, `${key}:open`]
}

/** The texts of all scripts, as a link loads them. */
export function readSpendScripts(): ReadonlyMap<SpendScript, string> {
  return new Map(SPEND_SCRIPTS.map((name) => [name, readScript(['budgets/ground', `budgets/${name}`])]))
}
