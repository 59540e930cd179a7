// Token counts, as vendors print them and as they stand in the bytes of a whole answer.

import { test } from 'tap'
import { type JsonObject } from '../../../src/model/json.js'
import { NO_PARTS } from '../../../src/model/usage.js'
import { decodeUsage, encodeUsage, readUsage, usageOfChunk } from '../../../src/protocols/openai-chat/usage.js'
import { cases, readBytes, readJson } from './recordings.js'

test('usage read from the bytes of every whole answer is what decoding gives', (t) => {
  for (const name of cases('responses')) {
    const expected = decodeUsage(readJson(`responses/${name}.json`).usage)
    t.strictSame(readUsage(readBytes(`responses/${name}.json`)), expected, name)
  }
  t.end()
})

test('usage that cannot be read is null, and an earlier one counts', (t) => {
  const read = (text: string) => readUsage(Buffer.from(text))
  t.equal(read('{"choices":[]}'), null)
  t.equal(read('{"usage":null}'), null)
  t.equal(read('{"usage":{"prompt_tokens":'), null)
  t.equal(read('"usage"'), null)
  t.equal(read(`{"usage":{"prompt_tokens":5},"x":[${'{"usage":{}},'.repeat(20)}]`), null)
  t.equal(read(JSON.stringify({ content: '"usage":{"prompt_tokens":5}' })), null)
  t.match(read('{"usage":{"prompt_tokens":5,"x":"}"},"x":{"usage":{"other":1}}}'), { inputTokens: 5 })
  t.end()
})

test('cached tokens are found where DeepSeek and Moonshot put them', (t) => {
  t.match(decodeUsage({ prompt_tokens: 9, completion_tokens: 1, prompt_cache_hit_tokens: 8 }), { cachedInputTokens: 8 })
  t.match(decodeUsage({ prompt_tokens: 9, cached_tokens: 7 }), { cachedInputTokens: 7, outputTokens: 0 })
  t.end()
})

test('reasoning counted beside the output is added to it', (t) => {
  const details = { completion_tokens_details: { reasoning_tokens: 233 } }
  const beside = { prompt_tokens: 37, completion_tokens: 530, total_tokens: 800, ...details }
  t.match(decodeUsage(beside), { outputTokens: 763, reasoningTokens: 233 })
  t.match(decodeUsage({ ...beside, total_tokens: 567 }), { outputTokens: 530, reasoningTokens: 233 })
  t.end()
})

test('usage survives being encoded and decoded', (t) => {
  const usage = {
    inputTokens: 9,
    outputTokens: 8,
    cachedInputTokens: 7,
    cacheWriteTokens: 6,
    reasoningTokens: 5,
    parts: NO_PARTS,
  }
  t.strictSame(decodeUsage(encodeUsage(usage)), usage)
  t.equal(encodeUsage(usage).total_tokens, 17)
  t.match(decodeUsage({ completion_tokens: 3 }), { inputTokens: 0 })
  t.equal(decodeUsage('x'), null)
  t.end()
})

test('tokens of audio and the class of service are parts; a client cannot name one', (t) => {
  const usage = {
    ...{ prompt_tokens: 9, completion_tokens: 8, total_tokens: 17 },
    prompt_tokens_details: { audio_tokens: 4, image_tokens: 2 },
    completion_tokens_details: { audio_tokens: 3, image_tokens: 1 },
  }
  const parts = { audioInputTokens: 4, imageInputTokens: 2, audioOutputTokens: 3, imageOutputTokens: 1 }
  t.match(usageOfChunk({ usage, service_tier: 'priority' }), { parts: { ...parts, serviceTier: 'priority' } })
  const read = (body: object) => readUsage(Buffer.from(JSON.stringify(body)))
  t.match(read({ choices: [], usage, service_tier: 'flex' }), { parts: { ...parts, serviceTier: 'flex' } })
  t.match(read({ service_tier: 'default', usage }), { parts: { ...parts, serviceTier: null } })
  t.match(read({ service_tier: 'priority', usage, metadata: { service_tier: 'flex' } }), {
    parts: { serviceTier: 'priority' },
  })
  t.match(read({ usage, metadata: { service_tier: 'flex' } }), { parts: { serviceTier: null } })
  t.end()
})

test('tokens that are no text are told to clients as well', (t) => {
  const usage = {
    ...{ inputTokens: 9, outputTokens: 8, cachedInputTokens: 1, cacheWriteTokens: 1, reasoningTokens: 1 },
    parts: { ...NO_PARTS, audioInputTokens: 4, imageInputTokens: 2, audioOutputTokens: 3, imageOutputTokens: 1 },
  }
  t.strictSame(decodeUsage(encodeUsage(usage) as unknown as JsonObject), usage)
  t.end()
})
