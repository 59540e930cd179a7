// The thread of an embedded store, on its own side: opens the file, takes the ports of event loops, and closes the file in the end.
//
//   event loop 0 --port--.                                        .--> reply to each port, after the commit
//   event loop 1 --port--+--> [ calls waiting ] --> one commit ---+
//   event loop n --port--'                                        '--> events to all ports, where a store has events
import { type MessagePort } from 'node:worker_threads'
import { toGatewayError } from '../errors.js'
import { type Connection, closeDatabaseFile } from './database-file.js'
import { GroupCommit, type GroupCommitOptions } from './group-commit.js'
import { type CallMessage, type CallReply, type FromStore, type ToStore } from './messages.js'

export type FileServer<Event> = Pick<GroupCommitOptions<Event>, 'noun'> & {
  /** @throws misconfigured */
  open(): Connection
  createSource(connection: Connection): GroupCommitOptions<Event>['source']
  /** Sends the replies of one commit. */
  reply(port: MessagePort, replies: readonly CallReply[]): void
  /** Sends the events of one commit. */
  tell(port: MessagePort, events: readonly Event[]): void
}

/** Opens the file and serves it until the close message, or reports why it cannot. */
export function serveFile<Event>(parent: MessagePort, server: FileServer<Event>): void {
  const tell = (message: FromStore): void => parent.postMessage(message)
  let connection: Connection
  try {
    connection = server.open()
  } catch (thrown) {
    tell({ type: 'refused', error: toGatewayError(thrown).data })
    parent.close()
    return
  }
  const ports = new Set<MessagePort>()
  const commits = new GroupCommit<Event>({
    ...{ connection, noun: server.noun, source: server.createSource(connection) },
    onEvents: (events) => {
      for (const port of ports) server.tell(port, events)
    },
    onTrouble: (message) => tell({ type: 'trouble', message }),
  })
  const connect = (port: MessagePort): void => {
    const caller = { reply: (replies: readonly CallReply[]) => server.reply(port, replies) }
    ports.add(port)
    port.on('message', (call: CallMessage) => commits.push(caller, call))
    port.once('close', () => ports.delete(port))
  }
  parent.on('message', (message: ToStore) => {
    if (message.type === 'connect') return connect(message.port)
    commits.flush()
    closeDatabaseFile(connection)
    for (const port of ports) port.close()
    parent.close()
  })
  tell({ type: 'opened' })
}

/**
 * Wall-clock milliseconds as of the start of the thread, and from there on as steady as its monotonic clock: whoever sets the
 * machine's clock neither holds a row back nor lets it expire. `offset`: one Float64, added to it, for tests that move time.
 */
export function createStoreClock(offset: SharedArrayBuffer | null): () => number {
  const shift = new Float64Array(offset ?? new SharedArrayBuffer(Float64Array.BYTES_PER_ELEMENT))
  return () => performance.timeOrigin + performance.now() + (shift[0] ?? 0)
}
