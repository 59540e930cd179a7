// The numbers in the frames: each frame bears its own, from wherever it is read, and so does the error frame.
import { test } from 'tap'
import { errorData } from '../../../src/errors.js'
import { NumberedReader, numberedFormat } from '../../../src/server/kept/numbered-reader.js'
import { COMPLETE, createKept, frame, readAll } from '../../helpers/kept.js'

const idle = () => undefined

test('each frame begins with its number, from any offset', (t) => {
  const { stream } = createKept()
  for (let i = 0; i < 12; i++) stream.append(frame(`{"n":${i}}`))
  const reader = new NumberedReader(stream.attach({ how: 'resume', offset: 8, onReadable: idle }))
  t.equal(reader.offset, 8)
  t.equal(readAll(reader).join(''), [8, 9, 10, 11].map((n) => `id: ${n}\ndata: {"n":${n}}\n\n`).join(''))
  t.equal(reader.offset, 12)
  t.equal(reader.end(), null)
  stream.close(COMPLETE)
  t.equal(reader.end(), COMPLETE)
  t.equal(reader.isCut, false)
  reader.detach()
  t.equal(stream.readerCount, 0)
  t.same(
    readAll(stream.attach({ how: 'resume', offset: 11, onReadable: idle })),
    ['data: {"n":11}\n\n'],
    'as they are held',
  )
  t.end()
})

test('frames that come together are joined up to a bound, each with its own number', (t) => {
  const { stream } = createKept()
  const numbers = Array.from({ length: 1200 }, (_, n) => n)
  for (const n of numbers) stream.append(frame(`${n} ${'x'.repeat(n % 97)}`))
  const entries = readAll(new NumberedReader(stream.attach({ how: 'resume', offset: 0, onReadable: idle })))
  t.equal(entries.join(''), numbers.map((n) => `id: ${n}\ndata: ${n} ${'x'.repeat(n % 97)}\n\n`).join(''))
  t.ok(entries.length < 20, 'few entries')
  t.ok(
    entries.every((entry) => entry.length < 8 * 1024 + 200),
    'none much longer than the bound',
  )
  t.end()
})

test('a cut reader shows it', (t) => {
  const { stream } = createKept({ maxLagBytes: 10 })
  const reader = new NumberedReader(stream.attach({ how: 'first', offset: 0, onReadable: idle }))
  stream.append(frame('x'.repeat(100)))
  setImmediate(() =>
    setImmediate(() => {
      t.equal(reader.isCut, true)
      t.equal(reader.read(), null)
      t.end()
    }),
  )
})

test('the error frame bears the number after the last frame', (t) => {
  const { stream } = createKept()
  const format = { keepaliveFrame: ': ping\n', encodeErrorFrame: () => 'event: error\ndata: {}\n\n' }
  const numbered = numberedFormat(format, stream)
  for (let i = 0; i < 3; i++) stream.append(frame('x'))
  stream.close({ ...COMPLETE, outcome: 'failed', error: errorData('internal') })
  t.equal(numbered.encodeErrorFrame(errorData('internal')), 'id: 3\nevent: error\ndata: {}\n\n')
  t.equal(numbered.keepaliveFrame, ': ping\n')
  t.end()
})

test('an error of the connection alone has no number: the frame with that number is still to be read', (t) => {
  const { stream } = createKept()
  const format = { keepaliveFrame: ': ping\n', encodeErrorFrame: () => 'event: error\ndata: {}\n\n' }
  const numbered = numberedFormat(format, stream)
  stream.append(frame('x'))
  t.equal(numbered.encodeErrorFrame(errorData('draining')), 'event: error\ndata: {}\n\n', 'while the stream goes on')
  stream.append(frame('y'))
  stream.close(COMPLETE)
  t.equal(numbered.encodeErrorFrame(errorData('draining')), 'event: error\ndata: {}\n\n', 'after its clean end')
  t.end()
})
