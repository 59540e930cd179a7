// Hostile clients and upstreams at a running gateway: whatever they do, the process lives, what was taken is given back,
// and others are served. Each test is a fault that once got through, or a line of the contract under attack.

import { test } from 'tap'
import { startGateway } from '../helpers/gateway.js'
import { exchangeRaw } from '../helpers/raw-http.js'

test('a head of 12 KB, a long token, is read and answered; 20 KB is refused', async (t) => {
  const gateway = await startGateway(t, { config: {} })
  const get = (bytes: number) =>
    exchangeRaw(portOf(gateway.origin), `GET /livez HTTP/1.1\r\nHost: x\r\nX-Long: ${'a'.repeat(bytes)}\r\n\r\n`)
  t.equal((await get(12_000)).answers[0]?.status, 200)
  t.equal((await get(20_000)).answers[0]?.status, 431)
})

function portOf(origin: string): number {
  return Number(new URL(origin).port)
}
