// Which frames of a kept stream have a number, and what of them is kept.
import fc from 'fast-check'
import { test } from 'tap'
import { NumberedFrames } from '../../../src/streams/kept/numbered-frames.js'

function split(framing: 'sse' | 'ndjson', ...pushes: string[]): string[] {
  const found: string[] = []
  const frames = new NumberedFrames(framing, (source, first, { ends, count }) => {
    let start = first
    for (const end of ends.slice(0, count)) {
      found.push(source.toString('utf8', start, end))
      start = end
    }
  })
  for (const text of pushes) frames.push(Buffer.from(text))
  frames.end()
  return found
}

test('each frame with data is one, whatever else it has', (t) => {
  const one = 'data: {"a":1}\n\n'
  const named = 'event: delta\ndata: {"b":2}\n\n'
  const lines = 'data: one\ndata: two\nretry: 5\n\n'
  t.same(split('sse', one + named, lines, 'data: [DONE]\n\n'), [one, named, lines, 'data: [DONE]\n\n'])
  t.same(split('sse', ': ping\n\n', 'event: bare\n\n', '\n', 'id: 3\n\n', 'retry: 1\n\n'), [])
  t.end()
})

test('any number of frames may come at once, and are passed on in runs of at most 128', (t) => {
  const numbers = Array.from({ length: 1000 }, (_, n) => n)
  const texts = numbers.map((n) => (n % 333 === 5 ? `: c\ndata: ${n}\n\n` : `data: ${n}\n\n`))
  t.same(
    split('sse', texts.join(''), texts.join(': ping\n\n')),
    [...numbers, ...numbers].map((n) => `data: ${n}\n\n`),
  )
  let longest = 0
  const frames = new NumberedFrames('sse', (_source, _start, { ends }) => {
    longest = Math.max(longest, ends.length)
  })
  frames.push(Buffer.from(texts.join('')))
  t.equal(longest, 128, 'what stays for the life of the stream')
  t.end()
})

test('takes out comments and ids of the upstream, and leaves all other bytes as they are', (t) => {
  t.same(split('sse', 'id: 5\nevent: x\n: note\ndata: 1\nidle: no id\nid\ndata:2\n\n'), [
    'event: x\ndata: 1\nidle: no id\ndata:2\n\n',
  ])
  t.same(split('sse', ':\ndata: 1\n\n'), ['data: 1\n\n'])
  t.same(split('sse', 'data: 1\nid:\n\n'), ['data: 1\n\n'])
  t.same(split('sse', 'data: id: 5\n\n', 'data: : x\n\n'), ['data: id: 5\n\n', 'data: : x\n\n'])
  t.end()
})

test('the same with other line ends', (t) => {
  t.same(split('sse', 'id: 5\r\nevent: x\r\ndata: 1\r\n\r\n', 'data: 2\r\n\r\n'), [
    'event: x\r\ndata: 1\r\n\r\n',
    'data: 2\r\n\r\n',
  ])
  t.same(split('sse', 'data: 1\rid: 5\r: c\rdata: 2\r\r', 'data: 3\r\r'), ['data: 1\rdata: 2\r\r', 'data: 3\r\r'])
  t.same(split('sse', 'data: 1\nid: 5\rid\r\n: c\r\n\n'), ['data: 1\n\n'])
  t.end()
})

test('a line is a frame in NDJSON, and keeps what looks like a comment', (t) => {
  t.same(split('ndjson', '{"a":1}\n{"b":2}\r\n', '\n', ':{"c":3}\nid: 1\n'), [
    '{"a":1}\n',
    '{"b":2}\r\n',
    ':{"c":3}\n',
    'id: 1\n',
  ])
  t.end()
})

test('what is left is what a client dispatches: the same events, without ids', (t) => {
  const line = fc.constantFrom(
    'data: a',
    'data:b',
    'data',
    ': comment',
    ':',
    'id: 1',
    'id',
    'event: e',
    'retry: 3',
    'identity: 1',
    'ids',
    'i',
  )
  const eol = fc.constantFrom('\n', '\r\n', '\r')
  const drawn = fc.array(fc.tuple(fc.array(line, { minLength: 1, maxLength: 5 }), eol), { maxLength: 6 })
  fc.assert(
    fc.property(drawn, (frames) => {
      const pushes = frames.map(([lines, end]) => [...lines, ''].map((text) => text + end).join(''))
      const kept = split('sse', ...pushes)
      const expected = frames
        .map(([lines, end]) => ({ lines: lines.filter((text) => !/^(?::|id(?::|$))/.test(text)), end }))
        .filter(
          ({ lines }) =>
            lines.some((text) => /^data:./.test(text)) || lines.filter((text) => /^data(?::|$)/.test(text)).length > 1,
        )
        .map(({ lines, end }) => [...lines, ''].map((text) => text + end).join(''))
      return kept.join('|') === expected.join('|')
    }),
    { numRuns: 500 },
  )
  t.end()
})
