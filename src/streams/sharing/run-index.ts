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

/** A request that a retry may mean. Not `isLost`: its reader still seems to be there. */
export type Candidate<Run> = { readonly run: Run; readonly isLost: boolean }

/**
 * The one request that a retry can only mean: its client was lost, or, if none was, it is the only one whose client may have been.
 * Null where there is none, or more than one.
 */
export function certainOf<Run>(candidates: readonly Candidate<Run>[]): Candidate<Run> | null {
  const lost = candidates.filter(({ isLost }) => isLost)
  const [one = null, other = null] = lost.length > 0 ? lost : candidates
  return other === null ? one : null
}

/** A request that its client named by a key. */
export type KeyedRun<Run> = { readonly run: Run; readonly bodyDigest: string }

/** A first run has this name from now on, or none has it any more. */
export type OnName = (name: string, isHeld: boolean) => void

export class RunIndex<Run extends IndexedRun> {
  readonly #nowMs: () => number
  readonly #onName: OnName
  readonly #byDigest = new Map<string, Set<Run>>()
  /** In the order of their ends. */
  readonly #ended = new Map<Run, string>()
  readonly #byKey = new Map<string, KeyedRun<Run>>()

  constructor(nowMs: () => number, onName: OnName = nothing) {
    this.#nowMs = nowMs
    this.#onName = onName
  }

  /** Requests under a digest or a key. */
  get size(): number {
    return this.#byKey.size + [...this.#byDigest.values()].reduce((sum, runs) => sum + runs.size, 0)
  }

  add(digest: string, run: Run): void {
    this.#sweepEnded()
    const runs = this.#byDigest.get(digest)
    if (runs === undefined) {
      this.#byDigest.set(digest, new Set([run]))
      this.#onName(digest, true)
    } else runs.add(run)
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
    if (runs?.size !== 0) return
    this.#byDigest.delete(digest)
    this.#onName(digest, false)
  }

  /** A request that runs and takes followers, with all that it has said so far; null if there is none. */
  running(digest: string): Run | null {
    for (const run of this.#byDigest.get(digest) ?? []) {
      if (run.takesFollowers && run.endedAtMs === null && run.holdsBeginning) return run
    }
    return null
  }

  /** The requests that a retry may mean. */
  candidates(digest: string): readonly Candidate<Run>[] {
    const runs = [...(this.#byDigest.get(digest) ?? [])].filter((run) => this.#isCandidate(run))
    return runs.map((run) => ({ run, isLost: run.clientCount === 0 }))
  }

  #isCandidate(run: Run): boolean {
    if (!run.mayBeRetried || run.isDelivered || !run.holdsBeginning) return false
    return run.endedAtMs === null || (run.isComplete && this.#nowMs() - run.endedAtMs <= RETRY_WINDOW_MS)
  }

  /** The request that has this key, by `keyNameOf`; null if the key is free. */
  keyed(name: string): KeyedRun<Run> | null {
    const entry = this.#byKey.get(name) ?? null
    if (entry === null || isOfUse(entry.run)) return entry
    this.#dropKey(name)
    return null
  }

  /** The key must be free. */
  addKeyed(name: string, keyed: KeyedRun<Run>): void {
    this.#sweepKeyed()
    this.#byKey.set(name, keyed)
    this.#onName(name, true)
  }

  /** Frees the key, if it is that request's. */
  removeKeyed(name: string, run: Run): void {
    if (this.#byKey.get(name)?.run === run) this.#dropKey(name)
  }

  #dropKey(name: string): void {
    this.#byKey.delete(name)
    this.#onName(name, false)
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
      if (!isOfUse(entry.run)) this.#dropKey(name)
      else {
        this.#byKey.delete(name)
        this.#byKey.set(name, entry)
      }
    }
  }
}

/** It runs, or all of its answer is held. */
function isOfUse(run: IndexedRun): boolean {
  return run.endedAtMs === null || (run.isComplete && run.holdsBeginning)
}

/** The name of an owner's Idempotency-Key: an owner is hex digits, so the first blank ends it, and no digest has one. */
export function keyNameOf(owner: string, key: string): string {
  return `${owner} ${key}`
}

function nothing(): void {}
