// The generation is read from whatever name the vendor and its resellers give a model.
import { test } from 'tap'
import { rulesOf } from '../../../../src/protocols/anthropic-messages/dialect/generation.js'

test('reads the generation of every form of name', async (t) => {
  const isAdaptive = (model: string) => rulesOf(model).isAdaptive
  const isStrict = (model: string) => rulesOf(model).isStrict
  for (const old of [
    'claude-3-7-sonnet-20250219',
    'claude-opus-4-20250514',
    'claude-haiku-4-5-20251001',
    'local',
    'm7',
  ]) {
    t.strictSame([isAdaptive(old), isStrict(old)], [false, false], old)
  }
  for (const middle of ['claude-opus-4-6', 'claude-sonnet-4.6', 'anthropic.claude-opus-4-6-v1']) {
    t.strictSame([isAdaptive(middle), isStrict(middle)], [true, false], middle)
  }
  for (const strict of [
    'claude-opus-4-7',
    'claude-sonnet-5',
    'claude-fable-5-1',
    'us.anthropic.claude-opus-4-8-v1:0',
  ]) {
    t.strictSame([isAdaptive(strict), isStrict(strict)], [true, true], strict)
  }
})
