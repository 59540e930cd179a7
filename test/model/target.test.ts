// What a target is called.
import { test } from 'tap'
import { targetName } from '../../src/model/target.js'

test('a target without a model is called like its provider', (t) => {
  t.equal(targetName('openai', 'gpt-4o'), 'openai/gpt-4o')
  t.equal(targetName('openai', ''), 'openai')
  t.end()
})
