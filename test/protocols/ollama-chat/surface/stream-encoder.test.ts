// Events as lines of JSON, in both forms.

import { test } from 'tap'
import { type StreamEvent } from '../../../../src/model/event.js'
import { NO_PARTS } from '../../../../src/model/usage.js'
import { CHAT_FORM, GENERATE_FORM } from '../../../../src/protocols/ollama-chat/surface/answer.js'
import { OllamaEncoder } from '../../../../src/protocols/ollama-chat/surface/stream-encoder.js'

const META = { id: 'r1', model: 'fa"st', createdSec: 1_700_000_000, usage: null }
const HEAD = { model: 'fa"st', created_at: '2023-11-14T22:13:20.000Z' }
const FINISH: StreamEvent = { type: 'finish', reason: 'length', usage: null, stopSequence: null }

function linesOf(events: readonly StreamEvent[], form = CHAT_FORM, elapsedMs?: () => number) {
  let text = ''
  const encoder = new OllamaEncoder(
    (line) => {
      text += line
    },
    form,
    elapsedMs === undefined ? {} : { elapsedMs },
  )
  for (const event of events) encoder.push(event)
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
}

const block = (kind: 'text' | 'reasoning', ...deltas: string[]): StreamEvent[] => [
  { type: 'block-start', index: 0, block: kind === 'text' ? { kind } : { kind, redacted: null } },
  ...deltas.map((delta): StreamEvent => ({ type: 'block-delta', index: 0, delta })),
  { type: 'block-end', index: 0, signature: 'EqQB' },
]

test('each delta is a line, and the last one is done', async (t) => {
  const events: StreamEvent[] = [
    { type: 'start', meta: META },
    ...block('reasoning', 'h\u0000m'),
    ...block('text', 'a"\n', '', '\u2028b'),
    FINISH,
  ]
  const said = (message: object) => ({ ...HEAD, message: { role: 'assistant', ...message }, done: false })
  t.same(linesOf(events), [
    said({ content: '', thinking: 'h\u0000m' }),
    said({ content: 'a"\n' }),
    said({ content: '\u2028b' }),
    { ...HEAD, message: { role: 'assistant', content: '' }, done: true, done_reason: 'length' },
  ])
  t.match(linesOf(events, GENERATE_FORM), [
    { response: '', thinking: 'h\u0000m', done: false },
    { response: 'a"\n' },
    { response: '\u2028b' },
    { response: '', done: true },
  ])
})

test('a call is one line, whole', async (t) => {
  const events: StreamEvent[] = [
    { type: 'start', meta: META },
    { type: 'block-start', index: 0, block: { kind: 'tool-call', id: 'c1', name: 'f' } },
    { type: 'block-delta', index: 0, delta: '{"a"' },
    { type: 'block-delta', index: 0, delta: ':1}' },
    { type: 'block-end', index: 0, signature: null },
    { type: 'error', error: {} as never },
  ]
  t.match(linesOf(events), [
    { message: { content: '', tool_calls: [{ id: 'c1', function: { name: 'f', arguments: { a: 1 } } }] }, done: false },
  ])
  t.equal(linesOf(events).length, 1, 'an error is no line of the encoder')
})

test('the time up to the first content is that of the prompt', async (t) => {
  let now = 4
  const events: StreamEvent[] = [{ type: 'start', meta: META }, ...block('text', 'a'), FINISH]
  const last = linesOf(events, CHAT_FORM, () => {
    const at = now
    now += 6
    return at
  }).at(-1)
  t.match(last, { total_duration: 10_000_000, prompt_eval_duration: 4_000_000, eval_duration: 6_000_000 })
  const usage = {
    inputTokens: 3,
    outputTokens: 0,
    cachedInputTokens: 0,
    cacheWriteTokens: 0,
    reasoningTokens: 0,
    parts: NO_PARTS,
  }
  t.match(linesOf([{ type: 'start', meta: { ...META, usage } }, FINISH]), [{ prompt_eval_count: 3 }])
})
