// Providers: the attempts of all event loops together, and pauses that hold on all of them.
import { test } from 'tap'
import { providerRoutes } from '../../../src/admin/routes/providers.js'
import { adminContext, FakeLoop } from '../../helpers/admin.js'
import { rejectionOf } from '../../helpers/thrown.js'

const OPERATOR = { name: 'oncall', role: 'write' } as const
const FACTS = { protocol: 'p', baseUrl: 'http://127.0.0.1/v1' }
const NORTH = { ...FACTS, name: 'north', breaker: 'half-open' }
const SOUTH = { ...FACTS, name: 'south', breaker: 'closed' }

function setUp(loops: readonly FakeLoop[]) {
  const { context, events } = adminContext(loops, { providers: () => [NORTH, SOUTH] })
  const ask = async (end: string, name = '') => {
    const route = providerRoutes(context).find(({ path }) => path.endsWith(end))
    const answer = await route?.act({ operator: OPERATOR, name, query: {}, body: {} } as never)
    return answer?.body as { data?: object[]; paused?: boolean }
  }
  return { ask, events, context }
}

test('a provider is shown with the attempts of all loops', async (t) => {
  const window = (firstTokenMs: number[], failed: number) => ({
    ...{ provider: 'north', attempts: 10, failed, rateLimited: 1 },
    firstTokenMs,
  })
  const loops = [window([10, 30.4], 1), window([20], 4)].map((each) => new FakeLoop({ providers: () => [each] }))
  const { data } = await setUp([...loops, new FakeLoop()]).ask('/providers')
  t.same(data, [
    {
      ...{ ...NORTH, paused: false, windowMs: 300_000, attempts: 20, failed: 5, errorShare: 0.25, rateLimited: 2 },
      firstTokenMs: { p50: 20, p95: 30 },
    },
    {
      ...{ ...SOUTH, paused: false, windowMs: 300_000, attempts: 0, failed: 0, errorShare: null, rateLimited: 0 },
      firstTokenMs: { p50: null, p95: null },
    },
  ])
})

test('pauses add up, are told to all loops, and only changes are in the audit', async (t) => {
  const loop = new FakeLoop({ providers: () => [], pause: () => null })
  const { ask, events } = setUp([loop])
  t.match(await ask('/pause', 'north'), { name: 'north', paused: true })
  await ask('/pause', 'south')
  await ask('/pause', 'south')
  t.match(await ask('/resume', 'north'), { paused: false })
  const pauses = loop.calls.filter(({ name }) => name === 'pause').map(({ args }) => args[0])
  t.same(pauses, [['north'], ['north', 'south'], ['north', 'south'], ['south']])
  t.match(events, [
    { by: 'oncall', action: 'provider.pause', target: 'north', before: { paused: false }, after: { paused: true } },
    { action: 'provider.pause', target: 'south' },
    { action: 'provider.resume', target: 'north', before: { paused: true }, after: { paused: false } },
  ])
  t.equal(events.length, 3)
})

test('a pause that an event loop has not confirmed is in the audit, once', async (t) => {
  const { ask, events } = setUp([new FakeLoop({ providers: () => [], pause: () => null }), new FakeLoop()])
  for (let tried = 0; tried < 2; tried += 1) t.ok(await rejectionOf(ask('/pause', 'north')))
  t.match(events, [{ by: 'oncall', action: 'provider.pause', target: 'north', after: { paused: true } }])
  t.equal(events.length, 1)
})

test('what is no provider cannot be paused', async (t) => {
  const { ask, context } = setUp([new FakeLoop({ pause: () => null })])
  t.match(await rejectionOf(ask('/pause', 'west')), { code: 'not_found' })
  t.equal(['north', 'south', 'nowhere'].filter((name) => context.paused.has(name)).length, 0)
})
