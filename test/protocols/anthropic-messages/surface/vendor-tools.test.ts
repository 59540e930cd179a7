// The vendor's tools that a client runs, as functions for models of others.
import { test } from 'tap'
import { isJsonObject, type JsonObject } from '../../../../src/model/json.js'
import { decodeVendorTool } from '../../../../src/protocols/anthropic-messages/surface/vendor-tools.js'
import { type ToolParam } from '../../../../src/protocols/anthropic-messages/wire.js'

const decode = (type: string, name = 'n', more: object = {}) => decodeVendorTool({ type, name, ...more } as ToolParam)

function enumOf(type: string, member: string): unknown {
  const properties = decode(type)?.parameters.properties as JsonObject
  const property = properties[member]
  return isJsonObject(property) ? property.enum : undefined
}

test('each keeps its name and gets a description and parameters', async (t) => {
  for (const type of ['bash_20250124', 'text_editor_20250728', 'computer_20251124', 'memory_20250818']) {
    const tool = decode(type, 'str_replace_based_edit_tool')
    t.match(tool, { name: 'str_replace_based_edit_tool', description: /\w{3}/, strict: null }, type)
    t.match(tool?.parameters, { type: 'object', properties: {}, required: [] }, type)
  }
})

test('versions have the commands that they had', async (t) => {
  t.strictSame(enumOf('text_editor_20250124', 'command'), ['view', 'create', 'str_replace', 'insert', 'undo_edit'])
  t.strictSame(enumOf('text_editor_20250728', 'command'), ['view', 'create', 'str_replace', 'insert'])
  const actions = (type: string) => enumOf(type, 'action') as string[]
  t.notOk(actions('computer_20241022').includes('scroll'))
  t.ok(actions('computer_20250124').includes('scroll'))
  t.notOk(actions('computer_20250124').includes('zoom'))
  t.ok(actions('computer_20251124').includes('zoom'))
})

test('the size of the screen goes into the description', async (t) => {
  const screen = { display_width_px: 1024, display_height_px: 768 }
  t.match(decode('computer_20250124', 'computer', screen)?.description, /1024 x 768/)
})

test('server-side tools, toolsets and nameless tools are not client tools', async (t) => {
  for (const type of ['web_search_20250305', 'code_execution_20250825', 'computer_toolset_20260801', 'mcp_toolset']) {
    t.equal(decode(type), null, type)
  }
  t.equal(decode('bash_20250124', ''), null)
})
