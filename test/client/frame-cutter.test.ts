// Frames as they are cut from connections: whole, once, in order, wherever the bytes are divided and the connection is lost.
import { test } from 'tap'
import { FrameCutter } from '../../src/client/frame-cutter.js'

const BREAKS = ['\n', '\r\n', '\r'] as const

function numbered(frames: readonly string[], from = 0): string {
  return frames
    .slice(from)
    .map((frame, i) => `id: ${from + i}\n${frame}`)
    .join('')
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

function pushAll(cutter: FrameCutter, parts: readonly string[]): string {
  return parts.map((part) => textOf(cutter.push(bytesOf(part)))).join('')
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}

const FRAMES = [
  'data: {"a":"ż 👋"}\n\n',
  'event: delta\ndata: {"b":1}\n\n',
  'retry: 5\ndata: x\ndata: y\n\n',
  'data: [DONE]\n\n',
]

test('whole frames are passed on byte for byte, cut at every byte, with each kind of line break', async (t) => {
  for (const lineBreak of BREAKS) {
    const text = numbered(FRAMES).replaceAll('\n', lineBreak)
    const bytes = bytesOf(text)
    for (let at = 0; at <= bytes.length; at++) {
      const cutter = new FrameCutter('sse')
      const passed = [bytes.subarray(0, at), bytes.subarray(at)].map((part) => textOf(cutter.push(part))).join('')
      // The LF that might follow a last CR has not come; the frame before it has its number all the same.
      const whole = lineBreak === '\r' ? text.slice(0, text.lastIndexOf('id: 3')) : text
      if (passed !== whole) t.equal(passed, whole, `${JSON.stringify(lineBreak)} at ${at}`)
      if (lineBreak !== '\r' && !(cutter.last === 3 && cutter.isEnded)) t.fail(`not ended at ${at}`)
    }
  }
  t.pass('every byte')
})

test('a connection lost at any byte leaves nothing doubled and nothing out', async (t) => {
  const bytes = bytesOf(numbered(FRAMES))
  for (let first = 0; first <= bytes.length; first++) {
    const cutter = new FrameCutter('sse')
    let passed = textOf(cutter.push(bytes.subarray(0, first)))
    cutter.drop()
    const second = numbered(FRAMES, cutter.last + 1)
    passed += textOf(cutter.push(bytesOf(second.slice(0, second.length / 2))))
    cutter.drop()
    passed += pushAll(cutter, [numbered(FRAMES, cutter.last + 1)])
    if (passed !== numbered(FRAMES)) t.equal(passed, numbered(FRAMES), `at ${first}`)
  }
  t.pass('every byte')
})

test('a frame that comes again is left out; one that is missing stops everything', async (t) => {
  const again = new FrameCutter('sse')
  t.equal(pushAll(again, [numbered(FRAMES).slice(0, -20), numbered(FRAMES)]), numbered(FRAMES))
  t.notOk(again.isTorn)
  const torn = new FrameCutter('sse')
  t.equal(pushAll(torn, ['id: 0\ndata: a\n\nid: 2\ndata: c\n\n', 'id: 3\ndata: d\n\n']), 'id: 0\ndata: a\n\n')
  t.ok(torn.isTorn)
  t.equal(torn.last, 0)
  t.ok(isTornBy('id: 1\ndata: b\n\n'), 'the first is missing')
})

function isTornBy(text: string): boolean {
  const cutter = new FrameCutter('sse')
  cutter.push(bytesOf(text))
  return cutter.isTorn
}

test('comments between frames are passed on at once, those within a frame with it', async (t) => {
  const cutter = new FrameCutter('sse')
  t.equal(pushAll(cutter, [': ping\n']), ': ping\n')
  t.equal(pushAll(cutter, [': queued 3 12', '00\nid: 0\n']), ': queued 3 1200\n')
  t.equal(pushAll(cutter, [': within\ndata: a\n']), '')
  t.equal(pushAll(cutter, ['\n: ping\n\n']), 'id: 0\n: within\ndata: a\n\n: ping\n\n')
  t.equal(cutter.last, 0)
})

test('frames without a number are passed on and not counted', async (t) => {
  const cutter = new FrameCutter('sse')
  const frames = ['data: a\n\nid: x7\ndata: b\n\n', 'data: id: 5\n\n']
  t.equal(pushAll(cutter, frames), frames.join(''))
  t.equal(cutter.last, -1)
})

test('the end is found in each form, and never in content', async (t) => {
  const ends = [
    ...['data: [DONE]', 'data:[DONE]', 'data: {"error":{"message":"no"}}', 'event: message_stop\ndata: {}'],
    ...['data: {"type":"done","usage":{}}', 'data: {"type":"error","error":"no"}'],
    ...['event: error\ndata: {}', 'event: response.completed\ndata: {}', 'event: response.incomplete\ndata: {}'],
  ]
  const others = [
    ...['data: {"text":"data: [DONE]"}', 'data: {"text":"\u2028data: [DONE]"}', 'event: message_start\ndata: {}'],
    ...['data: {"a":{"error":1}}', 'event: response.created\ndata: {}'],
  ]
  const isEnd = (text: string): boolean => {
    const cutter = new FrameCutter('sse')
    cutter.push(bytesOf(`id: 0\n${text}\n\n`))
    return cutter.isEnded
  }
  for (const text of ends) t.ok(isEnd(text), encodeURI(text))
  for (const text of others) t.notOk(isEnd(text), encodeURI(text))
})

test('an answer is finished by its end marker, or by the reason that the model gives where there is none', async (t) => {
  const isFinished = (framing: 'sse' | 'ndjson', text: string): boolean => {
    const cutter = new FrameCutter(framing)
    cutter.push(bytesOf(text))
    t.equal(cutter.isEnded, false)
    return cutter.isFinished
  }
  t.ok(isFinished('sse', 'id: 0\ndata: {"candidates":[{"finishReason": "STOP"}]}\n\n'))
  t.notOk(isFinished('sse', 'id: 0\ndata: {"candidates":[{"text":"\\"finishReason\\":\\"STOP"}]}\n\n'))
  t.notOk(isFinished('sse', 'id: 0\ndata: {"choices":[{"finish_reason":"stop"}]}\n\n'), 'its end marker comes yet')
  t.ok(isFinished('ndjson', '{"choices":[{"finish_reason":"stop"}]}\n'))
  t.notOk(isFinished('ndjson', '{"choices":[{"finish_reason":null}]}\n'))
})

test('lines of NDJSON are counted from the first, blank ones left out', async (t) => {
  const lines = ['{"a":1}\n', '\n', `{"b":"${'x'.repeat(400)}","c":"\\"done\\":true"}\n`, '{"d":"ż","done":true}\n']
  const bytes = bytesOf(lines.join(''))
  for (let at = 0; at <= bytes.length; at++) {
    const cutter = new FrameCutter('ndjson')
    const passed = textOf(cutter.push(bytes.subarray(0, at))) + textOf(cutter.push(bytes.subarray(at)))
    if (passed !== lines.join('')) t.equal(passed, lines.join(''), `at ${at}`)
    if (cutter.last !== 2 || !cutter.isEnded) t.fail(`${cutter.last} at ${at}`)
  }
  const cutter = new FrameCutter('ndjson')
  cutter.push(bytesOf(lines.slice(0, 3).join('')))
  t.notOk(cutter.isEnded)
  cutter.push(bytesOf('{"e":'))
  cutter.drop()
  t.notOk(cutter.isFinished)
  t.equal(pushAll(cutter, ['{"error":"no"}\n']), '{"error":"no"}\n')
  t.equal(cutter.last, 2)
  t.ok(cutter.isEnded)
})
