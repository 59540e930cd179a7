// A TCP proxy in front of PostgreSQL that cuts the connection at the commit of a change: before the server has it, or before the client has its answer.
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { type Teardown } from './gateway.js'

export type CommitCutter = {
  readonly port: number
  /** What becomes of the next commit; null lets all of them pass. Back to null once it has cut. */
  cutAt: 'before' | 'after' | null
}

const CHANGES = ['changes', 'budget_journals', 'rollup_writers'].map((table) => `insert into "sluice"."${table}"`)

export async function startCommitCutter(t: Teardown, targetPort: number): Promise<CommitCutter> {
  const sockets = new Set<Socket>()
  const hold = (socket: Socket): Socket => {
    sockets.add(socket)
    return socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
  }
  const cutter: { port: number; cutAt: CommitCutter['cutAt'] } = { port: 0, cutAt: null }
  const server = createServer({ noDelay: true }, (client) => {
    hold(client)
    const target = hold(connect({ port: targetPort, host: '127.0.0.1', noDelay: true }))
    let isCutting = false
    let isChanging = false
    client.on('close', () => target.destroy())
    target.on('close', () => client.destroy())
    client.on('data', (bytes) => {
      isChanging ||= CHANGES.some((text) => bytes.includes(text))
      // Looks for changes of others commit as well.
      if (cutter.cutAt === null || !isChanging || !bytes.includes('commit')) return target.write(bytes)
      isCutting = cutter.cutAt === 'after'
      cutter.cutAt = null
      return isCutting ? target.write(bytes) : client.resetAndDestroy()
    })
    target.on('data', (bytes) => (isCutting ? client.resetAndDestroy() : client.write(bytes)))
  })
  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  cutter.port = (server.address() as AddressInfo).port
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return cutter
}
