// The thread that owns the file of the embedded store, so that no event loop ever waits for a disk.
//
//   event loop 0 --port--.                                        .--> reply to each port, after the commit
//   event loop 1 --port--+--> [ calls waiting ] --> one commit ---+
//   event loop n --port--'                                        '--> events to all ports
import { type MessagePort } from 'node:worker_threads'
import { toGatewayError } from '../../errors.js'
import { type Connection, closeDatabaseFile } from '../../sqlite/database-file.js'
import { openJobsFile } from './file.js'
import { GroupCommit } from './group-commit.js'
import { SqliteJobs } from './jobs.js'
import { type CallMessage, type FromStore, type PortMessage, type StoreStart, type ToStore } from './messages.js'

/** Opens the file and serves it until the close message, or reports why it cannot. */
export function serveJobs(start: StoreStart, parent: MessagePort): void {
  const tell = (message: FromStore): void => parent.postMessage(message)
  let connection: Connection
  try {
    connection = openJobsFile(start.path, start.heirs)
  } catch (thrown) {
    tell({ type: 'refused', error: toGatewayError(thrown).data })
    parent.close()
    return
  }
  const ports = new Set<MessagePort>()
  const commits = new GroupCommit({
    connection,
    jobs: new SqliteJobs(connection, createStoreClock(start.clockOffset)),
    onEvents: (events) => {
      for (const port of ports) port.postMessage({ type: 'events', events } satisfies PortMessage)
    },
    onTrouble: (message) => tell({ type: 'trouble', message }),
  })
  parent.on('message', (message: ToStore) => {
    if (message.type === 'connect') return connect(message.port, { ports, commits })
    commits.flush()
    closeDatabaseFile(connection)
    for (const port of ports) port.close()
    parent.close()
  })
  tell({ type: 'opened' })
}

function connect(port: MessagePort, { ports, commits }: { ports: Set<MessagePort>; commits: GroupCommit }): void {
  const caller = {
    reply: (replies: Extract<PortMessage, { type: 'replies' }>['replies']) =>
      port.postMessage({ type: 'replies', replies } satisfies PortMessage),
  }
  ports.add(port)
  port.on('message', (call: CallMessage) => commits.push(caller, call))
  port.once('close', () => ports.delete(port))
}

/**
 * Wall-clock milliseconds as of the start of the thread, and from there on as steady as its monotonic clock: whoever sets the
 * machine's clock neither holds a job back nor lets its lease run out.
 */
function createStoreClock(offset: SharedArrayBuffer | null): () => number {
  const shift = new Float64Array(offset ?? new SharedArrayBuffer(Float64Array.BYTES_PER_ELEMENT))
  return () => performance.timeOrigin + performance.now() + (shift[0] ?? 0)
}
