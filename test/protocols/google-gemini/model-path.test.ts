// A model in a path.
import { test } from 'tap'
import { modelPath } from '../../../src/protocols/google-gemini/model-path.js'

test('the model is one segment, with or without the name of its collection', (t) => {
  t.equal(modelPath('gemini-3'), '/models/gemini-3')
  t.equal(modelPath('models/gemini-3'), '/models/gemini-3')
  t.equal(modelPath('a/../b\ud800'), '/models/a%2F..%2Fb%EF%BF%BD')
  t.end()
})
