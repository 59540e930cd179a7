// One turn as its socket sees it: entries become messages of its lane, and every end is told once.
import { test } from 'tap'
import { errorData } from '../../../src/errors.js'
import { socketMode as mode } from '../../../src/protocols/openai-responses/socket-mode.js'
import { LaneSink } from '../../../src/server/websocket/lane-sink.js'
import { type SocketChat } from '../../../src/server/websocket/socket.js'
import { StreamLog } from '../../../src/streams/log.js'
import { COMPLETE } from '../../helpers/fake-pipeline.js'
import { CUT } from '../../helpers/kept.js'

function start(lane: string | null = 'a') {
  const sent: unknown[] = []
  const ends: string[] = []
  const results: string[] = []
  let cancels = 0
  const socket = {
    enqueue: () => undefined,
    send: (message: Uint8Array) => void sent.push(JSON.parse(Buffer.from(message).toString())),
    forget: (chat: SocketChat) => void ends.push(`forgotten ${chat.id}`),
  }
  const sink = new LaneSink({ socket, mode, lane, requestId: 'r', onOver: ({ id }) => void ends.push(`over ${id}`) })
  sink.hold({ cancel: () => void cancels++ })
  const log = new StreamLog({ capBytes: 1_000_000, retainBytes: 0 }, () => undefined)
  const follow = (): void =>
    sink.follow(
      (onReadable) => log.attach(onReadable),
      ({ result }) => results.push(result),
    )
  const append = (...frames: string[]): void =>
    log.append(Buffer.from(frames.map((each) => `data: ${each}\n\n`).join('')))
  const drain = (): void => {
    while (sink.sendNext());
  }
  return { sink, log, sent, ends, results, cancels: () => cancels, follow, append, drain }
}

const FORMAT = {
  keepaliveFrame: '',
  encodeErrorFrame: () =>
    'event: error\ndata: {"type":"error"}\n\nevent: response.failed\ndata: {"type":"response.failed"}\n\n',
}
const HEAD = { headers: [], contentType: '', transport: 'sse' } as const

test('frames are sent as messages of the lane; the id of the answer is in the first, and the end marker in none', (t) => {
  const turn = start()
  t.equal(turn.sink.sendNext(), false, 'nothing to send before it follows a stream')
  turn.sink.begin(HEAD, FORMAT)
  turn.follow()
  turn.append('{"type":"response.created","response":{"id":"resp_1"}}', '{"n":1}')
  turn.append('[DONE]')
  turn.log.close(COMPLETE)
  turn.drain()
  t.match(turn.sent, [
    { type: 'response.created', stream_id: 'a' },
    { n: 1, stream_id: 'a' },
  ])
  t.equal(turn.sent.length, 2)
  t.same([turn.sink.answerId, turn.sink.sent], ['resp_1', 2])
  t.same([turn.results, turn.ends], [['delivered'], ['forgotten r', 'over r']])
  turn.sink.leave('client_gone')
  t.same([turn.results.length, turn.ends.length, turn.cancels()], [1, 2, 0], 'only once')
  t.end()
})

test('a stream that fails ends with its error frame as messages, and so does a frame that is no object', (t) => {
  for (const isBroken of [false, true]) {
    const turn = start()
    turn.sink.begin(HEAD, FORMAT)
    turn.follow()
    turn.append('{"n":1}')
    if (isBroken) turn.append('"x"', '{"n":2}')
    else turn.log.close(CUT)
    turn.drain()
    t.same(turn.sent, [
      { n: 1, stream_id: 'a' },
      { type: 'error', status: 502, stream_id: 'a' },
      { type: 'response.failed', stream_id: 'a' },
    ])
    t.same(turn.results, [isBroken ? 'upstream_cut' : 'delivered'])
  }
  t.end()
})

test('a refusal has its status, and what its client waits by; a whole answer is sent as it is', (t) => {
  const refused = start(null)
  const headers = [
    ['retry-after', '3'],
    ['x-other', '1'],
  ] as const
  const error = errorData('rate_limited')
  refused.sink.reply({ status: 429, headers, body: Buffer.from('{"error":{"message":"m"}}'), error })
  refused.sink.reply({ status: 429, headers, body: Buffer.from('{"error":{"message":"again"}}'), error })
  t.same(refused.sent, [{ type: 'error', status: 429, error: { message: 'm' }, headers: { 'retry-after': '3' } }])
  const whole = start('b')
  whole.sink.reply({ status: 200, headers: [], body: Buffer.from('{"id":"resp_1"}'), error: null })
  t.same([whole.sent, whole.ends], [[{ id: 'resp_1', stream_id: 'b' }], ['forgotten r', 'over r']])
  t.end()
})

test('a turn that is left before its stream is cancelled; one that is left later detaches', (t) => {
  const early = start()
  early.sink.cancel()
  t.same([early.cancels(), early.ends.length], [1, 2])
  early.follow()
  t.same(early.results, ['client_gone'])
  const late = start()
  late.follow()
  late.append('{"n":1}')
  late.sink.leave('slow_reader')
  late.drain()
  t.same([late.results, late.sent, late.cancels()], [['slow_reader'], [], 0])
  t.same([late.sink.isCut, late.sink.isMoved], [false, false])
  late.sink.keepalive()
  t.same(late.sent, [])
  t.end()
})
