// The official OpenAI client against a running gateway, for everything that is no chat.
import OpenAI, { toFile } from 'openai'
import { t as tap, test } from 'tap'
import { simulatedProviders, startGateway, startSimulator } from '../helpers/gateway.js'
import { rejectsWith } from '../helpers/rejects.js'

const KEY = 'test-key-0123456789abcdef'
const simulator = await startSimulator(tap)
const gateway = await startGateway(tap, {
  config: {
    keys: [{ name: 'test', key: KEY }],
    providers: simulatedProviders(simulator.origin),
    models: {
      vectors: { targets: ['google/v+fault=status,503'], fallbacks: ['vectors-b'] },
      ears: { targets: ['openai/ear+fault=status,503'], fallbacks: ['ears-b'] },
      'ears-b': { targets: ['responses/ear'] },
      'vectors-b': { targets: ['ollama/v'] },
      never: { targets: ['anthropic/v', 'ollama/v'] },
    },
  },
})
const client = new OpenAI({ apiKey: KEY, baseURL: `${gateway.origin}/v1`, maxRetries: 0 })

test('embeddings are the same from every provider that has them, as numbers and in base64', async (t) => {
  const asked = { input: ['river', 'sea', 'river'], dimensions: 5 }
  const first = await client.embeddings.create({ ...asked, model: 'openai/v' })
  t.same(
    first.data.map(({ index, embedding }) => [index, embedding.length]),
    [0, 1, 2].map((index) => [index, 5]),
  )
  t.same(first.data[0]?.embedding, first.data[2]?.embedding)
  t.notSame(first.data[0]?.embedding, first.data[1]?.embedding)
  for (const provider of ['openai', 'responses', 'google', 'ollama']) {
    const model = `${provider}/v`
    // Without a format the client asks for base64 and decodes it.
    t.same((await client.embeddings.create({ ...asked, model })).data, first.data, `${provider} in base64`)
    const plain = await client.embeddings.create({ ...asked, model, encoding_format: 'float' })
    t.same(
      plain.data.map(({ embedding }) => embedding),
      first.data.map(({ embedding }) => embedding),
      provider,
    )
    t.match(plain, { object: 'list', usage: { prompt_tokens: Number, total_tokens: Number } })
    t.ok(plain.usage.prompt_tokens > 0, `${provider} counts`)
  }
})

test('tokens go only to providers of the wire that has them, and a provider without embeddings is named with those that have', async (t) => {
  t.equal((await client.embeddings.create({ model: 'openai/v', input: [1, 2, 3] })).data.length, 1)
  await rejectsWith(t, client.embeddings.create({ model: 'google/v', input: [[1, 2]] }), {
    status: 400,
    param: 'model',
    message: /\(google\) does not offer \/v1\/embeddings with input as tokens; these do: openai, responses\./,
  })
  await rejectsWith(t, client.embeddings.create({ model: 'anthropic/v', input: 'a' }), {
    status: 400,
    message: /\(anthropic\) does not offer \/v1\/embeddings; these do: openai, responses, google, ollama\./,
  })
})

test('an embedding is retried at the next target like a chat, and logged and counted like one', async (t) => {
  const { data, response } = await client.embeddings
    .create({ model: 'vectors', input: 'a' }, { headers: { 'x-request-id': 'embed-1' } })
    .withResponse()
  t.equal(data.data.length, 1)
  t.equal(response.headers.get('x-sluice-target'), 'ollama/v')
  t.ok(Number(response.headers.get('x-sluice-attempts')) > 1)
  t.match(await gateway.exchange('embed-1'), { surface: 'openai-embeddings', outcome: 'complete', status: 200 })
  const other = await client.embeddings.create({ model: 'never', input: 'a' }).withResponse()
  t.equal(other.response.headers.get('x-sluice-target'), 'ollama/v', 'a target without embeddings is passed over')
  t.equal(other.response.headers.get('x-sluice-attempts'), '1')
  const line =
    /sluice_requests_total\{surface="openai-embeddings",model="vectors",provider="ollama",outcome="complete",status="200"\} 1/
  t.match(await gateway.metricsWith([line], { authorization: `Bearer ${KEY}` }), line)
})

test('a completion is the same whole and streamed, and its stream ends only with its end marker', async (t) => {
  const asked = { model: 'openai/writer', prompt: 'The river runs to the sea', max_tokens: 4 }
  const whole = await client.completions.create(asked)
  t.match(whole, { object: 'text_completion', choices: [{ text: 'The river runs to ', finish_reason: 'length' }] })
  let text = ''
  let usage: OpenAI.CompletionUsage | null = null
  const stream = await client.completions.create(
    { ...asked, stream: true, stream_options: { include_usage: true } },
    { headers: { 'x-request-id': 'completion-1' } },
  )
  for await (const chunk of stream) {
    text += chunk.choices[0]?.text ?? ''
    usage = chunk.usage ?? usage
  }
  t.equal(text, whole.choices[0]?.text)
  t.same(usage, whole.usage)
  t.match(await gateway.exchange('completion-1'), { outcome: 'complete', transport: 'sse', tokens: { out: 4 } })
})

test('moderations, reranking and images go to the model that they name, or the default of the API', async (t) => {
  const judged = await client.moderations.create({ input: ['a quiet river', 'kill it'], provider: 'openai' } as never)
  t.same(
    judged.results.map(({ flagged }) => flagged),
    [false, true],
  )
  t.equal(judged.model, 'omni-moderation-latest')
  const documents = ['the desert', 'the river', 'the river of the sea']
  const ranked = await client.post<{ results: { index: number }[] }>('/rerank', {
    body: { model: 'openai/ranker', query: 'river', documents, top_n: 2 },
  })
  t.same(
    ranked.results.map(({ index }) => index),
    [1, 2],
  )
  const image = await client.images.generate({ model: 'openai/painter', prompt: 'a river' })
  t.match(image.data?.[0]?.b64_json, /^iVBOR/)
  const events: string[] = []
  const stream = await client.images.generate({ model: 'openai/painter', prompt: 'a river', stream: true })
  for await (const event of stream) events.push(event.type)
  t.same(events, ['image_generation.partial_image', 'image_generation.completed'])
})

test('speech passes as bytes with the media type of the provider, or as events', async (t) => {
  const input = 'r'.repeat(5000)
  const speech = await client.audio.speech.create(
    { model: 'openai/voice', input, voice: 'alloy' },
    { headers: { 'x-request-id': 'speech-1' } },
  )
  t.equal(speech.headers.get('content-type'), 'audio/mpeg')
  t.equal(speech.headers.get('x-sluice-target'), 'openai/voice')
  const bytes = Buffer.from(await speech.arrayBuffer())
  t.ok(bytes.equals(Buffer.alloc(5000 * 64, 0xff)))
  t.match(await gateway.exchange('speech-1'), { surface: 'openai-speech', outcome: 'complete', transport: 'bytes' })
  const events = await client.audio.speech.create({
    model: 'openai/voice',
    input: 'ab',
    voice: 'x',
    stream_format: 'sse',
  })
  t.match(await events.text(), /speech\.audio\.delta[\s\S]+"type":"speech\.audio\.done"/)
})

test('forms pass with their files: transcriptions, translations, edits and variations', async (t) => {
  const audio = Buffer.alloc(300_000, 7)
  const file = () => toFile(audio, 'speech.mp3', { type: 'audio/mpeg' })
  const whole = await client.audio.transcriptions.create({ model: 'openai/ear', file: await file() })
  t.equal(whole.text, '300000 bytes of audio')
  const plain = await client.audio.transcriptions.create({
    ...{ model: 'openai/ear', file: await file(), response_format: 'text' as const },
  })
  t.equal(String(plain), '300000 bytes of audio\n')
  const events: string[] = []
  const stream = await client.audio.transcriptions.create({ model: 'openai/ear', file: await file(), stream: true })
  for await (const event of stream) events.push(event.type)
  t.same([...new Set(events)], ['transcript.text.delta', 'transcript.text.done'])
  t.equal((await client.audio.translations.create({ model: 'openai/ear', file: await file() })).text, whole.text)
  const image = await client.images.edit({ model: 'openai/painter', image: await file(), prompt: 'a river' })
  t.match(image.data?.[0]?.b64_json, /^iVBOR/)
  const provider = { provider: 'openai' }
  const varied = await client.images.createVariation({ image: await file(), ...provider })
  t.match(varied.data?.[0]?.b64_json, /^iVBOR/, 'without a model, by the field for the gateway')
  await rejectsWith(t, client.audio.transcriptions.create({ model: 'google/ear', file: await file() }), {
    status: 400,
    message: /\(google\) does not offer \/v1\/audio\/transcriptions; these do: openai, responses/,
  })
})

test('a form is routed by the model behind its file, and retried with every byte', async (t) => {
  const form = new FormData()
  form.append('file', new Blob([Buffer.alloc(200_000, 9)]), 'a.mp3')
  form.append('model', 'ears')
  const headers = { authorization: `Bearer ${KEY}`, 'x-request-id': 'form-1' }
  const answer = await fetch(`${gateway.origin}/v1/audio/transcriptions`, { method: 'POST', body: form, headers })
  t.equal(((await answer.json()) as { text: string }).text, '200000 bytes of audio')
  t.equal(answer.headers.get('x-sluice-target'), 'responses/ear')
  t.match(await gateway.exchange('form-1'), { surface: 'openai-transcriptions', model: 'ears', outcome: 'complete' })
})

test('a form beyond the limit, without a boundary or with two models is refused before any provider is called', async (t) => {
  const send = async (body: Buffer | string, contentType = 'multipart/form-data; boundary=b') => {
    const headers = { authorization: `Bearer ${KEY}`, 'content-type': contentType }
    const answer = await fetch(`${gateway.origin}/v1/audio/transcriptions`, { method: 'POST', headers, body })
    return { status: answer.status, text: await answer.text() }
  }
  const field = (name: string, value: string) =>
    `--b\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`
  t.equal((await send(Buffer.alloc(21 * 1024 * 1024))).status, 413)
  t.match(await send('x', 'multipart/form-data; x=y'), { status: 400, text: /no valid boundary/ })
  t.match(await send(`${field('model', 'a')}${field('model', 'b')}--b--`), {
    status: 400,
    text: /'model' must be one field/,
  })
  t.match(await send(`${field('x', 'a')}--b--`), { status: 400, text: /'model' is required/ })
  t.match(await send(`${field('model', 'openai/ear')}--b`), { status: 400, text: /neither a line break/ })
  t.equal((await send('{}', 'text/plain')).status, 415)
})
