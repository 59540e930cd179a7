// count_tokens.
import { test } from 'tap'
import { counting } from '../../../../src/protocols/anthropic-messages/dialect/counting.js'
import { testTarget } from '../../../helpers/targets.js'

const TARGET = testTarget('anthropic-messages')

test('only what the vendor counts is sent, and only a count is read', (t) => {
  const { encodeRequest, decodeResponse } = counting.counting ?? {}
  const chat = { model: 'm', max_tokens: 5, messages: [], system: 's', stream: true, temperature: 1, tools: [] }
  t.same(encodeRequest?.(chat, TARGET), { model: 'm', messages: [], system: 's', tools: [] })
  t.equal(counting.path(TARGET), '/messages/count_tokens')
  t.same(
    [{ input_tokens: 4 }, {}, { input_tokens: -1 }, { input_tokens: '4' }].map((body) => decodeResponse?.(body)),
    [...[4, null, null, null]],
  )
  t.end()
})
