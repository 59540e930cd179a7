// What an attempt takes before it begins, and what it leaves when it may not.
import { test } from 'tap'
import { openAttempt } from '../../../src/pipeline/dispatch/open-attempt.js'
import { Exchange } from '../../../src/pipeline/exchange.js'
import { FREE } from '../../../src/routing/breaker.js'
import { NORTH, PipelineRig } from '../../helpers/pipeline.js'
import { thrownBy } from '../../helpers/thrown.js'

async function setUp() {
  const rig = new PipelineRig({ providerSlots: 1 })
  rig.holds.add('decode')
  const { handle } = await rig.ask()
  if (!(handle instanceof Exchange)) throw new Error('not an exchange')
  const [routed] = rig.parts.router.route({ model: 'one', provider: null, allowed: ['*'] }).targets
  if (routed === undefined) throw new Error('no target')
  return { rig, exchange: handle, routed }
}

test('an attempt holds a slot until it is closed, and is not made without one', async (t) => {
  const { rig, exchange, routed } = await setUp()
  const attempt = openAttempt(exchange, { routed, permit: FREE })
  if (attempt instanceof Promise) throw new Error('nobody else had to be asked')
  t.equal(rig.limiter.providers.get(NORTH), 1)
  t.match(
    thrownBy(() => openAttempt(exchange, { routed, permit: FREE })),
    { code: 'overloaded', status: 503 },
  )
  t.same(rig.metrics.rejections, ['provider concurrency'])
  attempt.close()
  attempt.close()
  t.equal(rig.limiter.providers.get(NORTH), 0)
})

test('a target without a dialect takes no slot', async (t) => {
  const { rig, exchange, routed } = await setUp()
  const foreign = { ...routed, target: { ...routed.target, protocol: 'none' } }
  t.match(
    thrownBy(() => openAttempt(exchange, { routed: foreign, permit: FREE })),
    { code: 'misconfigured' },
  )
  t.equal(rig.limiter.providers.get(NORTH) ?? 0, 0)
})

test('where other machines are asked for the slot, the attempt comes with their word', async (t) => {
  const { rig, exchange, routed } = await setUp()
  rig.limiter.asks = Promise.resolve()
  const attempt = await openAttempt(exchange, { routed, permit: FREE })
  t.equal(rig.limiter.providers.get(NORTH), 1)
  await t.rejects(Promise.resolve(openAttempt(exchange, { routed, permit: FREE })), {
    message: /concurrency limit/,
  })
  attempt.close()
  t.equal(rig.limiter.providers.get(NORTH), 0)
})
