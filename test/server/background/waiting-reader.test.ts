import { test } from 'tap'
import { WaitingReader } from '../../../src/server/background/waiting-reader.js'
import { StreamLog } from '../../../src/streams/log.js'
import { type FrameReader } from '../../../src/streams/reader.js'
import { turn } from '../../helpers/background.js'
import { COMPLETE } from '../../helpers/fake-pipeline.js'

const bytes = (text: string) => Buffer.from(text)

function textsOf(reader: FrameReader): string[] {
  const texts: string[] = []
  for (let frame = reader.read(); frame !== null; frame = reader.read()) texts.push(Buffer.from(frame).toString())
  return texts
}

test('has the first frames at once, and goes on with those of the stream', async (t) => {
  let told = 0
  const onReadable = () => void told++
  const reader = new WaitingReader([bytes('a'), bytes('b')], onReadable)
  t.equal(reader.end(), null)
  await turn()
  t.equal(told, 1)
  t.same(textsOf(reader), ['a', 'b'])
  t.equal(reader.offset, 2)
  t.match(
    { isCut: reader.isCut, isMoved: reader.isMoved, end: reader.end() },
    { isCut: false, isMoved: false, end: null },
  )
  const log = new StreamLog({ capBytes: 1000, retainBytes: 0 }, () => undefined)
  reader.join(log.attach(onReadable))
  t.equal(told, 2)
  log.append(bytes('c'))
  await turn()
  t.same(textsOf(reader), ['c'])
  log.close(COMPLETE)
  t.equal(reader.end(), COMPLETE)
  t.equal(reader.offset, 1, 'that of the stream')
})

test('ends with the last frames where no stream is held', async (t) => {
  const reader = new WaitingReader([], () => undefined)
  t.same(textsOf(reader), [])
  reader.finish([bytes('z')], COMPLETE)
  t.equal(reader.end(), null, 'not before they are read')
  t.same(textsOf(reader), ['z'])
  t.equal(reader.end(), COMPLETE)
})

test('a stream that is found after its client has left is left as well', (t) => {
  const reader = new WaitingReader([], () => undefined)
  t.equal(reader.isDetached, false)
  reader.detach()
  t.equal(reader.isDetached, true)
  let abandoned = 0
  const log = new StreamLog({ capBytes: 1000, retainBytes: 0 }, () => void abandoned++)
  reader.join(log.attach(() => undefined))
  t.equal(abandoned, 1)
  const other = new WaitingReader([], () => undefined)
  const second = new StreamLog({ capBytes: 1000, retainBytes: 0 }, () => void abandoned++)
  other.join(second.attach(() => undefined))
  other.detach()
  t.equal(abandoned, 2)
  t.end()
})
