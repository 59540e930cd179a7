// A stream that passes: what is content, what ends it, what must not pass.
import { test } from 'tap'
import { errorData } from '../../../../src/errors.js'
import { type JsonObject } from '../../../../src/model/json.js'
import {
  FRAME_BROKEN,
  FRAME_CONTENT,
  FRAME_EDITED,
  FRAME_END,
  FRAME_ERROR,
  FRAME_OTHER,
  FRAME_STRIP,
} from '../../../../src/protocols/contract/protocol.js'
import { ResponsesObserver } from '../../../../src/protocols/openai-responses/dialect/observer.js'
import { payloadsOf } from '../streams.js'

function observe(...payloads: (JsonObject | string)[]) {
  const observer = new ResponsesObserver()
  const bits = payloads.map((payload) =>
    observer.observe(Buffer.from(typeof payload === 'string' ? payload : JSON.stringify(payload))),
  )
  return { observer, bits, last: bits.at(-1) }
}

const CREATED = { type: 'response.created', sequence_number: 0, response: { id: 'resp_1', model: 'm', created_at: 5 } }
const COMPLETED = { type: 'response.completed', response: { status: 'completed', output: [] } }
const delta = (text: string, sequence = 4) => ({
  type: 'response.output_text.delta',
  sequence_number: sequence,
  delta: text,
})
const item = (type: string, members: JsonObject) => ({
  type: `response.output_item.${type}`,
  output_index: 0,
  item: members,
})

test('deltas of any kind are content, in their usual form and in others', async (t) => {
  t.same(observe(delta('abc'), delta('')).bits, [FRAME_CONTENT, FRAME_OTHER])
  t.equal(observe(delta('abc'), { ...delta('é'), logprobs: [{}] }).observer.contentBytes, 4)
  t.equal(observe({ ...delta(''), logprobs: [{}] }).last, FRAME_OTHER)
  t.equal(observe({ type: 'response.mcp_call_arguments.delta', delta: '{', extra: null }).last, FRAME_CONTENT)
})

test('a call says something by its name, an item of the vendor’s own tool by being there, a message not yet', async (t) => {
  t.equal(observe(item('added', { type: 'message' })).last, FRAME_OTHER)
  t.equal(observe(item('added', { type: 'reasoning' })).last, FRAME_OTHER)
  t.equal(observe(item('done', { type: 'reasoning', summary: [] })).last, FRAME_OTHER)
  t.equal(observe(item('done', { type: 'reasoning', summary: [{ text: 'a' }] })).last, FRAME_CONTENT)
  t.equal(observe(item('done', { type: 'message' })).last, FRAME_CONTENT)
  t.equal(observe(item('added', { type: 'function_call' })).last, FRAME_CONTENT)
  t.equal(observe(item('added', { type: 'web_search_call' })).last, FRAME_CONTENT)
  t.equal(observe({ type: 'response.output_item.added' }).last, FRAME_OTHER)
})

test('the last event has usage and reason, and nothing passes behind it', async (t) => {
  const usage = { input_tokens: 1, output_tokens: 2 }
  const { observer, bits } = observe(
    CREATED,
    delta('a'),
    { ...COMPLETED, response: { ...COMPLETED.response, usage } },
    '[DONE]',
  )
  t.same(bits, [FRAME_OTHER, FRAME_CONTENT, FRAME_END, FRAME_STRIP])
  t.match(observer, { usage: { inputTokens: 1, outputTokens: 2 }, finish: 'stop', error: null })
  t.ok(observer.isComplete())
  t.equal(observe(item('added', { type: 'custom_tool_call' }), COMPLETED).observer.finish, 'tool-calls')
  t.equal(observe({ ...COMPLETED, response: { output: [{ type: 'message' }] } }).last, FRAME_END | FRAME_CONTENT)
  t.equal(observe({ type: 'response.completed' }).last, FRAME_END)
})

test('failures and broken frames are found, and a keepalive event is removed', async (t) => {
  const failed = { type: 'response.failed', response: { error: { code: 'server_error', message: 'Broke.' } } }
  const { observer, bits } = observe(CREATED, failed, delta('a'))
  t.same(bits, [FRAME_OTHER, FRAME_ERROR, FRAME_STRIP])
  t.match(observer.error, { message: 'Broke.' })
  t.notOk(observer.isComplete())
  t.equal(observe('{"type":"x.delta","delta":"a"}}').last, FRAME_BROKEN)
  t.equal(observe('[DONE]').last, FRAME_OTHER)
  t.equal(observe({ type: 'keepalive', sequence_number: 3 }).last, FRAME_STRIP)
})

test('our own error continues the numbers and the id of the stream', async (t) => {
  const told = (...payloads: JsonObject[]) =>
    payloadsOf(observe(...payloads).observer.encodeErrorFrame(errorData('upstream_cut')))
  t.match(told(CREATED, delta('a', 41)), [
    { type: 'error', sequence_number: 42, code: 'upstream_cut', error: { code: 'upstream_cut' } },
    {
      type: 'response.failed',
      sequence_number: 43,
      response: {
        id: 'resp_1',
        model: 'm',
        created_at: 5,
        status: 'failed',
        error: { code: 'upstream_cut' },
        output: [],
      },
    },
  ])
  const unnumbered = { type: 'response.output_text.delta', delta: 'a' }
  t.match(told({ type: 'response.created' }, unnumbered, unnumbered), [
    { sequence_number: 3 },
    { response: { id: '' } },
  ])
})

test('the gateway’s members are put into each response object, and into nothing else', async (t) => {
  const own = { id: 'resp_own', previous_response_id: null, store: true, background: false }
  const observer = new ResponsesObserver(own)
  t.equal(observer.observe(Buffer.from(JSON.stringify(CREATED))), FRAME_EDITED)
  t.match(observer.edited?.toString(), /"id":"resp_own"/)
  t.equal(observer.observe(Buffer.from('{"type":"x","response":1}')), FRAME_OTHER)
})

test('an answer that runs without its client says that it has waited, and all later events have the next number', async (t) => {
  const own = { id: 'resp_own', previous_response_id: null, store: true, background: true }
  const passed = (...payloads: (JsonObject | string)[]) => {
    const observer = new ResponsesObserver(own)
    let text = ''
    for (const payload of payloads) {
      const data = typeof payload === 'string' ? payload : JSON.stringify(payload)
      const bits = observer.observe(Buffer.from(data))
      const sent = (bits & FRAME_EDITED) === 0 ? data : observer.edited?.toString()
      text += `event: ${JSON.parse(data).type}\ndata: ${sent}\n\n`
    }
    return { observer, sent: payloadsOf(text) }
  }
  const ITEM = { ...item('added', { type: 'message' }), sequence_number: 2 }
  const IN_PROGRESS = { ...CREATED, type: 'response.in_progress', sequence_number: 1 }
  const { observer, sent } = passed(CREATED, IN_PROGRESS, ITEM, delta('a', 3))
  t.match(sent, [
    { type: 'response.created', sequence_number: 0, response: { id: 'resp_own', status: 'queued' } },
    { type: 'response.queued', sequence_number: 1, response: { id: 'resp_own', status: 'queued' } },
    { type: 'response.in_progress', sequence_number: 2, response: { id: 'resp_own' } },
    { type: 'response.output_item.added', sequence_number: 3 },
    { type: 'response.output_text.delta', sequence_number: 4, delta: 'a' },
  ])
  t.match(payloadsOf(observer.encodeErrorFrame(errorData('upstream_cut'))), [{ sequence_number: 5 }, {}])
  const { sequence_number: _, ...unnumbered } = CREATED
  t.same(
    passed(unnumbered, { type: 'x' }).sent.map((event) => event.sequence_number),
    [undefined, undefined, undefined],
    'a server without numbers gets none',
  )
  const lines = new ResponsesObserver(own)
  lines.observe(Buffer.from(JSON.stringify(CREATED, null, 1)))
  t.notMatch(lines.edited?.toString(), /queued/, 'several lines cannot be joined to those of another event')
})
