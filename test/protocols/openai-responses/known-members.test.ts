// What the decoder does not read is found by its path.
import { test } from 'tap'
import { type JsonValue } from '../../../src/model/json.js'
import { findLeftOver } from '../../../src/protocols/fit/left-over.js'
import { KNOWN_MEMBERS } from '../../../src/protocols/openai-responses/known-members.js'

function leftOver(field: string, value: JsonValue): string[] {
  const found = new Set<string>()
  findLeftOver(value, KNOWN_MEMBERS[field] ?? true, found, field)
  return [...found]
}

test('an answer that comes back as it was given leaves nothing over', async (t) => {
  const items = [
    {
      id: 'm',
      type: 'message',
      status: 'completed',
      role: 'assistant',
      phase: 'final_answer',
      content: [{ type: 'output_text', text: 'x', annotations: [{ type: 'url_citation' }], logprobs: [] }],
    },
    { id: 'f', type: 'function_call', status: 'completed', call_id: 'c', name: 'f', arguments: '{}', namespace: 'n' },
    { type: 'function_call_output', call_id: 'c', output: [{ type: 'input_image', image_url: 'x', detail: 'low' }] },
    { type: 'reasoning', id: 'r', summary: [], anything: 1 },
  ]
  t.same(leftOver('input', items), [])
})

test('other members are named', async (t) => {
  t.same(leftOver('input', [{ type: 'message', role: 'user', content: [], extra: 1 }]), ['input.extra'])
  t.same(
    leftOver('tools', [
      { type: 'function', name: 'f', extra: 1 },
      { type: 'custom', extra: 1 },
    ]),
    ['tools.extra'],
  )
  t.same(leftOver('reasoning', { effort: 'low', extra: 1 }), ['reasoning.extra'])
  t.same(leftOver('text', { format: { type: 'json_schema', extra: 1 }, extra: 1 }), ['text.format.extra', 'text.extra'])
})
