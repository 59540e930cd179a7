// countTokens.
import { test } from 'tap'
import { counting } from '../../../../src/protocols/google-gemini/dialect/counting.js'
import { testTarget } from '../../../helpers/targets.js'

const TARGET = testTarget('google-gemini', { model: 'models/gemini-3' })

test('the input of a chat is counted under the name of the target, without its options', (t) => {
  const { encodeRequest, decodeResponse } = counting.counting ?? {}
  const chat = { contents: [{ role: 'user' }], systemInstruction: { parts: [] }, generationConfig: { topK: 1 } }
  t.same(encodeRequest?.(chat, TARGET), {
    generateContentRequest: {
      model: 'models/gemini-3',
      contents: [{ role: 'user' }],
      systemInstruction: { parts: [] },
    },
  })
  t.same(encodeRequest?.({}, TARGET), { generateContentRequest: { model: 'models/gemini-3', contents: [] } })
  t.equal(counting.path(TARGET), '/models/gemini-3:countTokens')
  t.same(
    [{ totalTokens: 4 }, { totalTokens: 1e99 }].map((body) => decodeResponse?.(body)),
    [4, null],
  )
  t.end()
})
