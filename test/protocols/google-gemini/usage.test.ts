// Token counts, read from parsed bodies and from bytes.
import { test } from 'tap'
import { IMPLAUSIBLE, NO_PARTS } from '../../../src/model/usage.js'
import { googleGemini } from '../../../src/protocols/google-gemini/index.js'
import { decodeUsage, decodeUsageTail, encodeUsage, findUsage } from '../../../src/protocols/google-gemini/usage.js'
import { dialectOf, fixture } from '../../helpers/dialect.js'

const dialect = dialectOf(googleGemini)

test('thoughts count as output, tool use prompts as input, and nonsense is not believed', (t) => {
  const usage = decodeUsage({
    promptTokenCount: 5,
    toolUsePromptTokenCount: 7,
    candidatesTokenCount: 3,
    thoughtsTokenCount: 4,
  })
  t.match(usage, { inputTokens: 12, outputTokens: 7, reasoningTokens: 4, cachedInputTokens: 0 })
  t.match(decodeUsage({ promptTokenCount: 5, candidatesTokenCount: null }), { inputTokens: 5, outputTokens: 0 })
  t.equal(decodeUsage({ promptTokenCount: 'many' }), IMPLAUSIBLE)
  t.equal(decodeUsage({}), null)
  t.equal(decodeUsage(undefined), null)
  t.end()
})

test('usage of a whole answer is found in its bytes', (t) => {
  t.match(dialect.readUsage(fixture('google-gemini/responses/reasoning.json')), {
    inputTokens: 14,
    outputTokens: 62,
    reasoningTokens: 57,
    parts: NO_PARTS,
  })
  t.equal(dialect.readUsage(Buffer.from('{"candidates":[]}')), null)
  t.equal(findUsage(Buffer.from('{}')), null)
  t.end()
})

test('the answer cannot pass words of its own off as usage', (t) => {
  const liar = { candidates: [{ content: { parts: [{ text: '"usageMetadata":{"promptTokenCount":9}' }] } }] }
  t.equal(dialect.readUsage(Buffer.from(JSON.stringify(liar))), null)
  const args = { usageMetadata: { promptTokenCount: 9 } }
  const calls = { candidates: [{ content: { parts: [{ functionCall: { name: 'f', args } }] } }] }
  const told = { ...calls, usageMetadata: { promptTokenCount: 2 } }
  t.match(dialect.readUsage(Buffer.from(JSON.stringify(told))), { inputTokens: 2 })
  t.equal(dialect.readUsage(Buffer.from(JSON.stringify(calls))), null)
  t.equal(decodeUsageTail(Buffer.from('"usageMetadata":')), null)
  t.end()
})

test('each kind of content is a part, and so is the class of service', (t) => {
  const of = (modality: string, tokenCount: number) => ({ modality, tokenCount })
  const usage = decodeUsage({
    ...{ promptTokenCount: 100, candidatesTokenCount: 50, cachedContentTokenCount: 30 },
    promptTokensDetails: [of('TEXT', 40), of('AUDIO', 30), of('IMAGE', 20), of('VIDEO', 10)],
    cacheTokensDetails: [of('AUDIO', 5), of('IMAGE', 4)],
    candidatesTokensDetails: [of('TEXT', 9), of('AUDIO', 3), of('IMAGE', 2), of('VIDEO', 1)],
    trafficType: 'ON_DEMAND_PRIORITY',
  })
  t.match(usage, {
    parts: {
      ...{
        audioInputTokens: 30,
        imageInputTokens: 20,
        videoInputTokens: 10,
        cachedAudioTokens: 5,
        cachedImageTokens: 4,
      },
      ...{ audioOutputTokens: 3, imageOutputTokens: 2, videoOutputTokens: 1, serviceTier: 'priority' },
    },
  })
  t.match(decodeUsage({ promptTokenCount: 1, trafficType: 'ON_DEMAND', promptTokensDetails: [of('TEXT', 1)] }), {
    parts: NO_PARTS,
  })
  t.match(decodeUsage({ promptTokenCount: 1, serviceTier: 'FLEX' }), { parts: { serviceTier: 'flex' } })
  t.equal(decodeUsage({ promptTokenCount: 1, promptTokensDetails: [of('AUDIO', -1)] }), 'implausible')
  t.end()
})

test('tokens that are no text are told to clients as well', (t) => {
  const usage = {
    ...{ inputTokens: 99, outputTokens: 40, cachedInputTokens: 20, cacheWriteTokens: 0, reasoningTokens: 5 },
    parts: {
      ...{ ...NO_PARTS, audioInputTokens: 30, imageInputTokens: 20, videoInputTokens: 10, cachedAudioTokens: 5 },
      ...{ cachedImageTokens: 15, audioOutputTokens: 3, imageOutputTokens: 2, videoOutputTokens: 1 },
    },
  }
  const wire = encodeUsage(usage)
  t.strictSame(decodeUsage(wire), usage)
  t.match(wire.promptTokensDetails, [{ modality: 'TEXT', tokenCount: 39 }, { modality: 'AUDIO' }])
  t.match(wire.cacheTokensDetails, [{ modality: 'AUDIO' }, { modality: 'IMAGE' }])
  t.end()
})
