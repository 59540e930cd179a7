// What is learned of models never makes a reservation smaller than the estimate.
import { test } from 'tap'
import { DEFAULT_OUTPUT_TOKENS, Learned } from '../../../src/pipeline/spending/learned.js'

const TARGET = { provider: 'north', model: 'm' }

test('nothing is known of a new model', (t) => {
  const use = new Learned().of(TARGET)
  t.equal(use.inputRatio, 1)
  t.equal(use.usualOutput, DEFAULT_OUTPUT_TOKENS)
  t.equal(use.tokensPerByte, 0.25)
  t.end()
})

test('a model is known by what its provider counted', (t) => {
  const learned = new Learned()
  for (let i = 0; i < 100; i++) {
    learned.of(TARGET).noteInput(300, 100)
    learned.of(TARGET).noteOutput(200, 400)
  }
  const { inputRatio, usualOutput, tokensPerByte } = learned.of({ ...TARGET })
  t.ok(inputRatio >= 3 && inputRatio < 3.6, String(inputRatio))
  t.ok(usualOutput >= 200 && usualOutput < 240, String(usualOutput))
  t.ok(tokensPerByte >= 0.5 && tokensPerByte < 0.6, String(tokensPerByte))
  t.equal(learned.of({ provider: 'south', model: 'm' }).inputRatio, 1)
  t.end()
})

test('neither the input nor a stream is ever expected to be less than the estimate', (t) => {
  const use = new Learned().of(TARGET)
  for (let i = 0; i < 100; i++) {
    use.noteInput(10, 100)
    use.noteInput(10, 0)
    use.noteOutput(10, 4000)
    use.noteOutput(10_000, 8)
  }
  t.equal(use.inputRatio, 1)
  t.equal(use.tokensPerByte, 0.25)
  t.end()
})

test('names that clients invent do not fill the memory', (t) => {
  const learned = new Learned()
  const first = learned.of(TARGET)
  for (let i = 0; i < 511; i++) learned.of({ provider: 'north', model: `m${i}` })
  t.equal(learned.of(TARGET), first)
  learned.of({ provider: 'north', model: 'one too many' })
  t.not(learned.of(TARGET), first)
  t.end()
})

test('what a provider says of caps is known of its model, and corrected by what it counts', (t) => {
  const use = new Learned().of(TARGET)
  t.same([use.mostOutput, use.context, use.mostCap], [null, null, null])
  use.noteRefusedCap({ modelMost: 4096, context: null, next: 4096 })
  use.noteRefusedCap({ modelMost: null, context: 8192, next: 100 })
  use.noteRefusedCap({ modelMost: null, context: null, next: 2048 })
  t.same([use.mostOutput, use.context, use.mostCap], [4096, 8192, 2048])
  use.noteOutput(5000, 0)
  use.noteOutput(10, 0)
  t.equal(use.mostOutput, 5000)
  t.end()
})
