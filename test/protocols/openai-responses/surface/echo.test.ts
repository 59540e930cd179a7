// The response object around an answer.
import { test } from 'tap'
import {
  encodeRepeated,
  encodeResponseObject,
  namesOf,
  readEcho,
} from '../../../../src/protocols/openai-responses/surface/echo.js'

const HEAD = { id: 'resp_1', createdSec: 7, model: 'm', status: 'in_progress' } as const

test('what a request sets is repeated; what it leaves out has the vendor’s default', async (t) => {
  const request = {
    model: 'x',
    input: 'hi',
    temperature: 0.5,
    metadata: { a: 'b' },
    reasoning: { effort: 'low' },
    text: { verbosity: 'low' },
    store: true,
    user: null,
  }
  const repeated = encodeRepeated(readEcho(request))
  t.match(repeated, { temperature: 0.5, top_p: 1, metadata: { a: 'b' }, tools: [], user: null, store: false })
  t.same(repeated.reasoning, { effort: 'low', summary: null })
  t.same(repeated.text, { format: { type: 'text' }, verbosity: 'low' })
  t.notOk('input' in repeated)
  t.same(encodeRepeated(null).tool_choice, 'auto', 'without a request there are the defaults')
})

test('function tools have all their members', async (t) => {
  const tools = [{ type: 'function', name: 'f' }, { type: 'web_search' }, 7]
  t.same(encodeRepeated(readEcho({ tools })).tools, [
    { type: 'function', name: 'f', description: null, parameters: null, strict: null },
    { type: 'web_search' },
    7,
  ])
})

test('the names of tools are part of the echo, which is plain data', async (t) => {
  const echo = readEcho({ tools: [{ type: 'custom', name: 'patch' }] })
  t.same(namesOf(JSON.parse(JSON.stringify(echo))), { patch: ['custom', 'patch', null] })
  t.same(namesOf(null), {})
  t.same(namesOf({}), {})
})

test('usage is null until the end', async (t) => {
  t.equal(encodeResponseObject(HEAD, [], null).usage, null)
  t.same(encodeResponseObject({ ...HEAD, usage: { input_tokens: 1 } }, [], null).usage, { input_tokens: 1 })
  t.same(encodeResponseObject({ ...HEAD, incompleteReason: 'steered' }, [], null).incomplete_details, {
    reason: 'steered',
  })
})
