// Which models a key may use: the default, and the names that its globs match. Every way to a provider goes through the
// router, and only the router calls this; nothing else compares a model with a glob of a key.
import { type Config } from '../config/types.js'
import { matchesGlob } from './glob.js'

/** The globs of a key, or those of a key, its team and its browser token, of which each must match. */
export type Allowed = readonly string[] | { readonly each: readonly (readonly string[])[] }

/** A key as far as its models matter: by its index in the configuration, or with those that a database and a token have for it. */
export type KeyModels = {
  readonly index: number
  readonly account?: {
    readonly models: readonly string[]
    readonly team: { readonly models: readonly string[] } | null
  }
  readonly token?: { readonly models: readonly string[] | null }
}

const EVERYTHING = '*'
const ALL_MODELS: readonly string[] = Object.freeze([EVERYTHING])

/** Globs of the models that a key may use; all of them where no keys are configured. */
export function allowedModels({ keys }: Pick<Config, 'keys'>, { index, account, token }: KeyModels): Allowed {
  const own = account?.models ?? keys[index]?.models ?? ALL_MODELS
  const ofTeam = account?.team?.models ?? null
  const ofToken = token?.models ?? null
  if (ofTeam === null && ofToken === null) return own
  return { each: [own, ...(ofTeam === null ? [] : [ofTeam]), ...(ofToken === null ? [] : [ofToken])] }
}

/** True for a key that may use all models; other models that a request names need no check then. */
export function mayUseAll(allowed: Allowed): boolean {
  return 'each' in allowed ? allowed.each.every(mayUseAll) : allowed.includes(EVERYTHING)
}

/** True if the key may use the model that clients call by this name. */
export function mayUse(allowed: Allowed, name: string): boolean {
  if ('each' in allowed) return allowed.each.every((globs) => mayUse(globs, name))
  return allowed.some((glob) => matchesGlob(glob, name))
}
