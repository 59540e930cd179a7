// A pause between two tries: whoever leaves, nothing waits on.
import { mock } from 'node:test'
import { test } from 'tap'
import { pause } from '../../../src/pipeline/dispatch/pause.js'
import { Exchange } from '../../../src/pipeline/exchange.js'
import { PipelineRig } from '../../helpers/pipeline.js'
import { rejectionOf } from '../../helpers/thrown.js'

async function open() {
  const rig = new PipelineRig()
  rig.holds.add('decode')
  const { handle } = await rig.ask()
  if (!(handle instanceof Exchange)) throw new Error('not an exchange')
  return handle
}

test('ends after its time, which is the upstream’s', async (t) => {
  const exchange = await open()
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  let isOver = false
  const pausing = pause(exchange, 500).then(() => {
    isOver = true
  })
  mock.timers.tick(499)
  await Promise.resolve()
  t.notOk(isOver)
  mock.timers.tick(1)
  await pausing
  t.equal(exchange.upstreamSpentMs, 500)
  t.equal(exchange.onCancel, null)
})

test('ends at once with the exchange', async (t) => {
  const exchange = await open()
  const pausing = rejectionOf(pause(exchange, 60_000))
  exchange.cancel()
  t.match(await pausing, { code: 'client_gone' })
})
