// A real nginx in front of a provider, with HTTP/2 and connections that it gives up after a few requests, after a pause, or with each
// reload: no request may fail, and none is sent twice. It runs where there is an nginx (Debian package nginx-light), and is skipped by
// name elsewhere.
import { type Test, test } from 'tap'
import { request } from 'undici'
import { findProgram } from '../helpers/find-program.js'
import { simulatedProviders, startGateway, startSimulator } from '../helpers/gateway.js'
import { type Nginx, startNginx } from '../helpers/nginx.js'
import { parsePage, sampleValue } from '../helpers/prometheus.js'

const nginx = findProgram(['nginx', '/usr/sbin/nginx'], { PATH: `${process.env.PATH ?? ''}:/usr/sbin` })
const skip = nginx === null ? 'no nginx in PATH' : false
const REQUESTS = 1500
const AT_ONCE = 100

/** Requests that go on until they are as many, and what they came to. */
async function load(t: Test, directives: readonly string[], disturb: (front: Nginx, done: number) => void = () => {}) {
  const simulator = await startSimulator(t, ['--tokens-per-second', '2000'])
  const front = await startNginx(t, nginx ?? '', simulator.origin, directives)
  const { openai } = simulatedProviders(front.origin)
  const gateway = await startGateway(t, {
    config: {
      limits: { shed: { lagMs: null } },
      // One try: what fails is seen.
      routing: { retries: { max: 0 }, breaker: { enabled: false } },
      providers: { openai: { ...openai, http2: 'on', tls: { caFile: front.caFile } } },
    },
  })
  const ill: string[] = []
  let [begun, done] = [0, 0]
  const client = async (): Promise<void> => {
    while (begun < REQUESTS) {
      const stream = begun++ % 3 !== 0
      const { statusCode, body } = await request(`${gateway.origin}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'openai/lorem-20', stream, messages: [{ role: 'user', content: 'Hi' }] }),
      })
      const text = await body.text()
      if (statusCode !== 200 || (stream && !text.endsWith('data: [DONE]\n\n')))
        ill.push(`${statusCode} ${text.slice(-300)}`)
      disturb(front, ++done)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, client))
  t.same(ill.slice(0, 3), [], `${ill.length} of ${REQUESTS}`)
  const { body } = await request(`${gateway.origin}/metrics`)
  t.equal(sampleValue(parsePage(await body.text()).samples, 'sluice_active_requests'), 0)
  t.equal(await gateway.stop(), 0)
}

test('connections that end after ten requests', { skip }, (t) => load(t, ['keepalive_requests 10']))

test('connections that end after a thousand requests, as they do by default', { skip }, (t) => load(t, []))

test('connections that take four streams, and close when they are idle', { skip }, (t) =>
  load(t, ['http2_max_concurrent_streams 4', 'keepalive_timeout 1s']),
)

test('a front that is reloaded again and again', { skip }, (t) =>
  load(t, [], (front, done) => {
    if (done % 250 === 0) front.reload()
  }),
)
