// The thread of the embedded job store: its file, its calls, and the events that it sends to all event loops.
import { type MessagePort } from 'node:worker_threads'
import { createStoreClock, serveFile } from '../../sqlite/serve-file.js'
import { type StoreEvent } from '../store.js'
import { openJobsFile } from './file.js'
import { SqliteJobs } from './jobs.js'
import { type PortMessage, type StoreStart } from './messages.js'

/** Opens the file and serves it until the close message, or reports why it cannot. */
export function serveJobs(start: StoreStart, parent: MessagePort): void {
  serveFile<StoreEvent>(parent, {
    noun: 'job store',
    open: () => openJobsFile(start.path, start.heirs),
    createSource: (connection) => sourceOf(new SqliteJobs(connection, createStoreClock(start.clockOffset))),
    reply: (port, replies) => port.postMessage({ type: 'replies', replies } satisfies PortMessage),
    tell: (port, events) => port.postMessage({ type: 'events', events } satisfies PortMessage),
  })
}

/** The calls of event loops by their names. */
export function sourceOf(jobs: SqliteJobs) {
  return {
    run(name: string, args: readonly unknown[]): unknown {
      const call = Reflect.get(jobs, name) as (...args: readonly unknown[]) => unknown
      return call.apply(jobs, [...args])
    },
    takeEvents: () => jobs.takeEvents(),
  }
}
