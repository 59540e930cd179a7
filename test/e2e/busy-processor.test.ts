// Other processes take most of the gateway's processor: that makes answers late, and is no overload of the gateway's. Judged by
// counts alone. (Without the run queue's wait taken out, a tenth to a fifth of these requests was refused.)
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'tap'
import { Agent, request } from 'undici'
import { startGateway } from '../helpers/gateway.js'
import { parsePage, sampleValue } from '../helpers/prometheus.js'

const CPU = '0'
const RIVALS = 5
const REQUESTS = 700
/** Nothing here is judged by the clock; this only ends a test that hangs. */
const AT_MOST_MS = 240_000
const canPin = process.platform === 'linux' && spawnSync('taskset', ['-c', CPU, 'true']).status === 0

test('no request is shed for what other processes take of the processor', {
  skip: canPin ? false : 'needs taskset',
  timeout: AT_MOST_MS,
}, async (t) => {
  const gateway = await startGateway(t, { config: { limits: { concurrency: null } } })
  t.equal(spawnSync('taskset', ['-a', '-c', '-p', CPU, String(gateway.pid)]).status, 0)
  const rivals = Array.from({ length: RIVALS }, () => {
    const rival = spawn('taskset', ['-c', CPU, process.execPath, '-e', 'for (;;);'], { stdio: 'ignore' })
    t.teardown(async () => {
      const ended = once(rival, 'exit')
      rival.kill('SIGKILL')
      await ended
    })
    return once(rival, 'spawn')
  })
  await Promise.all(rivals)
  const agent = new Agent({ connections: REQUESTS, headersTimeout: AT_MOST_MS, bodyTimeout: AT_MOST_MS })
  t.teardown(() => agent.destroy())
  const messages = [{ role: 'user', content: 'Hello '.repeat(50) }]
  const statuses = await Promise.all(
    Array.from({ length: REQUESTS }, async () => {
      const { statusCode, body } = await request(`${gateway.origin}/v1/chat/completions`, {
        ...{ method: 'POST', dispatcher: agent },
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'sim/echo', stream: true, messages }),
      })
      await body.dump()
      return statusCode
    }),
  )
  t.equal(statuses.filter((status) => status === 200).length, REQUESTS)
  const { samples } = parsePage(await (await request(`${gateway.origin}/metrics`, { dispatcher: agent })).body.text())
  t.equal(sampleValue(samples, 'sluice_limit_rejections_total', { scope: 'gateway', limit: 'lag' }), null)
})
