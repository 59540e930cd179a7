// The embedded store without its thread, over a file in a temporary directory: answers in the same turn, on the time it is
// given, and can be made unreachable.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test } from 'tap'
import { GatewayError } from '../../src/errors.js'
import { openJobsFile } from '../../src/jobs/sqlite/file.js'
import { SqliteJobs } from '../../src/jobs/sqlite/jobs.js'
import { CALL_NAMES } from '../../src/jobs/sqlite/store.js'
import { type JobStore, type StoreCalls, type StoreEvent } from '../../src/jobs/store.js'

export type PlainStore = JobStore & {
  /** Calls made, by name, those that failed included. */
  readonly calls: string[]
  isDown: boolean
}

export function createPlainStore(t: Test, nowMs: () => number): PlainStore {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-plain-'))
  const connection = openJobsFile(join(directory, 'jobs.db'))
  // No test needs this file after a power cut.
  connection.exec('PRAGMA synchronous = OFF')
  const jobs = new SqliteJobs(connection, nowMs)
  t.teardown(() => {
    connection.close()
    rmSync(directory, { recursive: true })
  })
  const listeners = new Set<(event: StoreEvent) => void>()
  const store = { calls: [] as string[], isDown: false }
  const calls = CALL_NAMES.map((name) => [
    name,
    async (...args: readonly unknown[]) => {
      store.calls.push(name)
      await null
      if (store.isDown) throw new GatewayError('overloaded', { message: 'The job store is away.' })
      const value = (jobs[name] as (...args: readonly unknown[]) => unknown).apply(jobs, [...args])
      for (const event of jobs.takeEvents()) for (const listener of listeners) listener(event)
      return value
    },
  ])
  return Object.assign(store, Object.fromEntries(calls) as StoreCalls, {
    subscribe(listener: (event: StoreEvent) => void) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    close: async () => undefined,
  })
}
