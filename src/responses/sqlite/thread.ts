// The thread of the embedded store of answers: its file, and its calls. Event loops reach it as they would reach a store in another loop.
import { type MessagePort } from 'node:worker_threads'
import { type CallSource } from '../../sqlite/group-commit.js'
import { createStoreClock, serveFile } from '../../sqlite/serve-file.js'
import { openResponsesFile } from './file.js'
import { SqliteResponses } from './responses.js'
import { type ResponsesStart } from './start.js'

/** Expired answers are removed by writes; this is for a gateway that writes none. */
const CLEAN_UP_MS = 60_000

/** Opens the file and serves it until the close message, or reports why it cannot. */
export function serveResponses(start: ResponsesStart, parent: MessagePort): void {
  serveFile<never>(parent, {
    noun: 'response store',
    open: () => openResponsesFile(start.path),
    createSource: (connection) => {
      const responses = new SqliteResponses(connection, createStoreClock(start.clockOffset))
      setInterval(() => responses.removeExpired(), CLEAN_UP_MS).unref()
      return sourceOf(responses)
    },
    reply(port, replies) {
      for (const reply of replies) port.postMessage(reply)
    },
    tell: () => undefined,
  })
}

const NO_EVENTS: readonly never[] = Object.freeze([])

/** The calls of event loops by their names. */
function sourceOf(responses: SqliteResponses): CallSource<never> {
  return {
    run(name, args) {
      const call = Reflect.get(responses, name) as (...args: readonly unknown[]) => unknown
      return call.apply(responses, [...args])
    },
    takeEvents: () => NO_EVENTS,
  }
}
