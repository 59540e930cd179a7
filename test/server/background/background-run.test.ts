import { test } from 'tap'
import { errorData, GatewayError } from '../../../src/errors.js'
import { createRun, turn } from '../../helpers/background.js'
import { CAPS } from '../../helpers/responses.js'

const ANSWER = Buffer.from('{"id":"r1","status":"completed","background":true}')

test('the store shows how far it is, to its answer', async (t) => {
  const { run, accept, exchange, show, settle, told } = createRun('r1')
  t.equal(await accept(), null)
  t.match(await show(), { id: 'r1', status: 'queued', background: true, output: [], created_at: 7, streamId: null })
  const running = run.run()
  await turn()
  t.match(await show(), { status: 'in_progress' })
  exchange.own?.began?.('str_1')
  await turn()
  t.match(await show(), { status: 'in_progress', streamId: 'str_1' })
  t.same(told, ['started'])
  t.equal(await exchange.own?.keep?.(ANSWER), null)
  t.match(await show(), { status: 'completed', streamId: 'str_1' })
  settle(null)
  await running
  t.equal(await run.cancel(), false, 'what has ended stays as it is')
  t.match(await show(), { status: 'completed' })
})

test('what fails is stored with its error, whether it begins or not', async (t) => {
  const late = createRun('r1')
  await late.accept()
  const running = late.run.run()
  await turn()
  late.settle(errorData('upstream_cut'))
  await running
  t.match(await late.show(), { status: 'failed', error: { message: /ended the connection/ } })
  const never = createRun('r2')
  await never.accept()
  never.exchange.thrown = new GatewayError('unauthenticated')
  await never.run.run()
  t.match(await never.show(), { status: 'failed', error: { message: /API key/ } })
})

test('cancelled while it runs: its exchange is stopped, and no answer takes the place', async (t) => {
  const { run, accept, exchange, show, told } = createRun('r1')
  await accept()
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
  const { run, accept, show, told } = createRun('r1')
  await accept()
  t.equal(await run.cancel(), true)
  await run.run()
  t.same(told, ['stream stopped'])
  t.match(await show(), { status: 'cancelled' })
})

test('cancelled or deleted elsewhere, its answer is not stored', async (t) => {
  for (const isDeleted of [true, false]) {
    const { run, accept, exchange, show, store, cancelElsewhere, settle } = createRun('r1')
    await accept()
    const running = run.run()
    await turn()
    if (isDeleted) await store.delete('a', 'r1')
    else await cancelElsewhere()
    t.match(await exchange.own?.keep?.(ANSWER), { data: { code: 'client_gone' } })
    settle(errorData('client_gone'))
    await running
    t.match(await show(), isDeleted ? null : { status: 'cancelled' })
  }
})

test('cancelled or deleted elsewhere while it waits, it never begins, and stays so', async (t) => {
  for (const isDeleted of [true, false]) {
    const { run, accept, show, store, cancelElsewhere, told } = createRun('r1')
    await accept()
    if (isDeleted) await store.delete('a', 'r1')
    else await cancelElsewhere()
    await run.run()
    t.same(told, ['stream stopped'])
    t.match(await show(), isDeleted ? null : { status: 'cancelled' })
  }
})

test('a stream that begins when its answer is cancelled already does not bring the answer back', async (t) => {
  const { run, accept, exchange, show } = createRun('r1')
  await accept()
  const running = run.run()
  await turn()
  await run.cancel()
  await running
  exchange.own?.began?.('str_1')
  await turn()
  t.match(await show(), { status: 'cancelled', streamId: null })
})

test('an answer that cannot be stored is stored as failed: its client polls no longer', async (t) => {
  const { run, accept, exchange, show, settle } = createRun('r1')
  await accept()
  const running = run.run()
  await turn()
  const large = await exchange.own?.keep?.(Buffer.alloc(CAPS.maxBytes))
  t.match(large, { data: { code: 'storage_full' } })
  settle(large?.data ?? null)
  await running
  t.match(await show(), { status: 'failed', error: { message: /maxBytesPerKey/ } })
})

test('the memory of its request is released when it begins, and when it never does', async (t) => {
  const begun = createRun('r1')
  await begun.accept()
  t.same(begun.told, [])
  const running = begun.run.run()
  await turn()
  t.equal(begun.isRoomHeld(), false)
  begun.settle(null)
  await running
  const never = createRun('r2')
  t.equal(never.isRoomHeld(), true)
  await never.run.cancel()
  t.equal(never.isRoomHeld(), false)
})
