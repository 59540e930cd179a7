// A cancel and a watch: what they ask of the event loops, and the trail that they leave.
import { test } from 'tap'
import { type AdminExchange } from '../../../src/admin/http/admin-exchange.js'
import { streamId, type WatchedStream } from '../../../src/admin/loops/loop-calls.js'
import { streamRoutes } from '../../../src/admin/routes/streams.js'
import { type FrameReader } from '../../../src/streams/reader.js'
import { adminContext, FakeLoop, SEED, streamEntry } from '../../helpers/admin.js'

const OPERATOR = { name: 'oncall', role: 'write' } as const
const ID = streamId(0, SEED, 1)

class WatchedLoop extends FakeLoop {
  detached = 0

  override async watch(): Promise<never> {
    const stream: WatchedStream = {
      ...{ entry: streamEntry(), isCut: false, end: null, read: () => null },
      detach: () => {
        this.detached += 1
      },
    }
    return stream as never
  }
}

function routeOf(loop: FakeLoop, method: string, end: string) {
  const { context, events } = adminContext([loop])
  const route = streamRoutes(context).find((each) => each.method === method && each.path.endsWith(end))
  if (route === undefined) throw new Error('no such route')
  const act = (exchange: Partial<AdminExchange> = {}) => route.act({ operator: OPERATOR, name: ID, exchange } as never)
  return { act, events }
}

test('a cancel is answered without a body, and is in the audit with what it ended', async (t) => {
  const loop = new FakeLoop({ cancel: () => streamEntry() })
  const { act, events } = routeOf(loop, 'DELETE', '/:id')
  t.same(await act(), { status: 204, body: null })
  t.same(loop.calls, [{ name: 'cancel', args: [ID, 'oncall'] }])
  t.match(events, [{ by: 'oncall', action: 'stream.cancel', target: 'req-1', before: { key: 'team-a' }, after: null }])
})

test('a watch follows the stream until the operator leaves, and is in the audit', async (t) => {
  const loop = new WatchedLoop()
  const { act, events } = routeOf(loop, 'GET', '/watch')
  const readers: FrameReader[] = []
  const exchange = {
    ...{ isOver: false, onLeave: null as (() => void) | null, keepalive: () => undefined },
    follow: (attach: (onReadable: () => void) => FrameReader) => void readers.push(attach(() => undefined)),
  }
  t.equal(await act(exchange), null)
  t.match(Buffer.from(readers[0]?.read() ?? []).toString(), /^event: stream\n/)
  t.match(events, [{ action: 'stream.watch', target: 'req-1' }])
  exchange.onLeave?.()
  t.equal(loop.detached, 1)
})

test('a watch ends soon after its key or its session has', async (t) => {
  const ticks: (() => void)[] = []
  t.intercept(globalThis, 'setInterval', { value: (tick: () => void) => ticks.push(tick) })
  const readers: FrameReader[] = []
  let kept = 0
  const keepalive = (): void => {
    kept += 1
  }
  const exchange = {
    ...{ isOver: false, onLeave: null as (() => void) | null, isStillKnown: true, keepalive },
    follow: (attach: (onReadable: () => void) => FrameReader) => void readers.push(attach(() => undefined)),
  }
  await routeOf(new WatchedLoop(), 'GET', '/watch').act(exchange)
  const read = () => Buffer.from(readers[0]?.read() ?? []).toString()
  read()
  ticks[0]?.()
  t.same([kept, read()], [1, ''])
  exchange.isStillKnown = false
  ticks[0]?.()
  t.match(read(), /^event: cut\ndata: \{"reason":"The session has ended, or the admin key was removed\."\}/)
  t.ok(readers[0]?.end())
  t.equal(kept, 1)
})

test('one that has left before its stream was found watches nothing', async (t) => {
  const loop = new WatchedLoop()
  const { act, events } = routeOf(loop, 'GET', '/watch')
  t.equal(await act({ isOver: true }), null)
  t.same([loop.detached, events], [1, []])
})
