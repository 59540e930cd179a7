// A watched stream as events: the entry first, frames as text, the end last, or that the watcher was cut.
import { test } from 'tap'
import { type WatchedStream } from '../../../src/admin/loops/loop-calls.js'
import { EventReader } from '../../../src/admin/watch/event-reader.js'
import { errorData } from '../../../src/errors.js'
import { streamEntry } from '../../helpers/admin.js'

type Hand = { -readonly [Name in keyof WatchedStream]: WatchedStream[Name] }

function setUp(changes: Partial<Hand> = {}) {
  const frames: Uint8Array[] = []
  let detached = 0
  const stream: Hand = {
    ...{ entry: streamEntry(), isCut: false, end: null, read: () => frames.shift() ?? null },
    detach: () => {
      detached += 1
    },
    ...changes,
  }
  let notices = 0
  const reader = new EventReader('node-a')
  reader.begin(stream, () => {
    notices += 1
  })
  const next = (): string | null => {
    const bytes = reader.read()
    return bytes === null ? null : Buffer.from(bytes).toString()
  }
  return { reader, stream, frames, next, notices: () => notices, detached: () => detached }
}

test('the entry comes first, then frames as they are, then the end', async (t) => {
  const { reader, stream, frames, next, notices } = setUp()
  await Promise.resolve()
  t.equal(notices(), 1, 'there is something to begin with')
  t.equal(next(), `event: stream\ndata: ${JSON.stringify({ ...streamEntry(), node: 'node-a' })}\n\n`)
  t.equal(next(), null)
  frames.push(Buffer.from('data: {"a":1}\n\n'))
  reader.poke()
  t.equal(notices(), 2)
  t.equal(next(), 'event: frames\ndata: {"text":"data: {\\"a\\":1}\\n\\n"}\n\n')
  t.equal(reader.end(), null)
  stream.end = { outcome: 'upstream_cut', status: 200, error: errorData('upstream_cut', { upstreamType: 'kept back' }) }
  const last = next()
  t.match(
    last,
    /^event: end\ndata: \{"outcome":"upstream_cut","status":200,"error":\{"code":"upstream_cut","message":"/,
  )
  t.notMatch(last, /kept back/)
  t.match(reader.end(), { outcome: 'complete', error: null })
  t.equal(next(), null)
})

test('frames before the end are told before it; a character that two pieces share is whole', async (t) => {
  const { stream, frames, next } = setUp()
  stream.end = { outcome: 'complete', status: 200, error: null }
  const bytes = Buffer.from('é')
  frames.push(bytes.subarray(0, 1), bytes.subarray(1))
  const all = [next(), next(), next(), next()].join('')
  t.match(all, /"text":""\}\n\nevent: frames\ndata: \{"text":"é"\}\n\nevent: end/)
})

test('bytes of audio are counted, not shown', async (t) => {
  const { frames, next } = setUp({ entry: streamEntry({ transport: 'bytes' }) })
  next()
  frames.push(Buffer.from([0xff, 0xfe]))
  t.equal(next(), 'event: frames\ndata: {"bytes":2}\n\n')
})

test('a watcher that was cut is told so, and one that leaves leaves the stream', async (t) => {
  const { reader, stream, next, detached, notices } = setUp()
  next()
  stream.isCut = true
  t.match(next(), /^event: cut\n/)
  t.match(reader.end(), { outcome: 'complete' })
  reader.detach()
  reader.poke()
  t.equal(detached(), 1)
  await Promise.resolve()
  t.ok(notices() <= 1)
})
