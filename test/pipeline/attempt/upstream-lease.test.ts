// The provider's slot and the running call: each is given back once.
import { mock } from 'node:test'
import { type Test, test } from 'tap'
import { UpstreamLease } from '../../../src/pipeline/attempt/upstream-lease.js'
import { type UpstreamCall } from '../../../src/upstream/call.js'
import { NORTH, PipelineRig } from '../../helpers/pipeline.js'

function hold(t: Test) {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const { limiter, parts } = new PipelineRig()
  const [found] = parts.router.route({ model: 'one', provider: null, allowed: ['*'] }).targets
  if (found === undefined) throw new Error('no target')
  const routed = { ...found, slot: 0 }
  limiter.enterProvider(NORTH)
  limiter.enterTarget(0)
  const seen = { aborts: 0, tokens: 0 }
  const call: UpstreamCall = {
    abort: () => {
      seen.aborts += 1
    },
    sawToken: () => {
      seen.tokens += 1
    },
    bytesReceived: 0,
    isReused: false,
    attempts: 1,
  }
  const taken = () => (limiter.providers.get(NORTH) ?? 0) + limiter.targetLoad(0)
  return { connection: new UpstreamLease(limiter, routed), call, seen, taken }
}

test('a connection that never carried a call still releases its slot, once', async (t) => {
  const { connection, taken } = hold(t)
  connection.close()
  connection.close()
  t.equal(taken(), 0)
})

test('closing aborts the call, once', async (t) => {
  const { connection, call, seen, taken } = hold(t)
  connection.carry(call)
  connection.sawToken()
  t.equal(seen.tokens, 1)
  connection.close()
  connection.close()
  t.equal(seen.aborts, 1)
  t.equal(taken(), 0)
})

test('a complete answer gives the slot back at once and leaves the connection a moment', async (t) => {
  const { connection, call, seen, taken } = hold(t)
  connection.carry(call)
  connection.linger()
  t.equal(taken(), 0)
  mock.timers.tick(999)
  t.equal(seen.aborts, 0)
  mock.timers.tick(1)
  t.equal(seen.aborts, 1)
  t.equal(taken(), 0, 'not given back twice')
})

test('an upstream that ended in time leaves no timer behind', async (t) => {
  const { connection, call, seen } = hold(t)
  connection.carry(call)
  connection.linger()
  connection.close()
  t.equal(seen.aborts, 1)
  mock.timers.tick(5000)
  t.equal(seen.aborts, 1)
})

test('after it is closed there is nothing to linger for', async (t) => {
  const { connection, call, seen, taken } = hold(t)
  connection.carry(call)
  connection.close()
  connection.linger()
  mock.timers.tick(5000)
  t.equal(seen.aborts, 1)
  t.equal(taken(), 0)
})
