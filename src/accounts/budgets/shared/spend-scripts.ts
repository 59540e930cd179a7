// The scripts of budgets over several nodes, from resources/lua/budgets: ground.lua lists the keys; each script documents its arguments
// and its reply.
import { readScript } from '../../../redis/read-script.js'

/** Each is atomic in Redis; they are loaded in this order. */
export const SPEND_SCRIPTS = ['claim', 'register', 'seed', 'windows', 'finish', 'leave'] as const

export type SpendScript = (typeof SPEND_SCRIPTS)[number]

/** One hash tag, as for limits: all keys are in one slot of a cluster. */
const PREFIX = '{sluice}:spend:'

const GROUND_KEYS = ['state', 'nodes', 'calls', 'awaited'].map((name) => PREFIX + name)

export type WindowPlace = { readonly budgetId: string; readonly windowStartMs: number }

/** KEYS of every call, before the windows. */
export function groundKeys(node: string): string[] {
  return [...GROUND_KEYS, `${PREFIX}of:${node}`]
}

/** Both keys of one window of a budget. */
export function windowKeys({ budgetId, windowStartMs }: WindowPlace): readonly [string, string] {
  const key = `${PREFIX}${budgetId}:${windowStartMs}`
  return [key, `${key}:open`]
}

/** The window of the first of its keys. */
export function placeOf(key: string): WindowPlace {
  const at = key.lastIndexOf(':')
  return { budgetId: key.slice(PREFIX.length, at), windowStartMs: Number(key.slice(at + 1)) }
}

/** The texts of all scripts, as a link loads them. */
export function readSpendScripts(): ReadonlyMap<SpendScript, string> {
  return new Map(SPEND_SCRIPTS.map((name) => [name, readScript(['budgets/ground', `budgets/${name}`])]))
}
