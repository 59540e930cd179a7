import { test } from 'tap'
import { NO_PARTS } from '../../../src/model/usage.js'
import { SequenceReader } from '../../../src/server/kept/sequence-reader.js'
import { type FrameReader, type StreamEnd } from '../../../src/streams/reader.js'

const END: StreamEnd = {
  ...{ outcome: 'complete', error: null, usageSource: 'estimated' },
  usage: {
    inputTokens: 0,
    outputTokens: 0,
    cachedInputTokens: 0,
    cacheWriteTokens: 0,
    reasoningTokens: 0,
    parts: NO_PARTS,
  },
}

function readerOf(frames: (string | null)[], over: Partial<FrameReader> = {}) {
  const told: string[] = []
  const reader: FrameReader = {
    ...{ offset: 5, isCut: false },
    read: () => {
      const frame = frames.shift() ?? null
      return frame === null ? null : Buffer.from(frame)
    },
    end: () => END,
    detach: () => void told.push('detached'),
    ...over,
  }
  return { reader, told }
}

/** Counts how often a frame was looked into. */
function countingSequence() {
  const seen: string[] = []
  const sequenceOf = (frame: Uint8Array): number | null => {
    const text = Buffer.from(frame).toString()
    seen.push(text)
    return text.startsWith('n') ? Number(text.slice(1)) : null
  }
  return { seen, sequenceOf }
}

function allOf(reader: FrameReader): string[] {
  const frames: string[] = []
  for (let frame = reader.read(); frame !== null; frame = reader.read()) frames.push(Buffer.from(frame).toString())
  return frames
}

test('events up to the number are left out, wherever reading paused, and later ones pass unread', (t) => {
  const { seen, sequenceOf } = countingSequence()
  const { reader } = readerOf(['n0', 'x', 'n1', null, 'n2', 'n3', 'x', 'n1'])
  const after = new SequenceReader(reader, sequenceOf, 1)
  t.same(allOf(after), [], 'it has caught up')
  t.same(allOf(after), ['n2', 'n3', 'x', 'n1'])
  t.same(seen, ['n0', 'x', 'n1', 'n2'])
  t.end()
})

test('without a number all pass, and none is read', (t) => {
  const { seen, sequenceOf } = countingSequence()
  const { reader } = readerOf(['x', 'n0'])
  t.same(allOf(new SequenceReader(reader, sequenceOf, -1)), ['x', 'n0'])
  t.same(seen, [])
  t.end()
})

test('all else is that of its reader', (t) => {
  const { reader, told } = readerOf([], { isCut: true, isMoved: true })
  const after = new SequenceReader(reader, () => null, 3)
  t.match(after, { offset: 5, isCut: true, isMoved: true })
  t.equal(after.end(), END)
  after.detach()
  t.same(told, ['detached'])
  t.equal(new SequenceReader(readerOf([]).reader, () => null, 3).isMoved, false)
  t.end()
})
