// Connections to strangers' servers lead to allowed addresses alone.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import { test } from 'tap'
import { createGuardedConnector } from '../../../src/upstream/strangers/guarded-connector.js'

const OPTIONS = { allowInsecure: true, timeoutMs: 2000 }

test('a server of this machine is reached where private networks are allowed, and else not', async (t) => {
  let connections = 0
  const server = createServer().on('connection', () => {
    connections += 1
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const port = String((server.address() as AddressInfo).port)
  const connect = (allowPrivateNetworks: boolean, hostname = '127.0.0.1') =>
    new Promise<string>((resolve) => {
      const resolveName = () => Promise.resolve([{ address: '127.0.0.1', family: 4 }])
      const connector = createGuardedConnector({ ...OPTIONS, allowPrivateNetworks, resolve: resolveName })
      const target = { hostname, host: `${hostname}:${port}`, port, protocol: 'http:' }
      connector(target, (error, socket) => {
        socket?.destroy()
        resolve(error === null ? 'connected' : error.message)
      })
    })
  t.equal(await connect(true), 'connected')
  t.match(await connect(false), /not public/, 'an address')
  const before = connections
  t.match(await connect(false, 'rebound.test'), /not public/, 'a name that resolves to it')
  t.equal(connections, before, 'a name is refused before anything is connected')
})
