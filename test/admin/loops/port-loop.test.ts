// An event loop asked over a port: calls, faults, watches within their window, ends of either side.
import { once } from 'node:events'
import { MessageChannel } from 'node:worker_threads'
import { type Test, test } from 'tap'
import { type WatchedStream } from '../../../src/admin/loops/loop-calls.js'
import { type OwnLoop } from '../../../src/admin/loops/own-loop.js'
import { PortLoop } from '../../../src/admin/loops/port-loop.js'
import { serveAdmin } from '../../../src/admin/loops/serve-port.js'
import { type GatewayError } from '../../../src/errors.js'
import { FakeLoop, streamEntry } from '../../helpers/admin.js'
import { rejectionOf } from '../../helpers/thrown.js'

/** A stream whose frames the test gives. */
class HandStream {
  readonly entry = streamEntry({ loop: 1 })
  readonly frames: Uint8Array[] = []
  isCut = false
  end: WatchedStream['end'] = null
  reads = 0
  detached = 0
  onReadable = (): void => undefined

  read(): Uint8Array | null {
    const frame = this.frames.shift() ?? null
    if (frame !== null) this.reads += 1
    return frame
  }

  detach(): void {
    this.detached += 1
  }
}

function setUp(t: Test, calls = new FakeLoop()) {
  const stream = new HandStream()
  const { port1, port2 } = new MessageChannel()
  t.teardown(() => port1.close())
  keepAlive(t)
  const own = {
    call: calls.call.bind(calls),
    watchNow: (id: string, onReadable: () => void) => {
      stream.onReadable = onReadable
      return id === 'here' ? stream : null
    },
  } as unknown as OwnLoop
  serveAdmin(port2, own)
  return { loop: new PortLoop(port1), stream, port1, port2, calls }
}

/** Ports alone keep no process alive. */
function keepAlive(t: Test): void {
  const timer = setInterval(() => undefined, 1000)
  t.teardown(() => clearInterval(timer))
}

/** Resolves when it holds, after as many messages as it takes. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve))
}

test('calls are answered, and so are faults', async (t) => {
  const { loop, calls } = setUp(t, new FakeLoop({ streams: () => [streamEntry({ loop: 1 })], pause: () => null }))
  t.same(await loop.call('streams', []), [streamEntry({ loop: 1 })])
  t.equal(await loop.call('pause', [['north']]), null)
  t.same(calls.calls.at(-1), { name: 'pause', args: [['north']] })
  t.match(await rejectionOf(loop.call('providers', [])), { code: 'overloaded' })
})

test('a watch brings frames in their order, then the end, and leaves by itself', async (t) => {
  const { loop, stream } = setUp(t)
  stream.frames.push(Buffer.from('a'), Buffer.from('b'))
  let text = ''
  const watch = await loop.watch('here', () => undefined)
  const readAll = (): void => {
    for (let frames = watch?.read() ?? null; frames !== null; frames = watch?.read() ?? null) {
      text += Buffer.from(frames).toString()
    }
  }
  t.same(watch?.entry, stream.entry)
  stream.frames.push(Buffer.from('c'))
  stream.onReadable()
  stream.end = { outcome: 'complete', status: 200, error: null }
  stream.onReadable()
  await until(() => watch?.end !== null)
  readAll()
  t.equal(text, 'abc')
  t.match(watch?.end, { outcome: 'complete', status: 200 })
  t.equal(stream.detached, 1)
  t.equal(await loop.watch('elsewhere', () => undefined), null)
})

test('what is not read is bounded by a window, which opens as it is read', async (t) => {
  const { loop, stream } = setUp(t)
  const watch = await loop.watch('here', () => undefined)
  const frame = Buffer.alloc(1024, 'x')
  for (let i = 0; i < 2000; i++) stream.frames.push(frame)
  stream.onReadable()
  t.ok(stream.reads >= 256 && stream.reads <= 384, `${stream.reads} KB are on their way`)
  const before = stream.reads
  let bytes = 0
  await until(() => {
    for (let frames = watch?.read() ?? null; frames !== null; frames = watch?.read() ?? null) bytes += frames.length
    return bytes === 2000 * 1024
  })
  t.ok(stream.reads > before)
  watch?.detach()
  watch?.detach()
  await until(() => stream.detached === 1)
})

test('a stream that cut its watcher says so', async (t) => {
  const { loop, stream } = setUp(t)
  const watch = await loop.watch('here', () => undefined)
  stream.isCut = true
  stream.onReadable()
  await until(() => watch?.isCut === true)
  t.equal(stream.detached, 1)
})

test('where the other side ends, calls fail, watches are cut, and readers leave', async (t) => {
  const { loop, stream, port1, port2 } = setUp(t)
  const watch = await loop.watch('here', () => undefined)
  port1.close()
  await once(port2, 'close')
  await until(() => stream.detached === 1)
  await until(() => loop.isClosed)
  t.equal(watch?.isCut, true)
  t.match(await rejectionOf(loop.call('streams', [])), { code: 'overloaded', message: /does not answer/ })
})

test('a loop that does not answer is given up', async (t) => {
  const { port1 } = new MessageChannel()
  t.teardown(() => port1.close())
  keepAlive(t)
  const loop = new PortLoop(port1, 1)
  const call = loop.call('streams', []).catch((thrown: GatewayError) => thrown.data)
  const watch = loop.watch('here', () => undefined).catch((thrown: GatewayError) => thrown.data)
  t.match(await call, { code: 'overloaded' })
  t.match(await watch, { code: 'overloaded' })
})
