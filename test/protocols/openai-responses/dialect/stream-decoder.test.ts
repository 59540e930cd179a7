// Events of the vendor as canonical events: beginning, end and failure.
import { test } from 'tap'
import { type JsonObject } from '../../../../src/model/json.js'
import { ResponsesDecoder } from '../../../../src/protocols/openai-responses/dialect/stream-decoder.js'
import { parsesOf } from '../../../helpers/parses.js'
import { decode, FALLBACK, TARGET } from '../streams.js'

const CREATED = { type: 'response.created', response: { id: 'resp_1', model: 'm', created_at: 5 } }
const TEXT = { type: 'response.output_text.delta', output_index: 0, item_id: 'i', content_index: 0, delta: 'a' }
const completed = (response: JsonObject = {}) => ({
  type: 'response.completed',
  response: { status: 'completed', ...response },
})

test('a stream begins with the first response, and ends with its usage', async (t) => {
  const usage = { input_tokens: 1, output_tokens: 2 }
  const events = decode([
    CREATED,
    { type: 'response.in_progress', response: { id: 'other' } },
    TEXT,
    completed({ usage }),
  ])
  t.same(events[0], { type: 'start', meta: { id: 'resp_1', model: 'm', createdSec: 5, usage: null } })
  t.match(events.at(-1), { type: 'finish', reason: 'stop', usage: { inputTokens: 1, outputTokens: 2 } })
  t.equal(events.length, 5)
})

test('a stream without its beginning has the gateway’s own id; an end marker of another wire is nothing', async (t) => {
  const events: unknown[] = []
  const decoder = new ResponsesDecoder((event) => events.push(event), { fallback: FALLBACK, target: TARGET })
  for (const data of [JSON.stringify(TEXT), ' ', '[DONE]']) decoder.push(Buffer.from(data))
  decoder.push(Buffer.from(JSON.stringify(completed())))
  decoder.push(Buffer.from('[DONE]'))
  decoder.push(Buffer.from(JSON.stringify(TEXT)))
  decoder.end()
  t.match(events[0], { meta: FALLBACK })
  t.match(events.at(-1), { type: 'finish' })
  t.equal(events.length, 5)
})

test('a server that sends nothing but the finished response', async (t) => {
  const output = [
    { type: 'message', content: [{ type: 'output_text', text: 'a' }] },
    { type: 'function_call', call_id: 'c', name: 'f', arguments: '{}' },
  ]
  const events = decode([completed({ output, id: 'resp_2' })])
  t.same(
    events.map(({ type }) => type),
    ['start', 'block-start', 'block-delta', 'block-end', 'block-start', 'block-delta', 'block-end', 'finish'],
  )
  t.match(events.at(-1), { reason: 'tool-calls' })
})

test('a stream that ends without a last event is cut, whatever it said', async (t) => {
  t.match(decode([CREATED, TEXT]).at(-1), { type: 'error', error: { code: 'upstream_cut' } })
  t.match(decode([]), [{ type: 'error', error: { code: 'upstream_cut' } }])
})

test('a failure ends the stream, whatever follows', async (t) => {
  const failed = { type: 'response.failed', response: { error: { code: 'rate_limit_exceeded', message: 'Slow.' } } }
  t.match(decode([CREATED, failed, TEXT, completed()]).slice(1), [{ type: 'error', error: { code: 'rate_limited' } }])
  const events = decode([CREATED, { type: 'error', error: { code: 'server_error', message: 'Broke.' } }, failed])
  t.match(events.slice(1), [{ error: { code: 'upstream_rejected', message: 'Broke.' } }])
  t.equal(events.length, 2)
})

test('events that are unknown are no content', async (t) => {
  const others = ['keepalive', 'response.audio.delta', 'response.web_search_call.searching'].map((type) => ({
    type,
    delta: 'x',
  }))
  t.same(
    decode([CREATED, ...others, completed()]).map(({ type }) => type),
    ['start', 'finish'],
  )
})

test('deltas that differ in their text, number and padding alone are not parsed', async (t) => {
  const words = ['one', 'two', 'three "q"', 'vier ü', 'five']
  const deltas = (type: string, members: JsonObject = {}) =>
    words.map((delta, i) => ({
      ...{ type: `response.${type}.delta`, sequence_number: 8 + i, item_id: type, output_index: 0, ...members },
      ...{ delta, obfuscation: 'x'.repeat(i) },
    }))
  const calls = { item: { type: 'function_call', id: 'function_call_arguments', call_id: 'c', name: 'f' } }
  for (const [type, members, before] of [
    ['output_text', { content_index: 0, logprobs: null }, []],
    ['refusal', { content_index: 0 }, []],
    ['reasoning_summary_text', { summary_index: 0 }, []],
    ['reasoning_text', { content_index: 0 }, []],
    ['function_call_arguments', {}, [{ type: 'response.output_item.added', output_index: 0, ...calls }]],
  ] as const) {
    let events: unknown[] = []
    const parses = parsesOf(() => {
      events = decode([CREATED, ...before, ...deltas(type, members), completed()])
    })
    // The first one and its trial, and the one with an escape.
    t.equal(parses, 2 + before.length + 3, type)
    t.match(
      events.filter((event) => (event as JsonObject).type === 'block-delta'),
      words.map((delta) => ({ delta })),
      type,
    )
  }
})

test('a delta for another item is read as what it is, though it is like the last one', async (t) => {
  const text = (item: string, delta: string) => ({ ...TEXT, item_id: item, output_index: item === 'i' ? 0 : 1, delta })
  const events = decode([CREATED, text('i', 'a'), text('i', 'b'), text('j', 'c'), text('j', 'd'), text('i', 'e')])
  t.same(
    events.flatMap((event) => (event.type === 'block-delta' ? [event.delta] : [])),
    ['a', 'b', 'e'],
    'the second item waits for the end of the first one',
  )
})

test('a text that is also the value of another member is found in its place', async (t) => {
  const text = (item: string, delta: string) => ({ type: TEXT.type, item_id: item, output_index: 0, delta })
  const events = decode([CREATED, text('same', 'same'), text('other', 'same'), text('same', 'other')])
  t.same(
    events.flatMap((event) => (event.type === 'block-delta' ? [event.delta] : [])),
    ['same', 'same', 'other'],
  )
})
