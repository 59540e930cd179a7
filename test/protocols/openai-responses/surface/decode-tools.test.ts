// Tools of a request as functions, and which of them may be called.
import { test } from 'tap'
import { type JsonObject } from '../../../../src/model/json.js'
import { decodeTools } from '../../../../src/protocols/openai-responses/surface/decode-tools.js'
import { thrownBy } from '../../../helpers/thrown.js'

const F = { type: 'function', name: 'f', description: 'd', parameters: { type: 'object' }, strict: true }
const PATCH = { type: 'custom', name: 'patch', description: 'Edits.' }
const FILES = {
  type: 'namespace',
  name: 'files',
  tools: [
    { type: 'function', name: 'read' },
    { type: 'custom', name: 'f' },
  ],
}
const SEARCH = { type: 'tool_search', execution: 'client', description: 'Finds.', parameters: { type: 'object' } }
const WEB = { type: 'web_search' }
const names = (body: JsonObject) => decodeTools(body).tools.map(({ name }) => name)

test('functions pass, a namespace is flattened, a search is a function', async (t) => {
  const { tools } = decodeTools({ tools: [F, FILES, SEARCH] })
  t.same(tools[0], { name: 'f', description: 'd', parameters: { type: 'object' }, strict: true })
  t.same(tools[1], { name: 'files__read', description: null, parameters: {}, strict: null })
  t.same(tools[3], { name: 'tool_search', description: 'Finds.', parameters: { type: 'object' }, strict: null })
})

test('a custom tool is a function of one text, which is told its grammar', async (t) => {
  const grammar = { type: 'grammar', syntax: 'lark', definition: 'start: "a"' }
  const [plain, told, bare] = decodeTools({
    tools: [
      PATCH,
      { ...PATCH, name: 'p2', format: grammar },
      { type: 'custom', name: 'p3', format: { type: 'grammar' } },
    ],
  }).tools
  t.match(plain, {
    name: 'patch',
    description: 'Edits.',
    parameters: { required: ['input'], properties: { input: { type: 'string' } } },
  })
  t.equal(told?.description, 'Edits.\n\nThe input must match this lark grammar:\nstart: "a"')
  t.equal(bare?.description, 'The input must match this grammar grammar:\n')
})

test('tools that the vendor runs are left out and named; alone or forced they are refused by their path', async (t) => {
  t.match(decodeTools({ tools: [WEB, F] }), { tools: [{ name: 'f' }], dropped: ['tools.web_search'] })
  t.match(
    thrownBy(() => decodeTools({ tools: [WEB] })),
    { param: 'tools.0.type', retryable: true, message: /'web_search', a tool that runs at its vendor/ },
  )
  t.match(
    thrownBy(() => decodeTools({ tools: [F, WEB], tool_choice: { type: 'web_search' } })),
    { param: 'tool_choice', retryable: true },
  )
  t.equal(
    thrownBy(() => decodeTools({ tools: [F], tool_choice: { type: 'mcp', server_label: 's' } })).param,
    'tool_choice',
  )
})

test('two tools that would have one name on other wires are refused', async (t) => {
  const clash = { type: 'function', name: 'files__read' }
  t.match(
    thrownBy(() => decodeTools({ tools: [FILES, clash] })),
    { param: 'tools.1', message: /'files__read'.*'tools\.0\.tools\.0'/ },
  )
  t.same(names({ tools: [F, F] }), ['f', 'f'], 'the same one twice is for the provider to judge')
})

test('a choice is of a tool by any of its names', async (t) => {
  const choice = (tool_choice: JsonObject | string) =>
    decodeTools({ tools: [F, PATCH, FILES, SEARCH], tool_choice }).choice
  t.same(choice('none'), { type: 'none' })
  t.same(choice('required'), { type: 'required' })
  t.equal(choice('unheard of'), null)
  t.same(choice({ type: 'function', name: 'f' }), { type: 'tool', name: 'f' })
  t.same(choice({ type: 'custom', name: 'patch' }), { type: 'tool', name: 'patch' })
  t.same(choice({ type: 'function', name: 'read', namespace: 'files' }), { type: 'tool', name: 'files__read' })
  t.same(choice({ type: 'function', name: 'read' }), { type: 'tool', name: 'files__read' })
  t.same(choice({ type: 'tool_search' }), { type: 'tool', name: 'tool_search' })
  t.same(choice({ type: 'function', name: 'absent' }), { type: 'tool', name: 'absent' })
  t.equal(decodeTools({ tools: [F] }).choice, null)
})

test('of allowed tools only those are sent', async (t) => {
  const allowed = (tools: JsonObject[], mode = 'auto') => ({
    tools: [F, PATCH, FILES],
    tool_choice: { type: 'allowed_tools', mode, tools },
  })
  t.same(names(allowed([{ type: 'function', name: 'f' }])), ['f'])
  t.same(
    names(
      allowed([
        { type: 'custom', name: 'f' },
        { type: 'custom', name: 'patch' },
      ]),
    ),
    ['patch', 'files__f'],
  )
  t.same(decodeTools(allowed([], 'required')).choice, { type: 'required' })
  t.same(names({ tools: [F], tool_choice: { type: 'allowed_tools', mode: 'auto' } }), [])
})

test('a hundred thousand tools, all of them allowed, are matched in one pass', async (t) => {
  const tools = Array.from({ length: 100_000 }, (_, i) => ({ type: 'function', name: `f${i}` }))
  const started = process.cpuUsage()
  t.equal(
    decodeTools({ tools, tool_choice: { type: 'allowed_tools', mode: 'auto', tools } }).tools.length,
    tools.length,
  )
  const { user } = process.cpuUsage(started)
  t.ok(user < 5_000_000, `${user} us`)
})
