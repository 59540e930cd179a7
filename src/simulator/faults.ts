// The faults that the simulator injects. A fault is a word with numbers: `cut-mid-frame,3`. It comes from the header `x-sim-fault`,
// from a model suffix (`lorem+fault=cut-mid-frame,3`), or from rules in a file, in this order of precedence.
import { isJsonObject, type JsonObject, type JsonValue } from '../model/json.js'

/**
 * What each fault does:
 * ```
 *   status,CODE[,RETRY_AFTER_SEC]   an error answer              html             200 with an HTML page
 *   delay,MS                        waits before the head        stall-head       never answers
 *   cut-after-accept                closes without an answer     cut-after-head   closes after the head
 *   cut-mid-frame[,N]  cut-between-frames[,N]   closes in or after frame N     cut-before-end   closes before the end marker
 *   no-end-marker                   ends the body without it     stall[,N]        sends nothing after frame N
 *   garbage[,N]                     one unreadable frame         error-frame[,N]  the vendor's error frame, then the end
 *   drip,MS                         one byte every MS            oversize,BYTES[,N]  one frame of that size
 * ```
 * N counts token frames; the default is 2. A whole answer supports the faults before the head, `garbage` and `oversize`, and is
 * cut half way by `cut-*`.
 */
const NAMES = [
  'status',
  'html',
  'delay',
  'stall-head',
  'cut-after-accept',
  'cut-after-head',
  'cut-mid-frame',
  'cut-between-frames',
  'cut-before-end',
  'no-end-marker',
  'stall',
  'garbage',
  'error-frame',
  'drip',
  'oversize',
] as const

export type FaultName = (typeof NAMES)[number]
export type Fault = { readonly name: FaultName; readonly numbers: readonly number[] }

/** A rule of the faults file: `fault` for the requests it matches. */
export type FaultRule = {
  readonly fault: Fault
  /** Model name or a prefix with `*`; null matches all. */
  readonly model: string | null
  /** Wire id; null matches all. */
  readonly protocol: string | null
  /** Of the matching requests, skips the first `skip`, then affects every `every`-th one, at most `times` in all. */
  readonly skip: number
  readonly every: number
  readonly times: number
}

const DEFAULT_FRAME = 2
const SUFFIX = /\+fault=([a-z0-9,-]+)$/
const RULE_MEMBERS: ReadonlySet<string> = new Set(['fault', 'model', 'protocol', 'skip', 'every', 'times'])

/** Reads `name,number,number`; null when the name is unknown. */
export function parseFault(text: string): Fault | null {
  const [word, ...rest] = text.trim().split(',')
  const name = NAMES.find((known) => known === word)
  if (name === undefined) return null
  const numbers = rest.map(Number)
  return numbers.every((number) => Number.isFinite(number) && number >= 0) ? { name, numbers } : null
}

/** Splits a fault suffix off a model name; `fault` is unparsed, and empty if there is none. */
export function splitModel(model: string): { readonly model: string; readonly fault: string } {
  const suffix = SUFFIX.exec(model)
  if (suffix === null) return { model, fault: '' }
  return { model: model.slice(0, suffix.index), fault: suffix[1] ?? '' }
}

/** The frame at which a fault occurs. */
export function frameOf(fault: Fault): number {
  return fault.numbers[fault.name === 'oversize' ? 1 : 0] ?? DEFAULT_FRAME
}

/** Reads a faults file: a list of rules. Returns a string with the reason if the file is invalid. */
export function readFaultRules(value: JsonValue): readonly FaultRule[] | string {
  if (!Array.isArray(value)) return 'the faults file must hold a list of rules'
  const rules: FaultRule[] = []
  for (const [index, item] of value.entries()) {
    const rule = isJsonObject(item) ? readRule(item) : 'must be an object'
    if (typeof rule === 'string') return `rule ${index}: ${rule}`
    rules.push(rule)
  }
  return rules
}

function readRule(item: JsonObject): FaultRule | string {
  const unknown = Object.keys(item).find((key) => !RULE_MEMBERS.has(key))
  if (unknown !== undefined) return `unknown member ${JSON.stringify(unknown)}`
  const fault = typeof item.fault === 'string' ? parseFault(item.fault) : null
  if (fault === null) return `unknown fault ${JSON.stringify(item.fault ?? null)}`
  return {
    fault,
    model: typeof item.model === 'string' ? item.model : null,
    protocol: typeof item.protocol === 'string' ? item.protocol : null,
    skip: countOf(item.skip, 0),
    every: Math.max(countOf(item.every, 1), 1),
    times: countOf(item.times, Number.POSITIVE_INFINITY),
  }
}

function countOf(value: JsonValue | undefined, otherwise: number): number {
  return typeof value === 'number' && value >= 0 ? Math.floor(value) : otherwise
}

/** Counts the requests that each rule has matched and selects the fault of the next one. */
export class FaultScript {
  readonly #rules: readonly FaultRule[]
  readonly #seen: number[]
  readonly #used: number[]

  constructor(rules: readonly FaultRule[]) {
    this.#rules = rules
    this.#seen = rules.map(() => 0)
    this.#used = rules.map(() => 0)
  }

  next(protocol: string, model: string): Fault | null {
    for (const [index, rule] of this.#rules.entries()) {
      if (!isMatch(rule, protocol, model)) continue
      const seen = this.#seen[index] ?? 0
      const used = this.#used[index] ?? 0
      this.#seen[index] = seen + 1
      if (seen < rule.skip || (seen - rule.skip) % rule.every !== 0 || used >= rule.times) continue
      this.#used[index] = used + 1
      return rule.fault
    }
    return null
  }
}

function isMatch(rule: FaultRule, protocol: string, model: string): boolean {
  if (rule.protocol !== null && rule.protocol !== protocol) return false
  if (rule.model === null) return true
  return rule.model.endsWith('*') ? model.startsWith(rule.model.slice(0, -1)) : rule.model === model
}
