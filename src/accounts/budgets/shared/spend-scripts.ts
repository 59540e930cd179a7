// The scripts of budgets over several nodes, from resources/lua/budgets: ground.lua lists the keys; each script documents its arguments
// and its reply.
import { createHmac } from 'node:crypto'
import { readScript } from '../../../redis/read-script.js'
import { partsOfBudgetId, userBudgetId } from '../user-slots.js'

/** Each is atomic in Redis; they are loaded in this order. */
export const SPEND_SCRIPTS = ['claim', 'register', 'seed', 'windows', 'finish', 'leave', 'look'] as const

export type SpendScript = (typeof SPEND_SCRIPTS)[number]

/** One hash tag, as for limits: all keys are in one slot of a cluster. */
const PREFIX = '{sluice}:spend:'

const GROUND_KEYS = ['state', 'nodes', 'calls', 'awaited'].map((name) => PREFIX + name)

export type WindowPlace = { readonly budgetId: string; readonly windowStartMs: number }

/** The id of a budget, or of the part of it that is an end user's, as Redis knows it. */
export type NameInRedis = (budgetId: string) => string

/** 128 bits. */
const NAME_CHARS = 22

/**
 * Names of end users are often addresses: whoever reads Redis must not find out by trying whose budget it is. `secret`: of all nodes; null
 * until it is known.
 */
export function namesInRedis(secret: () => Uint8Array | null): NameInRedis {
  return (id) => {
    const { budgetId, digest } = partsOfBudgetId(id)
    if (digest === null) return id
    const key = secret()
    if (key === null) throw new Error('The secret of the nodes is not known yet.')
    return userBudgetId(budgetId, createHmac('sha256', key).update(digest).digest('base64url').slice(0, NAME_CHARS))
  }
}

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
