// Effort in words and in tokens.
import { test } from 'tap'
import { budgetOf, EFFORT_BUDGET, effortOf } from '../../src/model/reasoning.js'
import { type ReasoningEffort } from '../../src/model/request.js'

test('a budget comes from the tokens, else from the effort', async (t) => {
  t.equal(budgetOf({ effort: 'low', budgetTokens: 5000 }), 5000)
  t.equal(budgetOf({ effort: 'high', budgetTokens: null }), 16384)
  t.equal(budgetOf({ effort: null, budgetTokens: null }), null)
})

test('an effort comes from the word, else is the least that covers the tokens', async (t) => {
  t.equal(effortOf({ effort: 'low', budgetTokens: 32_000 }), 'low')
  const cases: [number, ReasoningEffort][] = [
    [0, 'none'],
    [1, 'minimal'],
    [1024, 'minimal'],
    [1025, 'low'],
    [8192, 'medium'],
    [16_385, 'xhigh'],
    [1_000_000, 'xhigh'],
  ]
  for (const [budgetTokens, effort] of cases)
    t.equal(effortOf({ effort: null, budgetTokens }), effort, `${budgetTokens}`)
  t.equal(effortOf({ effort: null, budgetTokens: null }), null)
})

test('word to tokens to word is the same word', async (t) => {
  for (const [effort, budgetTokens] of Object.entries(EFFORT_BUDGET)) {
    t.equal(effortOf({ effort: null, budgetTokens }), effort)
  }
})
