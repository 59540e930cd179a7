// The shape of a stream's frames: whatever it says without a parser, the parser says too.
import fc from 'fast-check'
import { test } from 'tap'
import { FrameShape, TRIAL_TEXT } from '../../src/wire/frame-shape.js'

const NAMES = ['"pad"', '"count"'].map((name) => Buffer.from(name))

type Frame = { readonly id: string; readonly text: unknown; readonly [member: string]: unknown }

function frame(text: unknown, rest: object = { end: null }, id = 'c1'): Buffer {
  return Buffer.from(JSON.stringify({ id, text, ...rest }))
}

/** Reads what a made-up wire says: a text, unless its frame has an end. */
function read(data: Buffer): string | null {
  const { text, end } = parse(data.toString())
  return typeof text === 'string' && (end ?? null) === null ? text : null
}

function parse(text: string): Partial<Frame> {
  try {
    return JSON.parse(text) as Frame
  } catch {
    return {}
  }
}

function learned(data: Buffer, text = read(data) ?? ''): FrameShape {
  const shape = new FrameShape(NAMES)
  shape.learnText(data, text, (trial) => read(trial) === TRIAL_TEXT)
  return shape
}

/** The frame with these bytes in the place of its text. */
function raw(text: string, rest?: object): Buffer {
  const [before = '', after = ''] = frame('%', rest).toString('latin1').split('%')
  return Buffer.from(before + text + after, 'latin1')
}

test('the text of a frame that differs in its text alone is read without a parser', async (t) => {
  const shape = learned(frame('Hello'))
  for (const text of [' world', 'ż "quoted" \\ \n', '🌊', '\ud83d', 'x'.repeat(5000)]) {
    t.equal(shape.textOf(frame(text)), text)
    t.equal(shape.textBytesOf(frame(text)), Buffer.byteLength(JSON.stringify(text)) - 2)
  }
  t.equal(shape.textOf(raw('\\u0041\\/')), 'A/', 'other spellings of the same')
  t.equal(shape.textOf(raw('a\xffb\xe2\x82')), 'a\ufffdb\ufffd', 'bytes that are no UTF-8')
})

test('any other frame goes to the parser', async (t) => {
  const shape = learned(frame('Hello'))
  const others = [frame(''), frame('x', undefined, 'c2'), frame('x', { end: 'stop' }), frame('x', {}), frame(7)]
  for (const other of [...others, frame('x', { end: null, more: 1 }), Buffer.from('[DONE]'), Buffer.from('{')]) {
    t.equal(shape.textOf(other), null, other.toString())
    t.equal(shape.textBytesOf(other), 0)
  }
  t.equal(shape.textOf(Buffer.concat([frame('x'), Buffer.from(' ')])), null)
  t.equal(shape.textOf(Buffer.from('{"text":"x","id":"c1","end":null}')), null, 'the same in another order')
  t.equal(new FrameShape().textOf(frame('x')), null, 'nothing learned yet')
})

test('a text that breaks out of its string goes to the parser, though both ends are those of the shape', async (t) => {
  const shape = learned(frame('Hello'))
  for (const text of ['","end":"stop","x":"', 'a"b', 'a\\', '\n', '\\x', '\\u12g4', '\0']) {
    t.equal(shape.textOf(raw(text)), null, text)
  }
})

test('members of the given names may differ, in strings and whole numbers', async (t) => {
  const shape = learned(frame('Hello', { pad: 'ab', usage: { count: 12 }, count: 0 }))
  const alike = (rest: object): string | null => shape.textOf(frame('x', rest))
  t.equal(alike({ pad: '', usage: { count: 1234567 }, count: 3 }), 'x')
  t.equal(alike({ pad: 'q"\\é', usage: { count: 0 }, count: 10 }), 'x')
  t.equal(alike({ pad: 7, usage: { count: 12 }, count: 0 }), null, 'a number for a string')
  t.equal(alike({ pad: '', usage: { count: -1 }, count: 0 }), null)
  t.equal(alike({ pad: '', usage: { count: 1.5 }, count: 0 }), null)
  t.equal(alike({ pad: '', usage: { count: '1' }, count: 0 }), null)
  for (const count of ['', '007', '1 2', '1}', 'e']) {
    const text = frame('x', { pad: '', usage: { count: 12 }, count: 0 })
      .toString()
      .replace('12', count)
    t.equal(shape.textOf(Buffer.from(text)), null, count)
  }
  const padded = frame('x', { pad: '#', usage: { count: 12 }, count: 0 }).toString()
  t.equal(shape.textOf(Buffer.from(padded.replace('#', '","end":"stop","y":"'))), null)
})

test('the place of a text is found by trial, also where other members are like it', async (t) => {
  const shape = learned(frame('text', { pad: 'text', end: null }, 'text'))
  t.equal(shape.textOf(frame('words', { pad: 'x', end: null }, 'text')), 'words')
  t.equal(shape.textOf(frame('text', { end: null }, 'words')), null)
  const twice = learned(Buffer.from('{"text":"a","text":"a"}'))
  t.equal(twice.textOf(Buffer.from('{"text":"b","text":"a"}')), null, 'only the last of two names counts')
  t.equal(twice.textOf(Buffer.from('{"text":"a","text":"b"}')), 'b')
})

test('a text in ASCII with escapes for all else is found', async (t) => {
  t.equal(learned(raw('\\u017c\\ud83c\\udf0a "'.replace('"', '\\"')), 'ż🌊 "').textOf(frame('x')), 'x')
  t.equal(learned(raw('\\u0041'), 'A').textOf(frame('x')), null, 'but not every spelling')
})

test('a frame whose text is that of the trial, or is nowhere, teaches no shape', async (t) => {
  t.equal(learned(frame(TRIAL_TEXT)).textOf(frame('x')), null)
  t.equal(learned(frame('a'), 'b').textOf(frame('x')), null)
  t.equal(learned(frame('a', { end: 'stop' }), 'a').textOf(frame('b', { end: 'stop' })), null)
  const long = frame('x', { padding: 'p'.repeat(4000) })
  t.equal(learned(long).textOf(long), null)
})

test('a stream that never matches is not learned from for ever', async (t) => {
  const shape = new FrameShape()
  let learnings = 0
  for (let i = 0; i < 20; i++) {
    const data = frame('x', { end: null }, `id-${i}`)
    t.equal(shape.textOf(data), null)
    if (!shape.mayLearn) continue
    learnings += 1
    shape.learnText(data, 'x', () => true)
  }
  t.equal(learnings, 9)
  t.equal(shape.mayLearn, false)
})

test('what is forgotten is not recognized', async (t) => {
  const shape = learned(frame('Hello'))
  shape.forget()
  t.equal(shape.textOf(frame('Hello')), null)
})

test('whatever the frames are, the shape reads what the parser reads', async () => {
  const text = fc.oneof(fc.string({ unit: 'binary', minLength: 1 }), fc.string({ unit: 'grapheme', minLength: 1 }))
  const rest = fc.record({
    pad: fc.oneof(text, fc.nat()),
    count: fc.oneof(fc.nat(), fc.double(), text),
    end: fc.constant(null),
  })
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 6 })
  fc.assert(
    fc.property(text, rest, text, rest, bytes, (first, around, second, other, put) => {
      const shape = learned(frame(first, around))
      for (const data of [
        frame(second, around),
        frame(second, other),
        raw(Buffer.from(put).toString('latin1'), around),
      ]) {
        const told = shape.textOf(data)
        if (told !== null && told !== read(data)) return false
      }
      return true
    }),
    { numRuns: 5000 },
  )
})
