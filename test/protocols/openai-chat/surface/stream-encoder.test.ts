// The surface's encoder: its frames decode to the events they came from, and the vendor's own client reads them.
import { Stream } from 'openai/core/streaming'
import { type ChatCompletionChunk } from 'openai/resources/chat/completions'
import { test } from 'tap'
import { errorData } from '../../../../src/errors.js'
import { type StreamEvent } from '../../../../src/model/event.js'
import { isJsonObject, type JsonObject } from '../../../../src/model/json.js'
import { encodeCompletionId } from '../../../../src/protocols/openai-chat/response.js'
import { ChatStreamEncoder } from '../../../../src/protocols/openai-chat/surface/stream-encoder.js'
import { encodeErrorFrame } from '../../../../src/protocols/openai-error.js'
import { cases, decodeStream, FALLBACK, payloads, readStream } from '../recordings.js'

const START: StreamEvent = { type: 'start', meta: { ...FALLBACK, id: 'i"d', model: 'm\u0000' } }
const FINISH: StreamEvent = { type: 'finish', reason: 'stop', usage: null, stopSequence: null }

function encode(events: readonly StreamEvent[], includeUsage = true): string[] {
  const frames: string[] = []
  const encoder = new ChatStreamEncoder((frame) => frames.push(frame), { includeUsage })
  for (const event of events) encoder.push(event)
  return frames
}

function prefixed(event: StreamEvent): StreamEvent {
  return event.type === 'start' ? { ...event, meta: { ...event.meta, id: encodeCompletionId(event.meta.id) } } : event
}

function chunks(frames: readonly string[]): JsonObject[] {
  const json = payloads(frames.join('')).map((data) => data.toString())
  return json.filter((data) => data !== '[DONE]').map((data) => JSON.parse(data) as JsonObject)
}

test('decoder after encoder gives the same events, for every recorded stream', (t) => {
  for (const name of cases('responses')) {
    const events = decodeStream(readStream(name))
    t.strictSame(decodeStream(payloads(encode(events).join(''))), events.map(prefixed), name)
  }
  t.end()
})

test('as lines the chunks are the same, one a line, without an end marker', (t) => {
  for (const name of cases('responses')) {
    const events = decodeStream(readStream(name))
    let lines = ''
    const encoder = new ChatStreamEncoder(
      (frame) => {
        lines += frame
      },
      { includeUsage: true, framing: 'ndjson' },
    )
    for (const event of events) encoder.push(event)
    const read = lines.slice(0, -1).split('\n')
    t.ok(lines.endsWith('}\n'))
    t.strictSame(
      read.map((line) => JSON.parse(line)),
      chunks(encode(events)),
      name,
    )
  }
  t.end()
})

test('the first chunk has the role alone, the last is the end marker', (t) => {
  const frames = encode([START, FINISH])
  t.equal(
    frames[0],
    'data: {"id":"chatcmpl-i\\"d","object":"chat.completion.chunk","created":1,"model":"m\\u0000",' +
      '"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}\n\n',
  )
  t.equal(frames.at(-1), 'data: [DONE]\n\n')
  t.end()
})

test('usage comes in a chunk of its own, and only when asked for', (t) => {
  const events = decodeStream(readStream('cached-usage'))
  const asked = chunks(encode(events, true))
  t.match(asked.at(-1), { choices: [], usage: { prompt_tokens: 2006, prompt_tokens_details: { cached_tokens: 1920 } } })
  t.ok(asked.slice(0, -1).every((chunk) => chunk.usage === null))
  const unasked = chunks(encode(events, false))
  t.equal(unasked.length, asked.length - 1)
  t.ok(unasked.every((chunk) => !('usage' in chunk)))
  t.end()
})

test('a call has id, type and name in its first fragment only, and indices count calls alone', (t) => {
  const deltas = chunks(encode(decodeStream(readStream('parallel-tools')))).flatMap((chunk) => {
    const choice = Array.isArray(chunk.choices) ? chunk.choices[0] : null
    const delta = isJsonObject(choice) && isJsonObject(choice.delta) ? choice.delta.tool_calls : null
    return Array.isArray(delta) ? delta : []
  }) as JsonObject[]
  t.strictSame(
    deltas.map((call) => call.index),
    [0, 0, 0, 1, 1, 1],
  )
  t.strictSame(
    deltas.map((call) => 'id' in call),
    [true, false, false, true, false, false],
  )
  t.end()
})

test("a call's signature comes in a last fragment of that call, a text's does not", (t) => {
  const frames = encode([
    START,
    { type: 'block-start', index: 0, block: { kind: 'text' } },
    { type: 'block-end', index: 0, signature: 'of text' },
    { type: 'block-start', index: 1, block: { kind: 'tool-call', id: 'c', name: 'f' } },
    { type: 'block-end', index: 1, signature: 'sig' },
  ])
  t.equal(frames.length, 3)
  t.match(chunks(frames).at(-1), {
    choices: [{ delta: { tool_calls: [{ index: 0, extra_content: { google: { thought_signature: 'sig' } } }] } }],
  })
  t.end()
})

test('an error emits nothing, and neither do empty deltas, block ends and encrypted thinking', (t) => {
  const frames = encode([
    START,
    { type: 'block-start', index: 0, block: { kind: 'reasoning', redacted: 'xyz' } },
    { type: 'block-delta', index: 0, delta: '' },
    { type: 'block-end', index: 0, signature: 's' },
    { type: 'error', error: errorData('upstream_cut') },
  ])
  t.equal(frames.length, 1)
  t.end()
})

test('lone surrogates leave as escapes and line separators break no frame', (t) => {
  const [, frame = ''] = encode([
    START,
    { type: 'block-start', index: 0, block: { kind: 'text' } },
    { type: 'block-delta', index: 0, delta: '\ud83d\u2028\n' },
  ])
  t.match(frame, /"content":"\\ud83d\u2028\\n"/)
  t.equal(frame.trimEnd().split(/[\r\n]/).length, 1)
  t.end()
})

test("the vendor's own client reads every stream, and raises on an error frame", async (t) => {
  const read = async (sse: string) => {
    const found: ChatCompletionChunk[] = []
    const stream = Stream.fromSSEResponse<ChatCompletionChunk>(new Response(sse), new AbortController())
    for await (const chunk of stream) found.push(chunk)
    return found
  }
  const found = await read(encode(decodeStream(readStream('unicode'))).join(''))
  const text = found.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')
  t.match(text, '日本語と👩\u200d👩\u200d👧 café\u2028"quoted" \\back\\ \n\tend')
  const [first = ''] = encode([START])
  await t.rejects(read(first + encodeErrorFrame(errorData('upstream_cut'))), { code: 'upstream_cut' })
})
