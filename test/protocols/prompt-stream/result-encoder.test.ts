// The body is one JSON document whatever the text holds and wherever it ends.
import { test } from 'tap'
import { errorData } from '../../../src/errors.js'
import { type StreamEvent } from '../../../src/model/event.js'
import { encodeResultError, KEEPALIVE, ResultEncoder } from '../../../src/protocols/prompt-stream/result-encoder.js'
import { FALLBACK } from '../../helpers/protocol-fixtures.js'

const FINISH: StreamEvent = { type: 'finish', reason: 'stop', usage: null, stopSequence: null }

function* textBlock(index: number, deltas: readonly string[]): Generator<StreamEvent> {
  yield { type: 'block-start', index, block: { kind: 'text' } }
  for (const delta of deltas) yield { type: 'block-delta', index, delta }
  yield { type: 'block-end', index, signature: null }
}

function encode(events: Iterable<StreamEvent>): string[] {
  const pieces: string[] = []
  const encoder = new ResultEncoder((piece) => pieces.push(piece))
  encoder.push({ type: 'start', meta: FALLBACK })
  for (const event of events) encoder.push(event)
  return pieces
}

const EMOJI = '\u{1f600}'
const HOSTILE: readonly (readonly string[])[] = [
  ['say "hi"', '\\', '"', '}'],
  ['a\nb\r\n', '\t\u0000\u001f\u007f\u2028\u2029'],
  ['</script><script>alert(1)</script>', '<!--', '\u0085'],
  [EMOJI.slice(0, 1), EMOJI.slice(1)],
  ['x', EMOJI.slice(0, 1), '', EMOJI.slice(1), EMOJI.slice(0, 1)],
  [EMOJI.slice(1), EMOJI.slice(1), '\ud800'],
  ['","error":"no"}', '{"result":"'],
  ['\\u', '0041', '\\', 'n'],
  ['', ''],
  [],
]

test('any text, cut anywhere, parses as the text it is', async (t) => {
  for (const deltas of HOSTILE) {
    for (const parts of [deltas, deltas.join('').split(''), [deltas.join('')]]) {
      const pieces = encode([...textBlock(0, parts), FINISH])
      // Through UTF-8, as the wire has it.
      const body = KEEPALIVE + Buffer.from(pieces.join('')).toString()
      t.strictSame(JSON.parse(body), { result: deltas.join('') })
    }
  }
})

test('wherever the stream is cut, the error ends the document', async (t) => {
  const error = errorData('upstream_cut', { message: 'It "broke".\n' })
  for (const deltas of HOSTILE) {
    const events = [...textBlock(0, deltas)]
    for (let at = 0; at <= events.length; at++) {
      const pieces = encode(events.slice(0, at))
      const body = KEEPALIVE + Buffer.from(pieces.join('') + encodeResultError(error, pieces.length > 0)).toString()
      const sent = deltas.slice(0, Math.max(0, Math.min(deltas.length, at - 1))).join('')
      t.strictSame(JSON.parse(body), { ...(sent === '' ? {} : { result: sent }), error: error.message })
    }
  }
})

test('each delta goes out as it comes, and nothing before the first', async (t) => {
  t.strictSame(encode([]), [])
  t.strictSame(encode([...textBlock(0, ['a', 'b']), ...textBlock(1, ['c']), FINISH]), ['{"result":"a', 'b', 'c', '"}'])
  t.strictSame(encode([FINISH]), ['{"result":""}'])
})

test('the model’s reasoning and calls are not its answer', async (t) => {
  const events: StreamEvent[] = [
    { type: 'block-start', index: 0, block: { kind: 'reasoning', redacted: null } },
    { type: 'block-delta', index: 0, delta: 'hm' },
    { type: 'block-end', index: 0, signature: 's' },
    { type: 'block-start', index: 1, block: { kind: 'tool-call', id: 'c', name: 'f' } },
    { type: 'block-delta', index: 1, delta: '{}' },
    { type: 'block-end', index: 1, signature: null },
  ]
  t.strictSame(encode(events), [])
  t.equal(encode([...events, ...textBlock(2, ['a']), FINISH]).join(''), '{"result":"a"}')
})
