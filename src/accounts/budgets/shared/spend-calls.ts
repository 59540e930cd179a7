// What one node tells Redis of its spend, and what it is granted there, as calls. Each call is numbered, so that one that arrives late
// changes nothing; each tells all of a claim, so that one that is lost or repeated does no harm.
import { type ScriptArgument } from '../../../redis/connection.js'
import {
  groundKeys,
  type NameInRedis,
  placeOf,
  type SpendScript,
  type WindowPlace,
  windowKeys,
} from './spend-scripts.js'

/** A node that has not renewed its lease for this long is shown as gone; until then it is waited for after a loss of Redis. */
export const LEASE_MS = 3000
/** Of one call: the arguments of a script are limited, and nobody else is answered meanwhile. */
export const MAX_WINDOWS = 200

/** Spent in addition or refunded by operators; both sums only grow. */
export type Adjusted = { readonly plus: number; readonly minus: number }

/** What a node claims of a window, in nano-dollars or tokens, and what it wants more. */
export type ClaimCall = WindowPlace &
  Adjusted & {
    readonly limit: number
    /** The later one holds for all nodes. */
    readonly version: number
    /** All that it has spent, has reserved and may reserve. */
    readonly claimed: number
    readonly reserved: number
    readonly unused: number
    /** For requests that wait: granted as far as there is anything. */
    readonly wanted: number
    /** In advance: only a small part of what is left. */
    readonly ahead: number
    readonly forgetMs: number
  }

export type ClaimAnswer = {
  /**
   * `unknown`: it is to be seeded from the database; `closed`: nothing is granted yet, because others' claims are not known; `crowded`: of an
   * end user, and the budget tells as many apart as it can.
   */
  readonly state: 'granted' | 'unknown' | 'closed' | 'crowded'
  readonly granted: number
  /** Claims of all nodes together, this one's with what is granted now. */
  readonly total: number
  readonly reserved: number
  readonly unused: number
  /** Of this node's claim, what is beyond the limit and was not told before. */
  readonly debt: number
}

/** What the database knows of a window. */
export type SeedCall = WindowPlace &
  Adjusted & {
    /** Spent by nodes that are not known apart. */
    readonly base: number
    readonly stored: readonly { readonly node: string; readonly amount: number }[]
    /** End users of its budget that the database knows in this window; 0 for a budget that tells none apart. */
    readonly users: number
    readonly forgetMs: number
  }

/** What all nodes use of a window; `total`: null where it is not known in Redis. */
export type Seen = { readonly total: number | null; readonly reserved: number; readonly unused: number }

export type FinishCall = WindowPlace & { readonly amount: number }

export type RunSpendScript = (
  name: SpendScript,
  keys: readonly string[],
  args: readonly ScriptArgument[],
) => Promise<unknown>

export type SpendCallsOptions = { readonly leaseMs?: number; readonly nameOf?: NameInRedis }

export class SpendCalls {
  readonly #node: string
  readonly #run: RunSpendScript
  readonly #leaseMs: number
  readonly #nameOf: NameInRedis
  #count = 0

  /** `node`: its id, never used before. */
  constructor(node: string, run: RunSpendScript, { leaseMs = LEASE_MS, nameOf = (id) => id }: SpendCallsOptions = {}) {
    this.#node = node
    this.#run = run
    this.#leaseMs = leaseMs
    this.#nameOf = nameOf
  }

  /** On each connection, before anything is claimed. `nodes`: all that the database knows. */
  async register(nodes: readonly string[]): Promise<void> {
    await this.#run('register', groundKeys(this.#node), [this.#leaseMs, this.#node, this.#next(), ...nodes])
  }

  /**
   * At most MAX_WINDOWS. `isLast`: with these, all claims of this node are told.
   * @returns an answer for each; null where a later call has arrived before
   */
  async claim(calls: readonly ClaimCall[], isLast: boolean): Promise<ClaimAnswer[] | null> {
    const args = calls.flatMap((call) => {
      const { windowStartMs, limit, version, plus, minus, claimed, reserved, unused, wanted, ahead, forgetMs } = call
      return [windowStartMs, limit, version, plus, minus, claimed, reserved, unused, wanted, ahead, forgetMs]
    })
    const head = [this.#leaseMs, this.#node, this.#next(), isLast ? 1 : 0]
    const reply = (await this.#run('claim', this.#keysOf(calls), [...head, ...args])) as readonly number[]
    if (reply[0] !== 0) return null
    return calls.map((_, i) => {
      const at = 1 + i * ANSWER_WORDS
      const [code = 1, granted = 0, total = 0, reserved = 0, unused = 0, debt = 0] = reply.slice(at, at + ANSWER_WORDS)
      return { state: STATES[code] ?? 'unknown', granted, total, reserved, unused, debt }
    })
  }

  /** At most MAX_WINDOWS. @returns for each: false where it is of an end user, and the budget tells as many apart as it can */
  async seed(calls: readonly SeedCall[]): Promise<boolean[]> {
    const args = calls.flatMap(({ base, plus, minus, forgetMs, users, stored }) => {
      const nodes = stored.flatMap(({ node, amount }) => [node, amount])
      return [base, plus, minus, forgetMs, users, stored.length, ...nodes]
    })
    const reply = await this.#run('seed', this.#keysOf(calls), [this.#leaseMs, this.#node, ...args])
    return (reply as readonly number[]).map((code) => code === 1)
  }

  /** At most MAX_WINDOWS, for people to see. */
  async look(places: readonly WindowPlace[]): Promise<Seen[]> {
    const reply = (await this.#run('look', this.#keysOf(places), [this.#leaseMs, this.#node])) as readonly number[]
    return places.map((_, i) => {
      const [total = -1, reserved = 0, unused = 0] = reply.slice(i * SEEN_WORDS, (i + 1) * SEEN_WORDS)
      return { total: total < 0 ? null : total, reserved, unused }
    })
  }

  /** Those of which a node claims something; of end users by their names in Redis. */
  async windowsOf(node: string): Promise<WindowPlace[]> {
    const keys = (await this.#run('windows', groundKeys(node), [this.#leaseMs, this.#node])) as readonly string[]
    return keys.map(placeOf)
  }

  /** At most MAX_WINDOWS: what a node that has ended has spent in all. Places as `windowsOf` says. */
  async finish(node: string, calls: readonly FinishCall[]): Promise<void> {
    const args = calls.map(({ amount }) => amount)
    const keys = [...groundKeys(node), ...calls.flatMap((place) => windowKeys(place))]
    await this.#run('finish', keys, [this.#leaseMs, this.#node, node, ...args])
  }

  /** It has ended, and all that it has spent is told. */
  async leave(node: string): Promise<void> {
    await this.#run('leave', groundKeys(node), [this.#leaseMs, this.#node, node])
  }

  #keysOf(places: readonly WindowPlace[]): string[] {
    const own = places.flatMap(({ budgetId, windowStartMs }) =>
      windowKeys({ budgetId: this.#nameOf(budgetId), windowStartMs }),
    )
    return [...groundKeys(this.#node), ...own]
  }

  #next(): number {
    this.#count += 1
    return this.#count
  }
}

const STATES = ['granted', 'unknown', 'closed', 'crowded'] as const
const ANSWER_WORDS = 6
const SEEN_WORDS = 3
