// Which targets think. One notion for all wires: what the configuration says of a target, else what its model's name says
// (resources/thinking.json), else nobody knows; and the memory of those that have refused to.
import { type Target } from '../model/target.js'

/** Beginnings of model names, in lower case; the longest that fits says whether such a model thinks. */
export type ThinkingNames = Readonly<Record<string, boolean>>

/** True or false where the name says so, undefined where it does not. A path before the name (`vendor/model`) is not looked at. */
export function thinksByName(model: string, names: ThinkingNames): boolean | undefined {
  const bare = model.slice(model.lastIndexOf('/') + 1).toLowerCase()
  let longest = ''
  for (const start in names) if (start.length > longest.length && bare.startsWith(start)) longest = start
  return names[longest]
}

/** A model may be replaced under its name: after this its target is asked again. */
const MEMORY_MS = 3_600_000
/** A client may name any model of a provider. */
const MAX_TARGETS = 1000

/** The targets of one event loop that have refused a request for its thinking. */
export class ThinkingMemory {
  readonly #nowMs: () => number
  /** By provider and model: until when it is believed. In the order in which they refused. */
  readonly #untilMs = new Map<string, number>()

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /** The target has refused. The oldest is forgotten where there are too many. */
  note(target: Target): void {
    const key = keyOf(target)
    this.#untilMs.delete(key)
    if (this.#untilMs.size >= MAX_TARGETS) this.#untilMs.delete(this.#untilMs.keys().next().value ?? '')
    this.#untilMs.set(key, this.#nowMs() + MEMORY_MS)
  }

  /** With what is remembered of its target: the same object where that is nothing. */
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
