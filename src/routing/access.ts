// Which models a key may use: the default, and the names that its globs match. Every way to a provider goes through the
// router, and only the router calls this; nothing else compares a model with a glob of a key.
import { type Config } from '../config/types.js'
import { matchesGlob } from './glob.js'

/** The globs of a key, or those of a key and of its team, which must both match. */
export type Allowed = readonly string[] | { readonly key: readonly string[]; readonly team: readonly string[] }

/** A key as far as its models matter: by its index in the configuration, or with those that a database has for it. */
export type KeyModels = {
  readonly index: number
  readonly account?: {
    readonly models: readonly string[]
    readonly team: { readonly models: readonly string[] } | null
  }
}

const EVERYTHING = '*'
const ALL_MODELS: readonly string[] = Object.freeze([EVERYTHING])

/** Globs of the models that a key may use; all of them where no keys are configured. */
export function allowedModels({ keys }: Pick<Config, 'keys'>, { index, account }: KeyModels): Allowed {
  if (account === undefined) return keys[index]?.models ?? ALL_MODELS
  return account.team === null ? account.models : { key: account.models, team: account.team.models }
}

/** True for a key that may use all models; other models that a request names need no check then. */
export function mayUseAll(allowed: Allowed): boolean {
  return 'key' in allowed ? mayUseAll(allowed.key) && mayUseAll(allowed.team) : allowed.includes(EVERYTHING)
}

/** True if the key may use the model that clients call by this name. */
export function mayUse(allowed: Allowed, name: string): boolean {
  if ('key' in allowed) return mayUse(allowed.key, name) && mayUse(allowed.team, name)
  return allowed.some((glob) => matchesGlob(glob, name))
}
