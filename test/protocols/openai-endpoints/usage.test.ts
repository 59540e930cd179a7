// Tokens of whole answers.
import { test } from 'tap'
import {
  decodeUsage,
  readAudioUsage,
  readImageUsage,
  readUsage,
} from '../../../src/protocols/openai-endpoints/usage.js'

test('tokens have the names of chats or of newer endpoints; a lone total is input', (t) => {
  t.match(decodeUsage({ prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 }), { inputTokens: 1, outputTokens: 2 })
  t.match(decodeUsage({ input_tokens: 1, output_tokens: 2, total_tokens: 3 }), { inputTokens: 1, outputTokens: 2 })
  t.match(decodeUsage({ total_tokens: 3 }), { inputTokens: 3, outputTokens: 0 })
  t.match(decodeUsage({ prompt_tokens: 3, total_tokens: 3 }), { inputTokens: 3, outputTokens: 0 })
  t.match(decodeUsage({ type: 'duration', seconds: 8.2 }), { inputTokens: 0, parts: { audioSeconds: 9 } })
  t.equal(decodeUsage({ type: 'duration', seconds: '9' }), null)
  t.equal(decodeUsage({ total_tokens: 1e300 }), 'implausible')
  t.equal(decodeUsage(undefined), null)
  t.end()
})

test('the last usage of an answer counts, wherever else the word is', (t) => {
  const read = (text: string) => readUsage(Buffer.from(text))
  t.match(read('{"usage":{"total_tokens":1},"a":{"usage":{"total_tokens":2}},"b":"usage"}'), { inputTokens: 2 })
  t.match(
    read('{"usage":{"total_tokens":4},"x":{"usage":{"total_tokens":'),
    { inputTokens: 4 },
    'not the one that is cut',
  )
  t.equal(read('{"usage":null}'), null)
  t.equal(read(`{"usage":{"total_tokens":1}${',"usage":1'.repeat(9)}}`), null, 'no further than a few')
  t.equal(read('{}'), null)
  t.end()
})

test('tokens of audio and images are parts of input and output', (t) => {
  const transcript = { input_tokens: 14, output_tokens: 45, input_token_details: { text_tokens: 4, audio_tokens: 10 } }
  t.match(decodeUsage(transcript), { inputTokens: 14, parts: { audioInputTokens: 10 } })
  const image = {
    ...{ input_tokens: 50, output_tokens: 4160, input_tokens_details: { text_tokens: 10, image_tokens: 40 } },
    output_tokens_details: { image_tokens: 4160, text_tokens: 0 },
  }
  t.match(decodeUsage(image), { parts: { imageInputTokens: 40, imageOutputTokens: 4160 } })
  t.end()
})

test('images are counted, with tokens or without', (t) => {
  const read = (body: object) => readImageUsage(Buffer.from(JSON.stringify(body)))
  const data = [{ url: 'https://a', revised_prompt: 'a "url" and a "b64_json"' }, { b64_json: 'aGk=' }]
  t.match(read({ created: 1, data }), { inputTokens: 0, outputTokens: 0, parts: { images: 2 } })
  const usage = { input_tokens: 5, output_tokens: 9, input_tokens_details: { image_tokens: 2 } }
  t.match(read({ data, usage }), { inputTokens: 5, parts: { images: 2, imageInputTokens: 2 } })
  t.equal(read({ data, usage: { total_tokens: 1e300 } }), 'implausible')
  t.equal(read({ data: [] }), null)
  t.end()
})

test('the length of audio is that of its usage, else that of a verbose transcript', (t) => {
  const read = (body: object) => readAudioUsage(Buffer.from(JSON.stringify(body)))
  t.match(read({ text: 'x', usage: { type: 'duration', seconds: 3 } }), { parts: { audioSeconds: 3 } })
  t.match(read({ task: 'transcribe', duration: 8.47, text: 'a "duration": 99' }), { parts: { audioSeconds: 9 } })
  t.match(read({ duration: 8, usage: { input_tokens: 1, output_tokens: 2 } }), {
    inputTokens: 1,
    parts: { audioSeconds: 0 },
  })
  t.equal(read({ text: 'x' }), null)
  t.equal(read({ duration: 'long' }), null)
  t.end()
})
