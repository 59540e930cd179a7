// OpenAI's other endpoints, as the simulator answers them.
import { test } from 'tap'
import { post, startSimulator } from '../../helpers/simulator.js'

test('a completion repeats its prompt up to its cap, whole or in chunks', async (t) => {
  const { origin } = await startSimulator(t)
  const ask = (body: object) => post(`${origin}/v1/completions`, { model: 'm', prompt: 'a b c', ...body })
  t.match((await ask({})).json, {
    choices: [{ text: 'a b c', finish_reason: 'stop' }],
    usage: { completion_tokens: 3 },
  })
  t.match((await ask({ max_tokens: 1 })).json, { choices: [{ text: 'a ', finish_reason: 'length' }] })
  const plain = await ask({ stream: true })
  t.match(plain.text, /"text":"a "[\s\S]*"finish_reason":"stop"[\s\S]*data: \[DONE\]\n\n$/)
  t.notMatch(plain.text, /usage/)
  t.match((await ask({ stream: true, stream_options: { include_usage: true } })).text, /"choices":\[\],"usage":\{/)
})

test('harm is a word, relevance is words in common', async (t) => {
  const { origin } = await startSimulator(t)
  const judged = await post(`${origin}/v1/moderations`, { input: [{ type: 'text', text: 'kill' }, 'a'] })
  t.match(judged.json, { model: 'omni-moderation-latest', results: [{ flagged: true }, { flagged: false }] })
  t.match((await post(`${origin}/v1/moderations`, { model: 'm', input: 'a' })).json, { model: 'm', results: [{}] })
  const ranked = await post(`${origin}/v1/rerank`, {
    model: 'm',
    query: 'a b',
    documents: ['c', { text: 'a b' }, 'a c'],
  })
  t.match(ranked.json, {
    results: [{ index: 1, relevance_score: 1 }, { index: 2 }, { index: 0 }],
    usage: { total_tokens: 3 },
  })
  t.match((await post(`${origin}/v1/rerank`, { model: 'm', query: 'a', top_n: 0 })).json, { results: [] })
})

test('images are pixels, speech is as long as its text', async (t) => {
  const { origin } = await startSimulator(t)
  const image = await post(`${origin}/v1/images/generations`, { prompt: 'a', n: 2 })
  t.match(image.json, { data: [{ b64_json: /^iVBOR/ }, { b64_json: /^iVBOR/ }], usage: { output_tokens: 1 } })
  const events = await post(`${origin}/v1/images/generations`, { prompt: 'a', stream: true })
  t.match(events.text, /image_generation\.partial_image[\s\S]*image_generation\.completed/)
  const speech = await fetch(`${origin}/v1/audio/speech`, { method: 'POST', body: '{"model":"m","input":"abc"}' })
  t.equal(speech.headers.get('content-type'), 'audio/mpeg')
  t.equal((await speech.arrayBuffer()).byteLength, 3 * 64)
  const spoken = await post(`${origin}/v1/audio/speech`, { model: 'm', input: 'ab', stream_format: 'sse' })
  t.match(spoken.text, /speech\.audio\.delta[\s\S]*speech\.audio\.done/)
})
