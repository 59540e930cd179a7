// input_tokens.
import { test } from 'tap'
import { counting } from '../../../../src/protocols/openai-responses/dialect/counting.js'
import { testTarget } from '../../../helpers/targets.js'

const TARGET = testTarget('openai-responses')

test('only what the vendor counts is sent, and only a count is read', (t) => {
  const { encodeRequest, decodeResponse } = counting.counting ?? {}
  const chat = {
    model: 'm',
    input: [],
    instructions: 'i',
    store: false,
    max_output_tokens: 5,
    stream: true,
    include: [],
  }
  t.same(encodeRequest?.(chat, TARGET), { model: 'm', input: [], instructions: 'i' })
  t.equal(counting.path(TARGET), '/responses/input_tokens')
  t.same(
    [{ input_tokens: 4 }, {}].map((body) => decodeResponse?.(body)),
    [4, null],
  )
  t.end()
})
