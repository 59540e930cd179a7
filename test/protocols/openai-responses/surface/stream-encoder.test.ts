// The order of the vendor's events, and what each of them says.

import { type Test, test } from 'tap'
import { errorData } from '../../../../src/errors.js'
import { isJsonObject, type JsonObject } from '../../../../src/model/json.js'
import { NO_PARTS } from '../../../../src/model/usage.js'
import { ResponsesEncoder } from '../../../../src/protocols/openai-responses/surface/stream-encoder.js'
import { type Block, blocks, encode, META, outputOf, payloadsOf, typesOf } from '../streams.js'

const TEXT = { kind: 'text' } as const
const REASONING = { kind: 'reasoning', redacted: null } as const
const call = (name: string) => ({ kind: 'tool-call', id: `call_${name}`, name }) as const

test('a text is created, in progress, added, written, done, and complete', async (t) => {
  const sent = encode(blocks([{ head: TEXT, deltas: ['Hel', '', 'lo'] }]))
  t.same(typesOf(sent), [
    ...['created', 'in_progress', 'output_item.added', 'content_part.added', 'output_text.delta', 'output_text.delta'],
    ...['output_text.done', 'content_part.done', 'output_item.done', 'completed'],
  ])
  t.match(sent[2], { output_index: 0, item: { id: 'msg_1_0', status: 'in_progress', content: [] } })
  t.match(sent[3], { item_id: 'msg_1_0', output_index: 0, content_index: 0, part: { type: 'output_text', text: '' } })
  t.match(sent[4], { item_id: 'msg_1_0', output_index: 0, content_index: 0, delta: 'Hel', logprobs: [] })
  t.match(sent[6], { text: 'Hello', logprobs: [] })
  t.match(sent[7], { part: { type: 'output_text', text: 'Hello', annotations: [] } })
  t.match(sent[8], { item: { id: 'msg_1_0', status: 'completed', content: [{ text: 'Hello' }] } })
})

test('only the last event of a complete answer says when it was completed', async (t) => {
  let sent = ''
  const encoder = new ResponsesEncoder(
    (frame) => {
      sent += frame
    },
    { includeUsage: true, elapsedMs: () => 4000 },
  )
  for (const event of blocks([{ head: TEXT, deltas: ['Hi'] }])) encoder.push(event)
  const times = payloadsOf(sent).flatMap(({ response }) => (isJsonObject(response) ? [response.completed_at] : []))
  t.same(times, [null, null, META.createdSec + 4])
})

/** Checks the order law of section "Streaming" of Open Responses over any stream of ours. */
function checkLaw(t: Test, sent: readonly JsonObject[]): void {
  t.same(
    sent.map((event) => event.sequence_number),
    sent.map((_, i) => i),
    'numbers',
  )
  t.same(typesOf(sent.slice(0, 2)), ['created', 'in_progress'])
  const open = new Map<unknown, JsonObject>()
  const done: unknown[] = []
  const ids = new Set<unknown>()
  for (const event of sent.slice(2, -1)) {
    const item = isJsonObject(event.item) ? event.item : null
    if (event.type === 'response.output_item.added') {
      t.equal(event.output_index, ids.size, 'places count')
      t.notOk(ids.has(item?.id), 'ids are unique')
      ids.add(item?.id)
      open.set(item?.id, event)
    } else if (event.type === 'response.output_item.done') {
      t.equal(open.get(item?.id)?.output_index, event.output_index)
      open.delete(item?.id)
      done.push(item)
    } else t.equal(open.get(event.item_id)?.output_index, event.output_index, 'an event addresses an open item twice')
  }
  t.equal(open.size, 0)
  t.same(outputOf(sent), done, 'the last event repeats the finished items')
  for (const event of sent) {
    if (isJsonObject(event.response)) t.equal(event.response.id, 'resp_1', 'the id of the response is constant')
  }
}

const REQUEST = {
  tools: [
    { type: 'custom', name: 'patch' },
    { type: 'namespace', name: 'files', tools: [{ type: 'function', name: 'read' }] },
    { type: 'tool_search', execution: 'client' },
  ],
}

test('the order law holds for any blocks', async (t) => {
  const any: Block[] = [
    { head: REASONING, deltas: ['h', 'm'], signature: 'EqQB' },
    { head: { kind: 'reasoning', redacted: 'EmwK' } },
    { head: TEXT, deltas: ['a'] },
    { head: TEXT },
    { head: call('patch'), deltas: ['{"inp', 'ut":"x', '\\ny"}'] },
    { head: call('files__read'), deltas: ['{}'], signature: 'google-gemini:s' },
    { head: call('tool_search'), deltas: ['{"q":', '1}'] },
    { head: call('plain') },
  ]
  for (let first = 0; first <= any.length; first++) {
    checkLaw(t, encode(blocks(any.slice(first)), REQUEST))
    checkLaw(t, encode(blocks(any.slice(0, first), 'length'), REQUEST))
  }
})

test('a custom tool is called as one, with raw input in its deltas', async (t) => {
  const sent = encode(blocks([{ head: call('patch'), deltas: ['{"input":"*** B', 'egin\\n', '+x"}'] }]), REQUEST)
  const types = typesOf(sent.slice(2, -1))
  t.same(types, [
    ...['output_item.added', 'custom_tool_call_input.delta', 'custom_tool_call_input.delta'],
    ...['custom_tool_call_input.delta', 'custom_tool_call_input.done', 'output_item.done'],
  ])
  t.match(sent[2], { item: { type: 'custom_tool_call', name: 'patch', input: '', call_id: 'call_patch' } })
  t.same(
    sent.slice(3, 6).map(({ delta }) => delta),
    ['*** B', 'egin\n', '+x'],
  )
  t.match(sent[6], { input: '*** Begin\n+x' })
  t.match(outputOf(sent), [{ type: 'custom_tool_call', input: '*** Begin\n+x' }])
})

test('a call of a tool in a namespace has both names; one without arguments has an empty object as its one delta', async (t) => {
  const sent = encode(blocks([{ head: call('files__read') }]), REQUEST)
  t.match(sent[2], { item: { type: 'function_call', name: 'read', namespace: 'files', arguments: '' } })
  t.match(sent[3], { type: 'response.function_call_arguments.delta', delta: '{}' })
  t.match(sent[4], { type: 'response.function_call_arguments.done', arguments: '{}', name: 'read' })
})

test('reasoning has its parts around its text, and what must come back with it', async (t) => {
  const sent = encode(blocks([{ head: REASONING, deltas: ['h', 'm'], signature: 'EqQB' }]))
  t.same(typesOf(sent.slice(2, -1)), [
    ...['output_item.added', 'reasoning_summary_part.added', 'reasoning_summary_text.delta'],
    ...[
      'reasoning_summary_text.delta',
      'reasoning_summary_text.done',
      'reasoning_summary_part.done',
      'output_item.done',
    ],
  ])
  t.match(sent[4], { summary_index: 0, delta: 'h' })
  t.match(outputOf(sent), [{ summary: [{ type: 'summary_text', text: 'hm' }], encrypted_content: 'sluice:s:EqQB' }])
  const [unsigned] = outputOf(encode(blocks([{ head: REASONING, deltas: ['x'] }])))
  t.notOk('encrypted_content' in (unsigned ?? {}))
})

test('only the item that was cut short is incomplete', async (t) => {
  const sent = encode(
    blocks(
      [
        { head: TEXT, deltas: ['a'] },
        { head: call('f'), deltas: ['{"a'] },
      ],
      'length',
    ),
  )
  t.match(outputOf(sent), [{ status: 'completed' }, { status: 'incomplete', arguments: '{"a' }])
  t.match(sent.at(-1), {
    type: 'response.incomplete',
    response: { incomplete_details: { reason: 'max_output_tokens' } },
  })
})

test('usage comes with the last event, from the start if the end has none, and always', async (t) => {
  const usage = {
    inputTokens: 3,
    outputTokens: 2,
    cachedInputTokens: 1,
    cacheWriteTokens: 0,
    reasoningTokens: 0,
    parts: NO_PARTS,
  }
  const [start, ...rest] = blocks([{ head: TEXT, deltas: ['a'] }])
  const begun = encode([{ type: 'start', meta: { ...META, usage } }, ...rest])
  t.match(begun[0], { response: { usage: null, output: [] } })
  t.match(begun.at(-1), { response: { usage: { input_tokens: 3, output_tokens: 2, total_tokens: 5 } } })
  const finish = { type: 'finish', reason: 'stop', usage: { ...usage, outputTokens: 9 }, stopSequence: null } as const
  t.match(encode([start as never, finish]).at(-1), { response: { usage: { output_tokens: 9 } } })
  t.match(encode(blocks([{ head: TEXT }])).at(-1), { response: { usage: { input_tokens: 0, total_tokens: 0 } } })
})

test('an error continues the stream: flat and nested, then a failed response with what was done', async (t) => {
  let text = ''
  const emit = (frame: string): void => {
    text += frame
  }
  const encoder = new ResponsesEncoder(emit, { includeUsage: true })
  for (const event of blocks([
    { head: TEXT, deltas: ['a'] },
    { head: TEXT, deltas: ['b'] },
  ]).slice(0, -2))
    encoder.push(event)
  encoder.push({ type: 'error', error: errorData('upstream_cut') })
  const before = payloadsOf(text)
  const limited = errorData('rate_limited', { message: 'Slow down.', param: 'model' })
  t.equal(encoder.encodeErrorFrame(limited), encoder.encodeErrorFrame(limited), 'each reader of a stream gets the same')
  text += encoder.encodeErrorFrame(limited)
  const [error, failed] = payloadsOf(text).slice(before.length)
  const flat = { code: 'rate_limit_exceeded', message: 'Slow down.', param: 'model' }
  t.match(error, { type: 'error', ...flat, error: { type: 'rate_limit_exceeded', ...flat } })
  t.equal(error?.sequence_number, before.length)
  t.match(failed, {
    type: 'response.failed',
    sequence_number: before.length + 1,
    response: {
      id: 'resp_1',
      status: 'failed',
      error: { code: 'rate_limit_exceeded', message: 'Slow down.' },
      output: [{ content: [{ text: 'a' }] }],
    },
  })
})

test('an answer that runs without its client says first that it has waited', (t) => {
  let text = ''
  const own = { id: 'resp_own', store: true, background: true, previous_response_id: null }
  const encoder = new ResponsesEncoder(
    (frame) => {
      text += frame
    },
    { includeUsage: true, echo: { own } },
  )
  for (const event of blocks([{ head: TEXT, deltas: ['a'] }])) encoder.push(event)
  const sent = payloadsOf(text)
  t.same(typesOf(sent).slice(0, 4), ['created', 'queued', 'in_progress', 'output_item.added'])
  t.same(
    sent.slice(0, 3).map(({ response }) => (response as JsonObject).status),
    ['queued', 'queued', 'in_progress'],
  )
  t.same(
    sent.map((event) => event.sequence_number),
    sent.map((_, i) => i),
  )
  t.end()
})
