// A kept stream: any reader from any number, a grace without readers, limits that are said and never skipped over.
import fc from 'fast-check'
import { test } from 'tap'
import { type KeptStream, STREAM_COST_BYTES } from '../../../src/streams/kept/kept-stream.js'
import { MAX_READERS, ownerOf } from '../../../src/streams/kept/readable-log.js'
import { type FrameReader } from '../../../src/streams/reader.js'
import { COMPLETE, CUT, createKept, frame, readAll, turn } from '../../helpers/kept.js'
import { thrownBy } from '../../helpers/thrown.js'

const idle = () => undefined

function attach(stream: KeptStream, offset = 0, onReadable: () => void = idle): FrameReader {
  return stream.attach({ how: 'resume', offset, onReadable })
}

test('every reader gets every frame from its number on, and the end after the last', async (t) => {
  const { stream, events } = createKept()
  const first = attach(stream)
  stream.append(Buffer.concat([frame('0'), frame('1')]))
  stream.append(Buffer.from(': upstream ping\n\nid: 77\ndata: 2\n\n'))
  t.same([stream.first, stream.next], [0, 3])
  t.same(readAll(first), ['data: 0\n\n', 'data: 1\n\n', 'data: 2\n\n'])
  t.same([first.offset, first.end()], [3, null])
  t.same(readAll(attach(stream, 1)), ['data: 1\n\n', 'data: 2\n\n'])
  const late = attach(stream, 3)
  const ahead = attach(stream, 5)
  for (const text of ['3', '4', '5']) stream.append(frame(text))
  t.same(readAll(late), ['data: 3\n\n', 'data: 4\n\n', 'data: 5\n\n'])
  t.same(readAll(ahead), ['data: 5\n\n'], 'a reader ahead of the stream waits for its number')
  stream.close(COMPLETE)
  stream.close(CUT)
  stream.append(frame('too late'))
  t.equal(late.end(), COMPLETE)
  t.equal(first.end(), null, 'not before it has read everything')
  t.equal(readAll(first).length, 3)
  t.equal(first.end(), COMPLETE)
  t.equal(stream.streamEnd, COMPLETE)
  t.same(
    events.filter((event) => !event.startsWith('shrink')),
    ['ended'],
  )
  t.equal(attach(stream, 6).end(), COMPLETE)
})

test('an end that fails is given to whoever has read all frames', async (t) => {
  const { stream } = createKept()
  stream.append(frame('0'))
  stream.close(CUT)
  const reader = attach(stream)
  t.equal(reader.end(), null)
  readAll(reader)
  t.equal(reader.end(), CUT)
  t.equal(stream.next, 1, 'the number of the error frame')
})

test('what the scanner still holds at the end is a frame', async (t) => {
  const { stream } = createKept()
  stream.append(Buffer.from('data: 1\r\r'))
  t.equal(stream.next, 0, 'a line feed might belong to it')
  stream.close(COMPLETE)
  t.same(readAll(attach(stream)), ['data: 1\r\r'])
})

test('notifies once per tick, and whoever joins when there is something to read', async (t) => {
  const { stream } = createKept()
  let told = 0
  const reader = attach(stream, 0, () => {
    told += 1
  })
  await turn()
  t.equal(told, 0)
  stream.append(frame('0'))
  stream.append(frame('1'))
  t.equal(told, 0, 'not within the call')
  await turn()
  t.equal(told, 1)
  let late = 0
  attach(stream, 1, () => {
    late += 1
  })
  await turn()
  t.equal(late, 1)
  reader.detach()
  stream.close(COMPLETE)
  await turn()
  t.ok(late >= 2)
  t.equal(reader.read(), null, 'a detached reader reads nothing')
})

test('while notices are held, frames and the end are one notice, given at the release', async (t) => {
  const { stream } = createKept()
  const seen: (string | null)[][] = []
  const reader = attach(stream, 0, () => seen.push([...readAll(reader), reader.end()?.outcome ?? null]))
  await turn()
  stream.holdNotices()
  stream.append(frame('0'))
  stream.append(frame('1'))
  stream.close(COMPLETE)
  t.same(seen, [])
  stream.releaseNotices()
  t.same(seen, [['data: 0\n\n', 'data: 1\n\n', 'complete']])
  stream.holdNotices()
  stream.releaseNotices()
  await turn()
  t.equal(seen.length, 1)
})

test('a reader that wants no numbers gets the frames that lie behind each other at once', async (t) => {
  const { stream } = createKept()
  const reader = stream.attach({ how: 'first', offset: 0, onReadable: idle, takesRuns: true })
  stream.append(Buffer.concat([frame('0'), frame('1'), Buffer.from(': ping\n\n'), frame('2')]))
  t.same(readAll(reader), ['data: 0\n\ndata: 1\n\ndata: 2\n\n'])
  t.equal(reader.offset, 3)
  t.same(readAll(stream.attach({ how: 'resume', offset: 1, onReadable: idle })), ['data: 1\n\n', 'data: 2\n\n'])
})

test('joining, catching up and going on live are one order', async (t) => {
  const { stream } = createKept()
  const seen: string[] = []
  for (let i = 0; i < 50; i++) {
    if (i % 7 === 3) {
      const reader = attach(stream, 0, () => seen.push(...readAll(reader)))
      await turn()
      t.same(
        seen,
        Array.from({ length: stream.next }, (_, n) => `data: ${n}\n\n`),
      )
      stream.append(frame(String(stream.next)))
      await turn()
      t.same(
        seen,
        Array.from({ length: stream.next }, (_, n) => `data: ${n}\n\n`),
      )
      reader.detach()
      seen.length = 0
    } else stream.append(frame(String(stream.next)))
  }
})

test('goes on for its grace without a reader, and is abandoned once', async (t) => {
  const { stream, timers, events } = createKept({ graceMs: 1000 })
  timers.advance(999)
  const reader = attach(stream)
  timers.advance(10_000)
  t.same(events, [], 'a reader stops the clock')
  reader.detach()
  reader.detach()
  timers.advance(999)
  const again = attach(stream)
  timers.advance(5000)
  t.same(events, [], 'and so does every later one')
  const beside = attach(stream)
  again.detach()
  timers.advance(5000)
  t.same(events, [], 'one is enough')
  beside.detach()
  timers.advance(1000)
  t.same(events, ['abandoned'])
  timers.advance(10_000)
  t.same(events, ['abandoned'])
})

test('an ended stream has no grace', async (t) => {
  const { stream, timers, events } = createKept()
  stream.close(COMPLETE)
  attach(stream).detach()
  t.same(timers.pending(), [])
  t.same(events, ['ended'])
})

test('without a way back it is abandoned when nobody reads it', async (t) => {
  const left = createKept()
  left.stream.endGrace()
  t.same(left.events, ['abandoned'])
  const read = createKept()
  const reader = attach(read.stream)
  read.stream.endGrace()
  t.same(read.events, [])
  reader.detach()
  read.timers.advance(0)
  t.same(read.events, ['abandoned'])
  const ended = createKept()
  ended.stream.close(COMPLETE)
  ended.stream.endGrace()
  t.same(ended.events, ['ended'])
})

test('a copy elsewhere reads along, but keeps nothing going', async (t) => {
  const { stream, timers, events } = createKept({ maxLagBytes: 100 })
  const observer = stream.observe({ offset: 0, onReadable: idle })
  t.equal(stream.readerCount, 0)
  for (let i = 0; i < 50; i++) stream.append(frame('0123456789'))
  await turn()
  t.equal(observer.isCut, false, 'it may lag, as long as the frames are held')
  t.equal(readAll(observer).length, 50)
  timers.advance(1000)
  t.same(events, ['abandoned'])
  observer.detach()
  t.same(timers.pending(), [])
})

test('an open stream is cancelled by being abandoned, an ended one by being forgotten', async (t) => {
  const { stream, events } = createKept()
  stream.cancel()
  stream.close(CUT)
  stream.cancel()
  t.same(
    events.filter((event) => !event.startsWith('shrink')),
    ['abandoned', 'ended', 'cancelled'],
  )
})

test('keepalives reach each attached reader', async (t) => {
  const { stream } = createKept()
  const got: string[] = []
  const a = stream.attach({ how: 'first', offset: 0, onReadable: idle, onKeepalive: () => got.push('a') })
  stream.attach({ how: 'resume', offset: 0, onReadable: idle, onKeepalive: () => got.push('b') })
  attach(stream)
  stream.keepalive()
  a.detach()
  stream.keepalive()
  t.same(got, ['a', 'b', 'b'])
})

test('cuts a reader that lags, which may come back to what is held', async (t) => {
  const { stream } = createKept({ maxLagBytes: 100 })
  const notified: boolean[] = []
  const slow = attach(stream, 0, () => notified.push(slow.isCut))
  for (let i = 0; i < 20; i++) stream.append(frame('0123456789'))
  t.equal(slow.isCut, false, 'it may catch up within the turn')
  await turn()
  t.equal(slow.isCut, true)
  t.same(notified, [false, true])
  t.same([slow.read(), slow.end()], [null, null])
  slow.detach()
  const back = attach(stream, slow.offset)
  t.equal(readAll(back).length, 20, 'it has much to catch up on, and is not cut for that')
  await turn()
  t.equal(back.isCut, false)
})

test('a reader that catches up is late only by what comes meanwhile', async (t) => {
  const { stream } = createKept({ maxLagBytes: 100 })
  for (let i = 0; i < 100; i++) stream.append(frame('0123456789'))
  const back = attach(stream)
  stream.append(frame('0123456789'))
  await turn()
  t.equal(back.isCut, false)
  for (let i = 0; i < 5; i++) stream.append(frame('0123456789'))
  await turn()
  t.equal(back.isCut, true, 'a hundred bytes have come since it joined')
})

test('a longer stream loses its beginning, and a number before it is cut', async (t) => {
  const { stream } = createKept({ maxStreamBytes: 32 * 1024 })
  const reader = attach(stream)
  const behind = attach(stream)
  const text = 'x'.repeat(1000)
  for (let i = 0; i < 100; i++) {
    stream.append(frame(text))
    readAll(reader)
    await turn()
    t.ok(stream.heldBytes <= 32 * 1024, `${stream.heldBytes}`)
  }
  t.equal(stream.next, 100)
  t.ok(stream.first > 60 && stream.first < 97, `${stream.first}: no more than the oldest segment is dropped`)
  t.equal(reader.isCut, false)
  t.equal(behind.isCut, true)
  const gone = attach(stream, stream.first - 1)
  t.same([gone.isCut, gone.read()], [true, null], 'never skipped')
  t.equal(readAll(attach(stream, stream.first)).length, 100 - stream.first)
})

test('a frame above every limit reaches those who take it at once', async (t) => {
  const { stream } = createKept({ maxStreamBytes: 32 * 1024, roomBytes: 8 * 1024 })
  const taken: number[] = []
  const reader = attach(stream, 0, () => {
    for (let next = reader.read(); next !== null; next = reader.read()) taken.push(next.length)
  })
  stream.append(frame('x'.repeat(100_000)))
  await turn()
  t.same(taken, [100_008])
  t.equal(reader.isCut, false)
  t.same([stream.first, stream.next], [1, 1])
  t.ok(stream.heldBytes <= STREAM_COST_BYTES)
})

test('without room it holds what its readers still need, and no more', async (t) => {
  const { stream } = createKept({ roomBytes: 8 * 1024 })
  let isPaused = true
  const reader = attach(stream, 0, () => {
    if (!isPaused) readAll(reader)
  })
  for (let i = 0; i < 40; i++) stream.append(frame('x'.repeat(1000)))
  await turn()
  t.equal(stream.first, 0, 'a reader within its lag would have it from a stream that is not kept, too')
  t.equal(readAll(reader).length, 40)
  isPaused = false
  stream.append(frame('x'))
  await turn()
  t.ok(stream.heldBytes <= 8 * 1024, `${stream.heldBytes}`)
  t.ok(stream.first > 0)
  isPaused = true
  const before = stream.first
  for (let i = 0; i < 40; i++) stream.append(frame('x'.repeat(1000)))
  await turn()
  t.equal(stream.first, before)
  reader.detach()
  await turn()
  t.ok(stream.heldBytes <= 8 * 1024, 'and gives it up when they leave')
})

test('claims what it holds, and gives back what it does not', async (t) => {
  const claims: number[] = []
  const { stream, events } = createKept({
    room: { claim: (bytes) => claims.push(bytes) > 0, shrink: (bytes) => events.push(`to ${bytes}`) },
  })
  for (let i = 0; i < 200; i++) {
    stream.append(frame('0123456789'.repeat(10)))
    t.ok(stream.heldBytes <= Math.ceil((claims.at(-1) ?? 0) / 1024) * 1024)
  }
  t.ok(claims.length < 30, `${claims.length} for 200 frames`)
  stream.close(COMPLETE)
  t.same(events, [`to ${Math.ceil(stream.heldBytes / 1024) * 1024}`, 'ended'])
})

test('a frame that no scanner takes breaks the stream once, and it can still be closed', async (t) => {
  const { stream, events } = createKept({ maxStreamBytes: Number.POSITIVE_INFINITY, framing: 'ndjson' })
  stream.append(Buffer.from('{"a":1}\n'))
  const tooLarge = Buffer.alloc(16 * 1024 * 1024 + 1, 0x20)
  t.match(
    thrownBy(() => stream.append(tooLarge)),
    { code: 'upstream_malformed' },
  )
  stream.append(Buffer.from('{"a":2}\n'))
  stream.close(CUT)
  const reader = attach(stream)
  t.same(readAll(reader), ['{"a":1}\n'])
  t.equal(reader.end(), CUT)
  t.same(
    events.filter((event) => event === 'ended'),
    ['ended'],
  )
})

test('whoever reads, whatever is dropped: nothing is missing in silence, nothing twice', async () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ append: fc.integer({ min: 1, max: 3000 }) }) },
    { weight: 2, arbitrary: fc.record({ read: fc.integer({ min: 0, max: 3 }), max: fc.integer({ min: 1, max: 20 }) }) },
    { weight: 1, arbitrary: fc.record({ join: fc.integer({ min: 0, max: 60 }) }) },
    { weight: 1, arbitrary: fc.constant('turn' as const) },
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const { stream } = createKept({ maxStreamBytes: 20_000, maxLagBytes: 8000, roomBytes: 12_000 })
      const frames: string[] = []
      const readers: { reader: FrameReader; expected: number }[] = []
      for (const each of steps) {
        if (each === 'turn') await turn()
        else if ('append' in each) {
          frames.push(`data: ${frames.length}${'.'.repeat(each.append)}\n\n`)
          stream.append(Buffer.from(frames.at(-1) ?? ''))
        } else if ('join' in each) readers.push({ reader: attach(stream, each.join), expected: each.join })
        else {
          const one = readers[each.read]
          if (one === undefined) continue
          for (let i = 0; i < each.max; i++) {
            const got = one.reader.read()
            if (got === null) break
            if (Buffer.from(got).toString() !== frames[one.expected]) return false
            one.expected += 1
          }
          if (one.reader.offset !== one.expected) return false
        }
      }
      stream.close(COMPLETE)
      return readers.every(({ reader, expected }) => {
        const rest = readAll(reader)
        const isWhole = rest.join('') === frames.slice(expected).join('')
        return reader.isCut ? rest.length === 0 && reader.end() === null : isWhole && reader.end() === COMPLETE
      })
    }),
    { numRuns: 200 },
  )
})

test('streams belong to a key by its value, not by its name', (t) => {
  t.equal(ownerOf({ owner: 'abc' }), 'abc')
  t.equal(ownerOf({ owner: null }), '')
  t.end()
})

test('it has room for as many readers as a client may have, and none for more until one leaves', (t) => {
  const { stream } = createKept()
  const readers = Array.from({ length: MAX_READERS - 1 }, () =>
    stream.attach({ how: 'resume', offset: 0, onReadable: () => undefined }),
  )
  t.notOk(stream.isCrowded)
  readers.push(stream.attach({ how: 'resume', offset: 0, onReadable: () => undefined }))
  stream.observe({ offset: 0, onReadable: () => undefined })
  t.ok(stream.isCrowded)
  readers[0]?.detach()
  t.notOk(stream.isCrowded)
  t.end()
})
