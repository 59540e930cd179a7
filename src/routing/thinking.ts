// Which targets think, for all wires: by the configuration of the target, otherwise by the name of its model
// (resources/thinking.json), otherwise unknown. Also remembers the targets that rejected thinking.
import { type Target } from '../model/target.js'

/** Lower-case prefixes of model names; the longest match says whether such a model thinks. */
export type ThinkingNames = Readonly<Record<string, boolean>>

/** True or false if the name is known, otherwise undefined. A path before the name (`vendor/model`) is ignored. */
export function thinksByName(model: string, names: ThinkingNames): boolean | undefined {
  const bare = model.slice(model.lastIndexOf('/') + 1).toLowerCase()
  let longest = ''
  for (const start in names) if (start.length > longest.length && bare.startsWith(start)) longest = start
  return names[longest]
}

/** A model may be replaced under its name, so its target is asked again after this time. */
const MEMORY_MS = 3_600_000
/** Bounds the memory, since a client may name any model of a provider. */
const MAX_TARGETS = 1000

/** The targets of one event loop that rejected a request because of thinking. */
export class ThinkingMemory {
  readonly #nowMs: () => number
  /** By provider and model: when the entry expires. In the order of the rejections. */
  readonly #untilMs = new Map<string, number>()

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /** Records a rejection. If there are too many, the oldest is removed. */
  note(target: Target): void {
    const key = keyOf(target)
    this.#untilMs.delete(key)
    if (this.#untilMs.size >= MAX_TARGETS) this.#untilMs.delete(this.#untilMs.keys().next().value ?? '')
    this.#untilMs.set(key, this.#nowMs() + MEMORY_MS)
  }

  /** The route with what is remembered about its target; the same object if nothing is. */
  recall<T extends { readonly target: Target }>(routed: T): T {
    if (this.#untilMs.size === 0) return routed
    const key = keyOf(routed.target)
    const untilMs = this.#untilMs.get(key)
    if (untilMs === undefined) return routed
    if (untilMs > this.#nowMs()) return { ...routed, target: { ...routed.target, thinks: false } }
    this.#untilMs.delete(key)
    return routed
  }
}

function keyOf({ provider, model }: Target): string {
  return `${provider}/${model}`
}
