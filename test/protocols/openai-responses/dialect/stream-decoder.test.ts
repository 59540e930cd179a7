// Events of the vendor as canonical events: beginning, end and failure.
import { test } from 'tap'
import { type JsonObject } from '../../../../src/model/json.js'
import { ResponsesDecoder } from '../../../../src/protocols/openai-responses/dialect/stream-decoder.js'
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
