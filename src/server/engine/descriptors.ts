// How close the process is to its limit of file descriptors. Without a free one the engine cannot accept, is notified of the waiting
// connection again immediately and keeps a core busy; and open requests cannot connect to a provider. So some are reserved.
import { readdirSync, readFileSync } from 'node:fs'

/** Reserved for everything but clients, mainly upstream connections. */
const RESERVED_SHARE = 0.05
/** The minimum, as that fraction of a small limit is too little: files, threads and a few upstreams. */
const LEAST_RESERVED = 32
/** For a very small limit even that is too much. */
const MOST_RESERVED_SHARE = 0.25
/** Where Linux shows the descriptors of this process, and its limits. */
const SYSTEM = { folder: '/proc/self/fd', limits: '/proc/self/limits' }

/** Descriptors that this process has open, and how many it may have. */
export type Descriptors = { readonly open: number; readonly limit: number }

/** Reads the counts from the system, at about a microsecond per open descriptor. Null if unavailable (not Linux) or unlimited. */
export function readDescriptors({ folder, limits } = SYSTEM): Descriptors | null {
  const limit = readLimit(limits)
  if (limit === null) return null
  try {
    return { open: readdirSync(folder).length, limit }
  } catch {
    // Counting itself opens one.
    return { open: limit, limit }
  }
}

function readLimit(file: string): number | null {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync(file, 'utf8'))?.[1]
    return soft === undefined ? null : Number(soft)
  } catch {
    return null
  }
}

/** Counts on from the last reading. Pure. */
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

  /** True if only the reserve is left. */
  get isShort(): boolean {
    return this.#open >= this.limit - this.#reserved
  }

  /** As much again is free: enough not to be short at once. */
  get isAmple(): boolean {
    return this.#open < this.limit - 2 * this.#reserved
  }

  /** Connections were opened (positive) or closed. */
  change(count: number): void {
    this.#open += count
  }

  /** Replaces the count by a reading. */
  set(open: number): void {
    this.#open = open
  }
}
