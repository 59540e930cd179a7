// A TCP proxy that cuts connections: each may bring so many bytes to the client and is then ended, in good order or by a reset,
// wherever that is: in the head, in a frame, between two. It knows nothing of what passes through.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { type Teardown } from './gateway.js'

/** What is to become of one connection. */
export type Cut = {
  /** It ends once so many bytes have passed to the client; at 0 as soon as the server answers. */
  readonly afterBytes: number
  readonly how: 'fin' | 'rst'
}

export type CuttingProxy = {
  readonly port: number
  readonly origin: string
  /** Connections so far, and those cut. */
  readonly counts: { accepted: number; cut: number }
}

/** `cutOf` is asked for each connection, counted from 0; null leaves it alone. So is the target, where there are several. */
export async function startCuttingProxy(
  t: Teardown,
  targetPort: number | ((connection: number) => number),
  cutOf: (connection: number) => Cut | null,
): Promise<CuttingProxy> {
  const counts = { accepted: 0, cut: 0 }
  const sockets = new Set<Socket>()
  const hold = (socket: Socket): Socket => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    return socket.on('close', () => sockets.delete(socket))
  }
  const server = createServer({ noDelay: true }, (client) => {
    const cut = cutOf(counts.accepted)
    counts.accepted += 1
    hold(client)
    const port = typeof targetPort === 'number' ? targetPort : targetPort(counts.accepted)
    const target = hold(connect({ port, host: '127.0.0.1', noDelay: true }))
    client.on('close', () => target.destroy()).pipe(target)
    target.on('close', () => client.destroy())
    let left = cut?.afterBytes ?? Number.POSITIVE_INFINITY
    target.on('data', (bytes) => {
      const passed = bytes.subarray(0, Math.min(bytes.length, left))
      left -= passed.length
      const isFull = !client.write(passed)
      if (cut !== null && (left === 0 || passed.length < bytes.length)) {
        counts.cut += 1
        target.destroy()
        if (cut.how === 'rst') client.resetAndDestroy()
        else client.destroySoon()
      } else if (isFull) {
        target.pause()
        client.once('drain', () => target.resume())
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { port, origin: `http://127.0.0.1:${port}`, counts }
}
