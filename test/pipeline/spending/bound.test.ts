// The most an attempt costs, and the least output that an amount pays for.

import { test } from 'tap'
import { amountFor, boundOf, payableOutput } from '../../../src/pipeline/spending/bound.js'
import { costOf, MAX_NANO_DOLLARS } from '../../../src/prices/cost.js'
import { withServiceTiers } from '../../../src/prices/read-prices.js'
import { type Rate, type Rates } from '../../../src/prices/types.js'
import { Random } from '../../helpers/random.js'

function rate(base: number) {
  return { base, tiers: [], isMarginal: false }
}

function rates(changes: Partial<Rates> = {}): Rates {
  const none = { cacheRead: null, cacheWrite: null, reasoning: null, request: 0, parts: null, serviceTiers: null }
  return { input: rate(3_000_000), output: rate(15_000_000), ...none, ...changes }
}

test('all of the input may be written to a cache, and all of the output may be reasoning', (t) => {
  const dear = rates({ cacheWrite: rate(3_750_000), cacheRead: rate(300_000), reasoning: rate(20_000_000), request: 7 })
  t.same(boundOf(dear, 100), { inputTokens: 100, inputPico: 375_000_007, outputPico: 20_000_000 })
  t.same(boundOf(null, 100), { inputTokens: 100, inputPico: 0, outputPico: 0 })
  t.end()
})

test('what is not known beforehand is the dearest that it can be', (t) => {
  const parts = {
    ...{ longCacheWrite: rate(6_000_000), audioInput: null, imageInput: null, videoInput: null, cachedAudio: null },
    ...{ cachedImage: null, audioOutput: rate(64_000_000), imageOutput: null, videoOutput: null },
    ...{ image: 40, audioSecond: 100 },
  }
  const dear = withServiceTiers(rates({ parts }), { priority: 2 })
  const nothing = { serviceTiers: [], images: 0, audioSeconds: 0 }
  t.same(boundOf(dear, 100), { inputTokens: 100, inputPico: 600_000_000, outputPico: 64_000_000 })
  t.same(boundOf(dear, 100, { ...nothing, images: 2, audioSeconds: 3 }).inputPico, 600_000_380)
  t.same(boundOf(dear, 100, { ...nothing, serviceTiers: ['scale', 'priority'] }), {
    ...{ inputTokens: 100, inputPico: 1_200_000_000, outputPico: 128_000_000 },
  })
  const cheaper = { base: 9, tiers: [{ above: 50, rate: 5 }], isMarginal: false }
  t.equal(boundOf(rates({ input: cheaper }), 100).inputPico, 900, 'a shorter input may cost more a token')
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
    const tiered = (): Rate => {
      const tiers = random.below(2) < 1 ? [] : [{ above: upTo(200_000), rate: upTo(50_000_000) }]
      return { ...rate(upTo(50_000_000)), tiers, isMarginal: false }
    }
    const optional = () => (random.below(2) < 1 ? null : tiered())
    const marginal = { ...tiered(), isMarginal: random.below(2) < 1 }
    const usual = rates({
      ...{ input: marginal, output: tiered(), request: upTo(1000) },
      ...{ cacheRead: optional(), cacheWrite: optional(), reasoning: optional() },
      parts:
        random.below(2) < 1
          ? null
          : {
              ...{ longCacheWrite: optional(), audioInput: optional(), imageInput: optional(), videoInput: optional() },
              ...{ cachedAudio: optional(), cachedImage: optional(), audioOutput: optional(), imageOutput: optional() },
              ...{ videoOutput: optional(), image: upTo(1_000_000_000), audioSecond: upTo(1_000_000_000) },
            },
    })
    const price = withServiceTiers(usual, { flex: 0.5, priority: 2 })
    const [mostInput, outputTokens, images, audioSeconds] = [upTo(200_000), upTo(50_000), upTo(3), upTo(100)]
    const bound = boundOf(price, mostInput, { serviceTiers: ['flex', 'priority'], images, audioSeconds })
    const held = amountFor(bound, outputTokens)
    const inputTokens = upTo(mostInput)
    const output = upTo(payableOutput(bound, held))
    const usage = {
      ...{ inputTokens, outputTokens: output, reasoningTokens: upTo(output) },
      ...{ cachedInputTokens: upTo(inputTokens), cacheWriteTokens: upTo(inputTokens) },
      parts: {
        ...{ longCacheWriteTokens: upTo(inputTokens), audioInputTokens: upTo(inputTokens) },
        ...{ imageInputTokens: upTo(inputTokens), videoInputTokens: upTo(inputTokens) },
        ...{ cachedAudioTokens: upTo(inputTokens), cachedImageTokens: upTo(inputTokens) },
        ...{ audioOutputTokens: upTo(output), imageOutputTokens: upTo(output), videoOutputTokens: upTo(output) },
        ...{ images: upTo(images), audioSeconds: upTo(audioSeconds) },
        serviceTier: random.pick([null, 'flex', 'priority']),
      },
    }
    if (costOf(price, usage) > held.nano) t.fail(JSON.stringify({ seed: random.seed, price, usage, held }))
    if (payableOutput(bound, held) < outputTokens) t.fail('what was reserved does not pay what was wanted')
  }
  t.end()
})
