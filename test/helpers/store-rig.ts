// What the suites of a job store share: how one is opened, and the calls that most of them begin with.
import { type Test } from 'tap'
import { errorData } from '../../src/errors.js'
import { type ClaimedJob, type JobStore, type NewJob } from '../../src/jobs/store.js'

export type StoreRig = {
  readonly store: JobStore
  /** Moves the store's clock, forward or back. */
  advance(ms: number): void
}

/** Opens an empty store; the test's end closes it. */
export type OpenStore = (t: Test) => Promise<StoreRig>

export const LEASE_MS = 60_000

export const HOUR_MS = 3_600_000

export const DAY_MS = 24 * HOUR_MS

export const YEAR_MS = 365 * DAY_MS

export const CLAIM = { kind: 'chat' as const, limit: 1, leaseMs: LEASE_MS, maxAttempts: 3 }

export const SENDING = { limit: 10, leaseMs: LEASE_MS, exceptOrigins: [], perOrigin: 10 }

export const FAILURE = errorData('upstream_overloaded')

export async function claimOne(store: JobStore): Promise<ClaimedJob> {
  const [claimed] = await store.claim(CLAIM)
  if (claimed === undefined) throw new Error('nothing to claim')
  return claimed
}

export async function claimIds(store: JobStore, limit: number): Promise<string[]> {
  return (await store.claim({ ...CLAIM, limit })).map(({ job }) => job.id)
}

export async function acceptAll(store: JobStore, jobs: readonly NewJob[]): Promise<void> {
  for (const job of jobs) await store.accept(job)
}

const PATIENCE_MS = 20_000

/** Lets what other threads and sockets have to say come in, until it has. */
export async function until(isSo: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + PATIENCE_MS
  while (!isSo() && performance.now() < deadlineMs) await new Promise((resolve) => setTimeout(resolve, 1))
}

export function none(): never {
  throw new Error('not claimed')
}
