// Which models a key may use: the default, and the names that its globs match. Every way to a provider goes through the
// router, and only the router calls this; nothing else compares a model with a glob of a key.
import { type Config } from '../config/types.js'
import { matchesGlob } from './glob.js'

const EVERYTHING = '*'
const ALL_MODELS: readonly string[] = Object.freeze([EVERYTHING])

/** Globs of the models that a key may use; all of them where no keys are configured. */
export function allowedModels({ keys }: Pick<Config, 'keys'>, keyIndex: number): readonly string[] {
  return keys[keyIndex]?.models ?? ALL_MODELS
}

/** True for a key that may use all models; other models that a request names need no check then. */
export function mayUseAll(allowed: readonly string[]): boolean {
  return allowed.includes(EVERYTHING)
}

/** True if the key may use the model that clients call by this name. */
export function mayUse(allowed: readonly string[], name: string): boolean {
  return allowed.some((glob) => matchesGlob(glob, name))
}
