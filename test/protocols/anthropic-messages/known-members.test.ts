// The members that the decoder reads below the top level; test/laws/silence.test.ts holds them against real requests.
import { test } from 'tap'
import { type JsonObject } from '../../../src/model/json.js'
import { KNOWN_MEMBERS } from '../../../src/protocols/anthropic-messages/known-members.js'
import { findLeftOver } from '../../../src/protocols/fit/left-over.js'

test('members that nothing reads are found in messages and beside them', async (t) => {
  const body: JsonObject = {
    messages: [{ role: 'user', content: [{ type: 'tool_result', tool_use_id: 'a', toolset_name: 'b' }] }],
    metadata: { x: 1 },
  }
  const found = new Set<string>()
  for (const [field, shape] of Object.entries(KNOWN_MEMBERS)) findLeftOver(body[field], shape, found, field)
  t.strictSame([...found], ['messages.content.toolset_name', 'metadata.x'])
})
