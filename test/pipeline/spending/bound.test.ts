// The most an attempt costs, and the least output that an amount pays for.
import { test } from 'tap'
import { amountFor, boundOf, payableOutput } from '../../../src/pipeline/spending/bound.js'
import { costOf, MAX_NANO_DOLLARS } from '../../../src/prices/cost.js'
import { type Rates } from '../../../src/prices/types.js'
import { Random } from '../../helpers/random.js'

function rate(base: number) {
  return { base, tiers: [] }
}

function rates(changes: Partial<Rates> = {}): Rates {
  const none = { cacheRead: null, cacheWrite: null, reasoning: null, request: 0 }
  return { input: rate(3_000_000), output: rate(15_000_000), ...none, ...changes }
}

test('all of the input may be written to a cache, and all of the output may be reasoning', (t) => {
  const dear = rates({ cacheWrite: rate(3_750_000), cacheRead: rate(300_000), reasoning: rate(20_000_000), request: 7 })
  t.same(boundOf(dear, 100), { inputTokens: 100, inputPico: 375_000_007, outputPico: 20_000_000 })
  t.same(boundOf(null, 100), { inputTokens: 100, inputPico: 0, outputPico: 0 })
  t.end()
})

test('an amount is rounded up, and what it pays for is rounded down', (t) => {
  const bound = boundOf(rates({ input: rate(1), output: rate(999) }), 1)
  t.same(amountFor(bound, 1), { nano: 1, tokens: 2 })
  t.equal(payableOutput(bound, { nano: 1, tokens: 1000 }), 1)
  t.equal(payableOutput(bound, { nano: 1, tokens: 1 }), 0)
  t.equal(payableOutput(boundOf(rates(), 100), { nano: 5, tokens: 1000 }), 0)
  t.equal(payableOutput(boundOf(null, 10), { nano: 0, tokens: 25 }), 15)
  t.equal(amountFor(boundOf(rates(), 10), Number.MAX_SAFE_INTEGER).nano, MAX_NANO_DOLLARS)
  t.end()
})

test('no usage within the bound costs more than the amount, whatever was cached or thought', (t) => {
  const random = Random.ofRun()
  const upTo = (most: number) => Math.floor(random.below(most + 1))
  for (let i = 0; i < 2000; i++) {
    const optional = () => (random.below(2) < 1 ? null : rate(upTo(50_000_000)))
    const price = rates({
      ...{ input: rate(upTo(50_000_000)), output: rate(upTo(50_000_000)), request: upTo(1000) },
      ...{ cacheRead: optional(), cacheWrite: optional(), reasoning: optional() },
    })
    const [inputTokens, outputTokens] = [upTo(200_000), upTo(50_000)]
    const bound = boundOf(price, inputTokens)
    const held = amountFor(bound, outputTokens)
    const parts = { cachedInputTokens: upTo(inputTokens), cacheWriteTokens: upTo(inputTokens) }
    const output = upTo(payableOutput(bound, held))
    const usage = { inputTokens, outputTokens: output, ...parts, reasoningTokens: upTo(output) }
    if (costOf(price, usage) > held.nano) t.fail(JSON.stringify({ seed: random.seed, price, usage, held }))
    if (payableOutput(bound, held) < outputTokens) t.fail('what was reserved does not pay what was wanted')
  }
  t.end()
})
