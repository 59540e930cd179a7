// test/server/background/background-run.test.ts has the rest of it.
import { test } from 'tap'
import { errorData } from '../../../src/errors.js'
import { createRun, turn } from '../../helpers/background.js'
import { createDeadStore } from '../../helpers/responses.js'

test('what waits as a job may run again until its stream has begun: then it ends with its process', async (t) => {
  const { run, accept, exchange, show, settle } = createRun('r1', { phase: 'waiting' })
  await accept()
  const running = run.run()
  await turn()
  t.match(await show(), { status: 'in_progress', phase: 'waiting' })
  exchange.own?.began?.(null)
  await turn()
  t.match(await show(), { phase: 'waiting' }, 'a stream that is not kept has no events that a client could have')
  exchange.own?.began?.('str_1')
  await turn()
  t.match(await show(), { status: 'in_progress', phase: 'running', streamId: 'str_1' })
  settle(errorData('upstream_cut'))
  await running
  t.match(await show(), { status: 'failed', phase: 'over' })
})

test('without its store no run begins, and its exchange costs nothing', async (t) => {
  const { answerRun, told } = createRun('r1', { store: createDeadStore() })
  t.match(await answerRun.run(), { code: 'overloaded', retryable: true, message: /response store is unavailable/ })
  t.same(told, [])
})

test('one that has ended elsewhere is stopped when it looks, and one whose store is away goes on', async (t) => {
  const ended = createRun('r1')
  await ended.accept()
  const running = ended.answerRun.run()
  await turn()
  await ended.answerRun.look()
  t.equal(ended.answerRun.isOver, false)
  await ended.cancelElsewhere()
  await ended.answerRun.look()
  t.equal(await running, null)
  t.same(ended.told, ['started', 'stream stopped', 'cancelled'])
  const away = createRun('r1', { store: createDeadStore() })
  await away.answerRun.look()
  t.equal(away.answerRun.isOver, false)
})

test('a run that is stopped before it begins never does', async (t) => {
  const { answerRun, accept, told } = createRun('r1')
  await accept()
  answerRun.stop()
  t.equal(await answerRun.run(), null)
  t.same(told, ['stream stopped'])
})
