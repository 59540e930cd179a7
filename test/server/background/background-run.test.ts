import { test } from 'tap'
import { errorData, GatewayError } from '../../../src/errors.js'
import { createRun, turn } from '../../helpers/background.js'

const ANSWER = Buffer.from('{"id":"r1","status":"completed","background":true}')

test('the store shows how far it is, to its answer', async (t) => {
  const { run, exchange, show, settle } = createRun('r1')
  t.equal(await run.commit('queued'), null)
  t.match(await show(), { id: 'r1', status: 'queued', background: true, output: [], created_at: 7, streamId: null })
  const running = run.run()
  await turn()
  t.match(await show(), { status: 'in_progress' })
  exchange.own?.began?.('str_1')
  t.match(await show(), { status: 'in_progress', streamId: 'str_1' })
  t.equal(await exchange.own?.keep?.(ANSWER), null)
  t.match(await show(), { status: 'completed', streamId: 'str_1' })
  settle(null)
  await running
  t.equal(await run.cancel(), false, 'what has ended stays as it is')
  t.match(await show(), { status: 'completed' })
})

test('what fails is stored with its error, whether it begins or not', async (t) => {
  const late = createRun('r1')
  await late.run.commit('queued')
  const running = late.run.run()
  await turn()
  late.settle(errorData('upstream_cut'))
  await running
  t.match(await late.show(), { status: 'failed', error: { message: /ended the connection/ } })
  const never = createRun('r2')
  await never.run.commit('queued')
  never.exchange.thrown = new GatewayError('unauthenticated')
  await never.run.run()
  t.match(await never.show(), { status: 'failed', error: { message: /API key/ } })
})

test('cancelled while it runs: its exchange is stopped, and no answer takes the place', async (t) => {
  const { run, exchange, show, told } = createRun('r1')
  await run.commit('queued')
  const running = run.run()
  await turn()
  t.equal(await run.cancel(), true)
  await running
  t.same(told, ['started', 'stream stopped', 'cancelled'])
  t.match(await exchange.own?.keep?.(ANSWER), { data: { code: 'client_gone' } })
  t.match(await show(), { status: 'cancelled' })
  t.equal(await run.cancel(), false)
})

test('cancelled while it waits: it never begins', async (t) => {
  const { run, show, told } = createRun('r1')
  await run.commit('queued')
  t.equal(await run.cancel(), true)
  await run.run()
  t.same(told, ['stream stopped'])
  t.match(await show(), { status: 'cancelled' })
})

test('cancelled or deleted elsewhere, its answer is not stored', async (t) => {
  for (const isDeleted of [true, false]) {
    const { run, exchange, show, store, desk, settle } = createRun('r1')
    await run.commit('queued')
    const running = run.run()
    await turn()
    if (isDeleted) await store.delete('a', 'r1')
    else
      await desk.commit({
        ...{ id: 'r1', owner: 'a', model: 'm', input: Buffer.from('[]'), streamId: null },
        response: run.show('cancelled'),
      })
    t.match(await exchange.own?.keep?.(ANSWER), { data: { code: 'client_gone' } })
    settle(errorData('client_gone'))
    await running
    t.match(await show(), isDeleted ? null : { status: 'cancelled' })
  }
})
