// Which requests of this event loop others may be answered from: by the digest of what they ask, and by the key that a client gave them.
// It holds no answer: a stream lives as long as its registry keeps it. Entries of ended requests leave as others come.

/** A retry comes within seconds; later an equal request is more likely a new question. */
export const RETRY_WINDOW_MS = 60_000
/** Entries that each new one looks at for being of no use any more. */
const SWEEP = 4

/** What decides whether others may be answered from a request. @see SharedRun */
export type IndexedRun = {
  readonly mayBeRetried: boolean
  readonly takesFollowers: boolean
  readonly clientCount: number
  readonly holdsBeginning: boolean
  readonly isDelivered: boolean
  readonly isComplete: boolean
  readonly endedAtMs: number | null
}

/** Not `isLost`: its reader still seems to be there. */
export type Candidate<Run> = { readonly run: Run; readonly isLost: boolean }

/** A request that its client named by a key. */
export type KeyedRun<Run> = { readonly run: Run; readonly bodyDigest: string }

export class RunIndex<Run extends IndexedRun> {
  readonly #nowMs: () => number
  readonly #byDigest = new Map<string, Set<Run>>()
  /** In the order of their ends. */
  readonly #ended = new Map<Run, string>()
  readonly #byKey = new Map<string, KeyedRun<Run>>()

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /** Requests under a digest or a key. */
  get size(): number {
    return this.#byKey.size + [...this.#byDigest.values()].reduce((sum, runs) => sum + runs.size, 0)
  }

  add(digest: string, run: Run): void {
    this.#sweepEnded()
    const runs = this.#byDigest.get(digest)
    if (runs === undefined) this.#byDigest.set(digest, new Set([run]))
    else runs.add(run)
  }

  /** It has ended; it stays for its retries if all of its answer is held. */
  end(digest: string, run: Run): void {
    if (!this.#byDigest.get(digest)?.has(run)) return
    if (run.isComplete && run.mayBeRetried) this.#ended.set(run, digest)
    else this.remove(digest, run)
  }

  remove(digest: string, run: Run): void {
    this.#ended.delete(run)
    const runs = this.#byDigest.get(digest)
    runs?.delete(run)
    if (runs?.size === 0) this.#byDigest.delete(digest)
  }

  /** A request that runs and takes followers, with all that it has said so far; null if there is none. */
  running(digest: string): Run | null {
    for (const run of this.#byDigest.get(digest) ?? []) {
      if (run.takesFollowers && run.endedAtMs === null && run.holdsBeginning) return run
    }
    return null
  }

  /**
   * The one request that a retry can only mean: its client was lost, or, if none was, it is the only one whose client may have been.
   * Null where there is none, or more than one.
   */
  lost(digest: string): Candidate<Run> | null {
    const candidates = [...(this.#byDigest.get(digest) ?? [])].filter((run) => this.#isCandidate(run))
    const lost = candidates.filter(({ clientCount }) => clientCount === 0)
    const [run] = lost.length > 0 ? lost : candidates
    const isOne = lost.length === 1 || (lost.length === 0 && candidates.length === 1)
    return run !== undefined && isOne ? { run, isLost: lost.length === 1 } : null
  }

  #isCandidate(run: Run): boolean {
    if (!run.mayBeRetried || run.isDelivered || !run.holdsBeginning) return false
    return run.endedAtMs === null || (run.isComplete && this.#nowMs() - run.endedAtMs <= RETRY_WINDOW_MS)
  }

  /** The request that has this key of this owner; null if the key is free. */
  keyed(owner: string, key: string): KeyedRun<Run> | null {
    const name = nameOf(owner, key)
    const entry = this.#byKey.get(name) ?? null
    if (entry === null || isOfUse(entry.run)) return entry
    this.#byKey.delete(name)
    return null
  }

  addKeyed(owner: string, key: string, keyed: KeyedRun<Run>): void {
    this.#sweepKeyed()
    this.#byKey.set(nameOf(owner, key), keyed)
  }

  /** Frees the key, if it is that request's. */
  removeKeyed(owner: string, key: string, run: Run): void {
    const name = nameOf(owner, key)
    if (this.#byKey.get(name)?.run === run) this.#byKey.delete(name)
  }

  #sweepEnded(): void {
    const nowMs = this.#nowMs()
    for (const [run, digest] of this.#ended) {
      if (run.endedAtMs !== null && nowMs - run.endedAtMs <= RETRY_WINDOW_MS) return
      this.remove(digest, run)
    }
  }

  /** The ones that were asked for longest ago: those that are still of use move behind the others. */
  #sweepKeyed(): void {
    let left = SWEEP
    for (const [name, entry] of this.#byKey) {
      if (left === 0) return
      left -= 1
      this.#byKey.delete(name)
      if (isOfUse(entry.run)) this.#byKey.set(name, entry)
    }
  }
}

/** It runs, or all of its answer is held. */
function isOfUse(run: IndexedRun): boolean {
  return run.endedAtMs === null || (run.isComplete && run.holdsBeginning)
}

/** An owner is hex digits, so the first blank ends it. */
function nameOf(owner: string, key: string): string {
  return `${owner} ${key}`
}
