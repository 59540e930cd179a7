// Thinking in words and in tokens, both ways.
import { test } from 'tap'
import { decodeThinking, encodeThinking } from '../../../src/protocols/anthropic-messages/thinking.js'
import { type MessagesRequest, type OutputConfig } from '../../../src/protocols/anthropic-messages/wire.js'
import { targetOf } from './fixtures.js'

const REQUEST: MessagesRequest = { model: 'm', max_tokens: 1, messages: [] }
const effortIs = (effort: string): OutputConfig => ({ effort })
const OLD = targetOf()
const ADAPTIVE = targetOf({ extraBody: { thinking: { type: 'adaptive' } } })

test('decodes each form of the vendor', async (t) => {
  t.equal(decodeThinking(REQUEST), null)
  const cases: [Partial<MessagesRequest>, object][] = [
    [{ thinking: { type: 'enabled', budget_tokens: 2000 } }, { effort: null, budgetTokens: 2000 }],
    [{ thinking: { type: 'disabled' } }, { effort: 'none', budgetTokens: null }],
    [{ thinking: { type: 'adaptive' } }, { effort: null, budgetTokens: null, isWish: true }],
    [{ thinking: { type: 'between_tools' } }, { effort: null, budgetTokens: null, isWish: true }],
    [{ thinking: { type: 'enabled' } }, { effort: null, budgetTokens: null }],
    [
      { thinking: { type: 'adaptive' }, output_config: effortIs('max') },
      { effort: 'xhigh', budgetTokens: null, isWish: true },
    ],
    [{ output_config: effortIs('low') }, { effort: 'low', budgetTokens: null, isWish: true }],
  ]
  for (const [change, expected] of cases) t.strictSame(decodeThinking({ ...REQUEST, ...change }), expected)
  t.equal(decodeThinking({ ...REQUEST, output_config: effortIs('heroic') }), null)
})

test('encodes effort as a budget of at least the vendor’s least', async (t) => {
  const of = (effort: 'minimal' | 'high') => encodeThinking({ effort, budgetTokens: null }, OLD)
  t.strictSame(of('minimal').thinking, { type: 'enabled', budget_tokens: 1024 })
  t.strictSame(of('high').thinking, { type: 'enabled', budget_tokens: 16384 })
  const tiny = encodeThinking({ effort: null, budgetTokens: 100 }, OLD)
  t.strictSame(tiny.thinking, { type: 'enabled', budget_tokens: 1024 })
  t.equal(tiny.budgetTokens, 1024)
  t.ok(tiny.isOn)
})

test('encodes no thinking as disabled, and leaves the amount to the model when none is named', async (t) => {
  t.strictSame(encodeThinking({ effort: 'none', budgetTokens: null }, OLD).thinking, { type: 'disabled' })
  t.strictSame(encodeThinking({ effort: null, budgetTokens: 0 }, ADAPTIVE).thinking, { type: 'disabled' })
  const open = encodeThinking({ effort: null, budgetTokens: null }, OLD)
  t.strictSame(open, { thinking: { type: 'adaptive' }, effort: null, budgetTokens: 0, isOn: true })
  t.equal(encodeThinking(null, ADAPTIVE).thinking, null)
})

test('encodes adaptive thinking with effort where the target says so', async (t) => {
  const words = encodeThinking({ effort: 'minimal', budgetTokens: null }, ADAPTIVE)
  t.strictSame(words, { thinking: { type: 'adaptive' }, effort: 'low', budgetTokens: 0, isOn: true })
  t.equal(encodeThinking({ effort: null, budgetTokens: 9000 }, ADAPTIVE).effort, 'high')
})

test('asks models from 4.6 on for adaptive thinking, and those from 4.7 on for its text', async (t) => {
  const of = (model: string, effort: 'none' | 'high' | 'xhigh') =>
    encodeThinking({ effort, budgetTokens: null }, targetOf({ model }))
  t.match(of('claude-opus-4-6', 'high'), {
    thinking: { type: 'adaptive' },
    effort: 'high',
    budgetTokens: 0,
    isOn: true,
  })
  t.equal(of('claude-opus-4-6', 'xhigh').effort, 'high')
  t.strictSame(of('claude-opus-4-6', 'none').thinking, { type: 'disabled' })
  t.match(of('claude-sonnet-5', 'xhigh'), { thinking: { type: 'adaptive', display: 'summarized' }, effort: 'xhigh' })
  t.strictSame(of('claude-sonnet-5', 'none'), { thinking: null, effort: 'low', budgetTokens: 0, isOn: false })
  const budget = encodeThinking({ effort: null, budgetTokens: 9000 }, targetOf({ model: 'claude-opus-5' }))
  t.match(budget, { thinking: { type: 'adaptive' }, effort: 'high', budgetTokens: 0 })
})
