// What a sink tells the pipeline, and is told by it, goes through every sink that stands in front of it.
import { test } from 'tap'
import { type Answer, type Sink } from '../../src/pipeline/sink.js'
import { type KeptSink } from '../../src/server/kept/kept-sink.js'
import { PassingSink } from '../../src/server/passing-sink.js'
import { HandleSink } from '../../src/server/sharing/handle-sink.js'
import { ReaderSink } from '../../src/server/sharing/reader-sink.js'
import { SharedSink } from '../../src/server/sharing/shared-sink.js'
import { LinkTokens } from '../../src/streams/access/link-token.js'
import { FakeSink } from '../helpers/fake-sink.js'
import { createKeptRig, FORMAT } from '../helpers/kept-sink.js'

const HEAD = { headers: [], contentType: 'text/event-stream', transport: 'sse' } as const
const ANSWER: Answer = { status: 200, headers: [], body: new Uint8Array(1), error: null }
const PLACE = { position: 1, etaMs: null }
const nothing = (): void => undefined

test('it passes everything on, and invents nothing for a sink that tells nothing', (t) => {
  const told: string[] = []
  const inner: Sink = {
    ...{ transport: 'ndjson', streamId: 'str_a', keptId: 'str_abc', isShared: true },
    reply: (answer) => void told.push(`reply ${answer.status}`),
    begin: (head) => void told.push(`begin ${head.transport}`),
    keepalive: () => void told.push('keepalive'),
    queued: ({ position }) => void told.push(`queued ${position}`),
    follow(_attach, onDone) {
      onDone({ result: 'delivered', bytes: 7 })
    },
  }
  const sink = new PassingSink(inner)
  sink.queued(PLACE)
  sink.begin(HEAD, FORMAT)
  sink.keepalive()
  sink.reply(ANSWER)
  sink.follow(
    () => t.fail('it is not read here') as never,
    ({ result, bytes }) => told.push(`${result} ${bytes}`),
  )
  t.same(told, ['queued 1', 'begin sse', 'keepalive', 'reply 200', 'delivered 7'])
  t.same([sink.transport, sink.streamId, sink.keptId, sink.isShared], ['ndjson', 'str_a', 'str_abc', true])
  const plain = new PassingSink(new FakeSink('ndjson'))
  t.same([plain.transport, plain.streamId, plain.keptId, plain.isShared], ['ndjson', null, null, false])
  t.end()
})

test('the id of a kept stream is known through all that are put in front of its sink', (t) => {
  const rig = createKeptRig()
  const kept = rig.wrap(new FakeSink()) as KeptSink
  const events = { onBegin: nothing, onAnswer: nothing, onReader: nothing, onEnd: nothing }
  const handle = new HandleSink(kept, events)
  const links = new LinkTokens({ secret: 'a secret of this test', owners: ['owner-1'], nowMs: () => 0 })
  const shared = new SharedSink(handle, {
    streams: rig.streams,
    policy: {
      ...{ resume: 'ask', graceMs: 1000, keepMs: 5000, maxStreamBytes: 1_000_000, maxLagBytes: 100_000, links },
      reserve: () => rig.budget.open(),
    },
    ...{ key: { index: 0, name: 'team-a', owner: 'owner-1' }, surfaceId: 'fake', requestId: 'req-1' },
    events: { onBegin: nothing, onAnswer: nothing, onEnd: nothing },
  })
  const reading = { isRepeat: false, isFollower: true, links: null, hasIds: false, onReader: nothing }
  const follower = new ReaderSink(handle, { ...reading, source: null })
  t.equal(shared.keptId, null, 'before it begins')
  shared.begin(HEAD, FORMAT)
  const id = kept.stream?.facts.id ?? ''
  t.match(id, /^str_/)
  t.same(
    [kept, handle, shared, follower].map(({ keptId }) => keptId),
    [id, id, id, id],
  )
  const repeat = new ReaderSink(new FakeSink(), { ...reading, isRepeat: true, source: kept.stream })
  t.same([repeat.keptId, repeat.streamId], [id, kept.streamId])
  t.end()
})
