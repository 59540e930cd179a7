import { test } from 'tap'
import { GatewayError } from '../../../src/errors.js'
import { type Sink } from '../../../src/pipeline/sink.js'
import { stored } from '../../../src/protocols/openai-responses/stored.js'
import { Bell } from '../../../src/server/background/bell.js'
import { createAnswerRun, type RunGround } from '../../../src/server/background/create-run.js'
import { type KeepAsking } from '../../../src/server/context.js'
import { createDesk, queuedRecord, turn } from '../../helpers/background.js'
import { FakePipeline, fakeSurface } from '../../helpers/fake-pipeline.js'
import { createMemoryStore } from '../../helpers/responses.js'

const KEY = { index: 0, name: 'a', owner: 'a' }

function setUp(isStream: boolean, over: Partial<RunGround> = {}) {
  const desk = createDesk(createMemoryStore().store)
  const bell = new Bell()
  const record = queuedRecord('r1')
  const pipeline = new FakePipeline(() => undefined)
  const kept: KeepAsking[] = []
  const told: string[] = []
  const keep = (sink: Sink, asking: KeepAsking) => {
    kept.push(asking)
    return Object.assign(Object.create(sink), {
      hold: () => void told.push('held'),
      stop: (error: { message: string }) => void told.push(error.message),
    })
  }
  const body = new Uint8Array(Buffer.from('{}'))
  const run = createAnswerRun({
    ...{ record, desk, bell, stored, members: { id: 'r1' } },
    request: { requestId: 'q1', surface: fakeSurface, body, parameterHeaders: { 'x-a': 'b' }, isStream },
    ground: () => ({ pipeline, keeping: { keep }, key: KEY, nowMs: 5, ...over }),
  })
  return { run, desk, bell, record, pipeline, kept, told }
}

test('its request was counted when it was accepted, and bears the id that its client has', async (t) => {
  const { run, desk, record, pipeline, kept } = setUp(false)
  await desk.commit(record)
  void run.run()
  await turn()
  t.match(pipeline.exchanges[0]?.request, {
    ...{ requestId: 'q1', key: KEY, isCounted: true, acceptedAtMs: 5, parameterHeaders: { 'x-a': 'b' }, origin: null },
    own: { members: { id: 'r1' }, isPrivate: true },
  })
  t.same(kept, [], 'nobody comes for its events')
})

test('its stream is kept to its end, whoever reads it, and stopped with the run', async (t) => {
  const { run, desk, record, kept, told } = setUp(true)
  await desk.commit(record)
  const running = run.run()
  await turn()
  t.match(kept, [{ key: KEY, surfaceId: 'fake', requestId: 'q1', hasIds: false, isLasting: true }])
  run.stop()
  t.equal(await running, null)
  t.same(told, ['held', 'The response was cancelled.'])
})

test('where no stream is kept any more it runs all the same, and a key that is gone fails it', async (t) => {
  const { run, desk, record, pipeline } = setUp(true, { keeping: null })
  await desk.commit(record)
  void run.run()
  await turn()
  t.equal(pipeline.exchanges.length, 1)
  const gone = createAnswerRun({
    ...{ record, desk, bell: new Bell(), stored, members: { id: 'r1' } },
    request: { requestId: 'q', surface: fakeSurface, body: new Uint8Array(), parameterHeaders: {}, isStream: true },
    ground: () => {
      throw new GatewayError('unauthenticated')
    },
  })
  t.match(await gone.run(), { code: 'unauthenticated' })
})

test('those who wait are told when the store is', async (t) => {
  const { run, desk, record, bell } = setUp(false)
  await desk.commit(record)
  let rung = 0
  bell.wait('r1', () => void rung++)
  void run.run()
  await turn()
  t.equal(rung, 1)
})
