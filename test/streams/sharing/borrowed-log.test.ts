// The log of an exchange that is answered from another one's frames.
import { test } from 'tap'
import { errorData } from '../../../src/errors.js'
import { NO_USAGE } from '../../../src/model/usage.js'
import { StreamLog } from '../../../src/streams/log.js'
import { type FrameReader, type StreamEnd } from '../../../src/streams/reader.js'
import { BorrowedLog } from '../../../src/streams/sharing/borrowed-log.js'

const COMPLETE: StreamEnd = { outcome: 'complete', error: null, usage: NO_USAGE, usageSource: 'provider' }
const DRAINED: StreamEnd = { ...COMPLETE, outcome: 'drained', error: errorData('draining') }
const entry = (text: string) => new Uint8Array(Buffer.from(text))
const textOf = (bytes: Uint8Array | null) => (bytes === null ? null : Buffer.from(bytes).toString())

function borrow() {
  const source = new StreamLog({ capBytes: 1000, retainBytes: 1000 }, () => undefined)
  const borrowed = new BorrowedLog((onReadable) => source.attach(onReadable))
  let calls = 0
  const join = () =>
    borrowed.attach(() => {
      calls += 1
    })
  return { source, borrowed, join, calls: () => calls }
}

test('its reader gets the frames and the end of the source', (t) => {
  const { source, borrowed, join } = borrow()
  source.append(entry('a'))
  const reader = join()
  t.equal(borrowed.streamEnd, null)
  t.equal(borrowed.next, 0)
  t.equal(textOf(reader.read()), 'a')
  t.equal(borrowed.next, 1)
  t.equal(reader.read(), null)
  t.equal(reader.end(), null)
  source.append(entry('b'))
  source.close(COMPLETE)
  t.equal(textOf(reader.read()), 'b')
  t.equal(borrowed.streamEnd, null, 'before it is read')
  t.equal(reader.end(), COMPLETE)
  t.equal(borrowed.streamEnd, COMPLETE)
  reader.detach()
  t.equal(source.readerCount, 0)
  t.end()
})

test('it can be ended while the source goes on', (t) => {
  const { source, borrowed, join, calls } = borrow()
  source.append(entry('a'))
  source.append(entry('b'))
  const reader = join()
  reader.read()
  borrowed.close(DRAINED)
  t.equal(calls(), 1, 'which its reader is told at once')
  t.equal(reader.read(), null)
  t.equal(reader.end(), DRAINED)
  source.close(COMPLETE)
  t.equal(reader.end(), DRAINED)
  t.end()
})

test('its reader shows that its client is sent to another node', (t) => {
  let isMoved = false
  const source: FrameReader = {
    offset: 0,
    get isCut() {
      return isMoved
    },
    get isMoved() {
      return isMoved
    },
    read: () => null,
    end: () => null,
    detach: () => undefined,
  }
  const reader = new BorrowedLog(() => source).attach(() => undefined)
  t.equal(reader.isMoved, false)
  isMoved = true
  t.equal(reader.isMoved, true)
  t.end()
})

test('is told apart from a silent one', (t) => {
  const { source, borrowed, join } = borrow()
  const reader = join()
  t.notOk(borrowed.hasMoved())
  source.append(entry('a'))
  t.notOk(borrowed.hasMoved(), 'nothing was read')
  reader.read()
  t.ok(borrowed.hasMoved())
  t.notOk(borrowed.hasMoved())
  t.end()
})

test('before it has a reader it has no frames, and takes none', (t) => {
  const { borrowed } = borrow()
  borrowed.append()
  borrowed.close(DRAINED)
  t.equal(borrowed.next, 0)
  t.equal(borrowed.streamEnd, null)
  t.end()
})
