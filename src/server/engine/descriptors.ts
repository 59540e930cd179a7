// How near a process is to its last file descriptor. Without one the engine cannot accept, is told of the waiting connection
// again at once, and keeps a core busy with it; and those that are connected can reach no provider. So a part is kept back.
import { readdirSync, readFileSync } from 'node:fs'

/** Kept for what is not a client: upstream connections above all. */
const RESERVED_SHARE = 0.05
/** Of a small limit that share is too little: files, threads and a few upstreams. */
const LEAST_RESERVED = 32
/** Of a very small limit even that is too much. */
const MOST_RESERVED_SHARE = 0.25
const FOLDER = '/proc/self/fd'

/** Descriptors that this process has open, and how many it may have. */
export type Descriptors = { readonly open: number; readonly limit: number }

/** Asks the system; costs about a microsecond for each open one. Null where it does not tell (no Linux), or there is no limit. */
export function readDescriptors(): Descriptors | null {
  const limit = readLimit()
  if (limit === null) return null
  try {
    return { open: readdirSync(FOLDER).length, limit }
  } catch {
    // To count them takes one.
    return { open: limit, limit }
  }
}

function readLimit(): number | null {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
    return soft === undefined ? null : Number(soft)
  } catch {
    return null
  }
}

/** Pure: counts on from what was read last. */
export class DescriptorBudget {
  readonly limit: number
  readonly #reserved: number
  #open: number

  constructor({ open, limit }: Descriptors) {
    this.limit = limit
    this.#open = open
    this.#reserved = Math.min(Math.max(LEAST_RESERVED, RESERVED_SHARE * limit), MOST_RESERVED_SHARE * limit)
  }

  /** As known now. */
  get open(): number {
    return this.#open
  }

  /** No more connections: what is left is the reserve. */
  get isShort(): boolean {
    return this.#open >= this.limit - this.#reserved
  }

  /** As much again is free: enough not to be short at once. */
  get isAmple(): boolean {
    return this.#open < this.limit - 2 * this.#reserved
  }

  /** Connections came (positive) or went. */
  change(count: number): void {
    this.#open += count
  }

  /** What was counted is forgotten for what was read. */
  set(open: number): void {
    this.#open = open
  }
}
