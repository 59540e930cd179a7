// What an event loop answers the admin API, over a pipeline without a network.
import { test } from 'tap'
import { OwnLoop } from '../../../src/admin/loops/own-loop.js'
import { KeptBodies } from '../../../src/telemetry/recent/kept-bodies.js'
import { RecentRequests } from '../../../src/telemetry/recent/recent-requests.js'
import { SEED } from '../../helpers/admin.js'
import { exchangeRecord } from '../../helpers/exchange-record.js'
import { PipelineRig, turn } from '../../helpers/pipeline.js'
import { STREAMS } from '../../helpers/pipeline-wires.js'

function setUp(rig: PipelineRig) {
  const paused: string[][] = []
  const recent = new RecentRequests(() => 42)
  const bodies = new KeptBodies()
  const loop = new OwnLoop({
    ...{ loopIndex: 3, seed: SEED, recent, bodies, attempts: { windows: () => [] } },
    listOpen: () => rig.pipeline.listOpen(),
    pause: (providers) => void paused.push([...providers]),
    lineOf: ({ record }) => ({ id: record.requestId }),
  })
  return { loop, recent, bodies, paused }
}

test('a request that has ended says whether its body is kept, and the body is there by its id', async (t) => {
  const { loop, recent, bodies } = setUp(new PipelineRig())
  const body = { requestId: 'kept', path: '/p', key: 'app', owner: 'o', bytes: new Uint8Array(1) }
  bodies.note(body, 1000)
  for (const requestId of ['kept', 'other']) recent.note(exchangeRecord({ requestId }))
  const entries = await loop.call('requests', [{}, 10])
  t.same(
    entries.map(({ line, hasBody }) => [line.id, hasBody]),
    [
      ['kept', true],
      ['other', false],
    ],
  )
  t.same(await loop.call('body', ['kept']), body)
  t.equal(await loop.call('body', ['other']), null)
})

test('a stream keeps its id, waiting ones have their place, and ended ones are gone', async (t) => {
  const rig = new PipelineRig({ concurrency: 1 })
  const { loop } = setUp(rig)
  await rig.ask()
  rig.nowMs += 1
  await rig.ask()
  rig.nowMs += 1
  await rig.ask()
  const streams = await loop.call('streams', [])
  t.match(streams, [
    { id: '3.seed.1', loop: 3, requestId: 'req-1', state: 'first_token', position: null },
    { id: '3.seed.2', requestId: 'req-2', state: 'waiting', position: 1 },
    { id: '3.seed.3', requestId: 'req-3', state: 'waiting', position: 2 },
  ])
  t.same(await loop.call('streams', []), streams)
  rig.pipeline.endAll()
  t.same(await loop.call('streams', []), [])
})

test('a cancel tells what it ended, once; an exchange that nobody has looked at has no id', async (t) => {
  const rig = new PipelineRig()
  const { loop } = setUp(rig)
  await rig.ask()
  t.equal(await loop.call('cancel', ['3.seed.1', 'oncall']), null)
  await loop.call('streams', [])
  t.match(await loop.call('cancel', ['3.seed.1', 'oncall']), { requestId: 'req-1', state: 'first_token' })
  t.equal(await loop.call('cancel', ['3.seed.1', 'oncall']), null)
  t.equal(rig.record.cancelledBy, 'oncall')
})

test('a watch reads along from its entry to the end', async (t) => {
  const rig = new PipelineRig()
  const { loop } = setUp(rig)
  const client = await rig.ask()
  await loop.call('streams', [])
  t.equal(await loop.watch('3.seed.9', () => undefined), null)
  const watch = await loop.watch('3.seed.1', () => undefined)
  t.match(watch, { entry: { requestId: 'req-1' }, isCut: false, end: null })
  const { head, content, finish, marker } = STREAMS['openai-chat']
  rig.call.head()
  rig.call.send(head + content.join('') + finish + marker)
  rig.call.end()
  await turn()
  let text = ''
  for (let frames = watch?.read() ?? null; frames !== null; frames = watch?.read() ?? null) {
    text += Buffer.from(frames).toString()
  }
  t.equal(text, client.text)
  t.match(watch?.end, { outcome: 'complete' })
  watch?.detach()
})

test('the last requests are told as their lines, providers are paused', async (t) => {
  const { loop, recent, paused } = setUp(new PipelineRig())
  recent.note(exchangeRecord({ requestId: 'a', keyName: 'one' }))
  recent.note(exchangeRecord({ requestId: 'b', keyName: 'two' }))
  t.same(await loop.call('requests', [{ key: 'two' }, 10]), [{ atMs: 42, loop: 3, line: { id: 'b' }, hasBody: false }])
  t.equal(await loop.call('pause', [['north']]), null)
  t.same([paused, await loop.call('providers', [])], [[['north']], []])
})
