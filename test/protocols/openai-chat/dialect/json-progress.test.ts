// Closed objects are found whatever their strings hold and wherever they are cut.
import { test } from 'tap'
import { JsonProgress } from '../../../../src/protocols/openai-chat/dialect/json-progress.js'

test('an object is complete at its last brace and not before, cut anywhere', (t) => {
  const text = '{"a":{"b":"}\\"}{\\\\"},"c":[{}]}'
  const progress = new JsonProgress()
  for (const [i, character] of [...text].entries()) {
    t.equal(progress.isComplete, false, `before ${i}`)
    progress.push(character)
  }
  t.equal(progress.isComplete, true)
  t.end()
})

test('nothing is complete before anything came', (t) => {
  const progress = new JsonProgress()
  progress.push('')
  progress.push(' "text" ')
  t.equal(progress.isComplete, false)
  t.end()
})
