// A TCP proxy that can be shut: then it accepts every connection and ends it at once.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { type Teardown } from './gateway.js'

export type ShutDoor = {
  readonly port: number
  /** Ends what is open, and whatever comes. */
  shut(): void
  /** When connections came since it was shut, in monotonic ms. */
  readonly refusals: readonly number[]
}

export async function startDoor(t: Teardown, targetPort: number): Promise<ShutDoor> {
  const sockets = new Set<Socket>()
  const refusals: number[] = []
  let isShut = false
  const hold = (socket: Socket): Socket => {
    sockets.add(socket)
    return socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
  }
  const server = createServer({ noDelay: true }, (client) => {
    if (isShut) {
      refusals.push(performance.now())
      hold(client).end()
      return
    }
    hold(client)
    const target = hold(connect({ port: targetPort, host: '127.0.0.1', noDelay: true }))
    client.on('close', () => target.destroy()).pipe(target)
    target.on('close', () => client.destroy()).pipe(client)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const dropAll = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  t.teardown(() => {
    dropAll()
    server.close()
  })
  return {
    port: (server.address() as AddressInfo).port,
    refusals,
    shut() {
      isShut = true
      dropAll()
    },
  }
}
