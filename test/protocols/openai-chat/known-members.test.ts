// The members that the decoder reads below the top level; test/laws/silence.test.ts holds them against real requests.
import { test } from 'tap'
import { type JsonObject } from '../../../src/model/json.js'
import { findLeftOver } from '../../../src/protocols/fit/left-over.js'
import { KNOWN_MEMBERS } from '../../../src/protocols/openai-chat/known-members.js'

test('members that nothing reads are found in messages and beside them', async (t) => {
  const body: JsonObject = {
    messages: [{ role: 'user', content: [{ type: 'text', text: 'a', extra: 1 }] }],
    reasoning: { summary: 'auto' },
  }
  const found = new Set<string>()
  for (const [field, shape] of Object.entries(KNOWN_MEMBERS)) findLeftOver(body[field], shape, found, field)
  t.strictSame([...found], ['messages.content.extra', 'reasoning.summary'])
})
