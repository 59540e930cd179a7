// What is told of breakers: every provider has a state, the one that fails the worst of its targets'.
import { test } from 'tap'
import { errorData } from '../../src/errors.js'
import { logBreaker, providerStatuses, tellBreakers } from '../../src/gateway/breaker-states.js'
import { FREE } from '../../src/routing/breaker.js'
import { Breakers } from '../../src/routing/breakers.js'
import { testProvider, testTarget } from '../helpers/targets.js'

const CONFIG = {
  providers: ['north', 'south'].map((name) => testProvider('http://127.0.0.1:1', { name })),
}
const BREAKER = {
  enabled: true,
  consecutiveFailures: 1,
  errorRate: 1,
  minRequests: 100,
  windowMs: 1000,
  openMs: 1000,
  probes: 1,
}

test('reports every provider, closed while it has no failures', (t) => {
  const breakers = new Breakers(BREAKER, () => 0)
  const told = new Map<string, number>()
  const metrics = { breakerState: (name: string, state: number) => told.set(name, state) }
  tellBreakers(CONFIG, breakers, metrics as never)
  t.same(
    [...told],
    [
      ['north', 0],
      ['south', 0],
    ],
  )
  breakers.record({ ...testTarget('openai-chat'), provider: 'south' }, FREE, errorData('upstream_unreachable'))
  tellBreakers(CONFIG, breakers, metrics as never)
  t.same(
    [...told],
    [
      ['north', 0],
      ['south', 2],
    ],
  )
  t.end()
})

test('a provider stands as the metrics of all loops have it; one they do not know is closed', (t) => {
  t.same(providerStatuses(CONFIG, new Map([['south', 1]])), [
    { name: 'north', configured: true, breaker: 'closed' },
    { name: 'south', configured: true, breaker: 'half-open' },
  ])
  t.end()
})

test('a breaker that opens is a warning with its reason, the way back is not', async (t) => {
  const lines: unknown[][] = []
  const log = {
    info: (...line: unknown[]) => void lines.push(['info', ...line]),
    warn: (...line: unknown[]) => void lines.push(['warn', ...line]),
  }
  const target = testTarget('w', { provider: 'north', model: 'large' })
  logBreaker(log, { target, state: 'open', error: errorData('upstream_timeout'), waitMs: 500 })
  logBreaker(log, { target, state: 'closed', error: null, waitMs: null })
  const reason = 'The provider did not answer in time.'
  t.same(lines, [
    ['warn', { target: 'north/large', code: 'upstream_timeout', reason, waitMs: 500 }, 'breaker open'],
    ['info', { target: 'north/large' }, 'breaker closed'],
  ])
})
