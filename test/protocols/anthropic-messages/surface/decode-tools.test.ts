// Tools become functions; what only the vendor can run is named, or refused where nothing else is asked for.
import { test } from 'tap'
import { decodeTools } from '../../../../src/protocols/anthropic-messages/surface/decode-tools.js'
import { type ToolParam } from '../../../../src/protocols/anthropic-messages/wire.js'
import { thrownBy } from '../../../helpers/thrown.js'

const SEARCH: ToolParam = { type: 'web_search_20250305', name: 'web_search' }
const OWN: ToolParam = { name: 'f', input_schema: { type: 'object' } }

test('a tool of the client’s own keeps all that a function has', async (t) => {
  const tool = { ...OWN, type: 'custom', description: 'd', strict: true, cache_control: { type: 'ephemeral' } }
  t.strictSame(decodeTools([tool], null), {
    tools: [{ name: 'f', description: 'd', parameters: { type: 'object' }, strict: true }],
    choice: null,
    dropped: [],
  })
})

test('members that a function does not have are named', async (t) => {
  const tool = { ...OWN, input_examples: [{}], defer_loading: true, eager_input_streaming: null }
  t.strictSame(decodeTools([tool as ToolParam], null).dropped, ['tools.input_examples', 'tools.defer_loading'])
})

test('a tool that the client runs for the vendor goes as a function', async (t) => {
  const { tools, dropped } = decodeTools([{ type: 'bash_20250124', name: 'bash' }], { type: 'any' })
  t.match(tools, [{ name: 'bash', parameters: { properties: { command: { type: 'string' } } } }])
  t.strictSame(dropped, [])
})

test('a tool that only the vendor runs is left out and named beside others', async (t) => {
  const { tools, choice, dropped } = decodeTools([SEARCH, OWN, { type: 'mcp_toolset' } as ToolParam], { type: 'auto' })
  t.strictSame(
    tools.map(({ name }) => name),
    ['f'],
  )
  t.strictSame(choice, { type: 'auto' })
  t.strictSame(dropped, ['tools.web_search', 'tools.mcp_toolset'])
})

test('where nothing else is asked for, or it is forced, it is refused by its path', async (t) => {
  const refused = { code: 'invalid_request', param: 'tools.0.type', retryable: true, message: /runs at its vendor/ }
  t.match(
    thrownBy(() => decodeTools([SEARCH], null)),
    refused,
  )
  t.match(
    thrownBy(() => decodeTools([SEARCH, OWN], { type: 'tool', name: 'web_search' })),
    refused,
  )
})
