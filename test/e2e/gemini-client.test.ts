// The official Google client against a running gateway, over each of the upstream wires: whole, streamed, as a chat, with tools.
import { ApiError, FunctionCallingConfigMode, type GenerateContentParameters, GoogleGenAI } from '@google/genai'
import { type Test, t as tap, test } from 'tap'
import { type Running, simulatedProviders, startGateway, startSimulator, type Teardown } from '../helpers/gateway.js'
import { answer, chunk, LAST_CHUNK, ScriptedUpstream, streamHead } from '../helpers/scripted-upstream.js'

const KEY = 'test-key-0123456789abcdef'
const PROVIDERS = ['google', 'openai', 'responses', 'anthropic', 'ollama'] as const
const TEXT = 'Zażółć gęślą jaźń, 你好 👋 world'
const JSON_BODY = { 'content-type': 'application/json' }

async function start(t: Teardown, args: string[] = []) {
  const simulator = await startSimulator(t, args)
  const gateway = await startGateway(t, {
    config: {
      keys: [{ name: 'test', key: KEY }],
      providers: simulatedProviders(simulator.origin),
      models: Object.fromEntries(PROVIDERS.map((provider) => [`${provider}-echo`, { targets: [`${provider}/echo`] }])),
    },
  })
  return { gateway, client: clientOf(gateway) }
}

function clientOf(gateway: Running, apiKey = KEY, apiVersion = 'v1beta'): GoogleGenAI {
  return new GoogleGenAI({ apiKey, apiVersion, httpOptions: { baseUrl: gateway.origin } })
}

const { gateway, client } = await start(tap)

async function streamed(request: GenerateContentParameters, from = client) {
  let text = ''
  let thoughts = ''
  const chunks = []
  for await (const chunk of await from.models.generateContentStream(request)) {
    text += chunk.text ?? ''
    for (const part of chunk.candidates?.[0]?.content?.parts ?? []) if (part.thought === true) thoughts += part.text
    chunks.push(chunk)
  }
  return { text, thoughts, chunks, last: chunks.at(-1) }
}

/** Rejects with the vendor's error: the client keeps its status, and the whole body as the message. */
async function refusedWith(t: Test, promise: Promise<unknown>, status: number, error: object): Promise<void> {
  const thrown = await promise.catch((caught: unknown) => caught)
  if (!(thrown instanceof ApiError)) throw new Error('not refused', { cause: thrown })
  t.equal(thrown.status, status)
  t.match(JSON.parse(thrown.message).error, error)
}

test('the same text from every upstream wire, whole and streamed', async (t) => {
  for (const provider of PROVIDERS) {
    const request = {
      model: `${provider}/echo`,
      contents: TEXT,
      config: { systemInstruction: 'Be brief.', temperature: 0.5, maxOutputTokens: 100 },
    }
    const whole = await client.models.generateContent(request)
    t.equal(whole.text, TEXT, `${provider} whole`)
    t.equal(whole.candidates?.[0]?.finishReason, 'STOP')
    t.ok((whole.usageMetadata?.candidatesTokenCount ?? 0) > 0)
    const { text, chunks, last } = await streamed(request)
    t.equal(text, TEXT, `${provider} streamed`)
    t.ok(chunks.length > 3, 'in pieces')
    t.equal(last?.candidates?.[0]?.finishReason, 'STOP')
    t.equal(last?.usageMetadata?.totalTokenCount, whole.usageMetadata?.totalTokenCount, `${provider} usage agrees`)
    t.equal(new Set(chunks.map(({ responseId }) => responseId)).size, 1, 'one id')
  }
})

test('a chat remembers what was said, streamed and not, with the thoughts and their signatures', async (t) => {
  for (const provider of PROVIDERS) {
    const chat = client.chats.create({ model: `${provider}/echo`, config: { systemInstruction: 'Be brief.' } })
    t.equal((await chat.sendMessage({ message: 'First of all' })).text, 'First of all', provider)
    let text = ''
    for await (const chunk of await chat.sendMessageStream({ message: 'And now this' })) text += chunk.text ?? ''
    t.equal(text, 'And now this', provider)
    t.equal((await chat.sendMessage({ message: 'Last' })).text, 'Last', provider)
    const roles = chat.getHistory(true).map(({ role }) => role)
    t.equal(roles.filter((role) => role === 'user').length, 3, `${provider}: the client takes each turn for valid`)

    const thinker = client.chats.create({
      model: `${provider}/reason`,
      config: { thinkingConfig: { includeThoughts: true, thinkingBudget: 1024 }, maxOutputTokens: 4000 },
    })
    let thoughts = ''
    for await (const chunk of await thinker.sendMessageStream({ message: 'Think about it' })) {
      for (const part of chunk.candidates?.[0]?.content?.parts ?? []) if (part.thought === true) thoughts += part.text
    }
    t.match(thoughts, /step by step/, provider)
    const again = await thinker.sendMessage({ message: 'And again' })
    t.equal(again.text, 'And again', provider)
    const dropped = again.sdkHttpResponse?.headers?.['x-sluice-dropped'] ?? ''
    if (provider !== 'openai' && provider !== 'ollama') t.notMatch(dropped, /reasoning/, provider)
  }
})

const WEATHER = {
  name: 'weather',
  description: 'Weather of a city',
  parametersJsonSchema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
}
const CLOCK = { name: 'clock' }

test('tools are called, together, and the turn goes on after their results, over every wire', async (t) => {
  for (const provider of PROVIDERS) {
    const config = { tools: [{ functionDeclarations: [WEATHER, CLOCK] }] }
    const request = { model: `${provider}/tools`, contents: 'Weather, and the time.', config }
    const whole = await client.models.generateContent(request)
    const { chunks } = await streamed(request)
    const calls = chunks.flatMap((chunk) => chunk.functionCalls ?? [])
    for (const made of [whole.functionCalls ?? [], calls]) {
      t.same(
        made.map(({ name }) => name),
        ['weather', 'clock'],
        provider,
      )
      t.type(made[0]?.args?.city, 'string')
    }
    const results = calls.map(({ id, name }) => ({
      functionResponse: { ...(id === undefined ? {} : { id }), name: name ?? '', response: { output: `${name} 21` } },
    }))
    const turn = chunks.flatMap((chunk) => chunk.candidates?.[0]?.content ?? [])
    const contents = [{ role: 'user', parts: [{ text: 'Weather.' }] }, ...turn, { role: 'user', parts: results }]
    const after = await client.models.generateContent({ ...request, contents })
    t.match(after.text, /weather 21.*clock 21/, `${provider} answers after the results`)
    const forced = await client.models.generateContent({
      ...request,
      config: {
        ...config,
        toolConfig: {
          functionCallingConfig: { mode: FunctionCallingConfigMode.ANY, allowedFunctionNames: ['clock'] },
        },
      },
    })
    // One wire has no such choice, and says so.
    const dropped = forced.sdkHttpResponse?.headers?.['x-sluice-dropped'] ?? ''
    if (provider === 'ollama') t.match(dropped, /tool_choice/)
    else
      t.same(
        forced.functionCalls?.map(({ name }) => name),
        ['clock'],
        provider,
      )
  }
})

test('JSON by a schema in either form, and a cap, over every wire', async (t) => {
  for (const provider of PROVIDERS) {
    // This provider is asked for JSON by a forced tool, which only this simulated model calls.
    const model = `${provider}/${provider === 'anthropic' ? 'tools' : 'echo'}`
    const schemas = [
      {
        responseSchema: {
          type: 'OBJECT' as never,
          properties: { city: { type: 'STRING' as never } },
          required: ['city'],
        },
      },
      { responseJsonSchema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } },
    ]
    for (const schema of schemas) {
      const config = { responseMimeType: 'application/json', ...schema }
      const { text } = await client.models.generateContent({ model, contents: 'A place', config })
      t.type(JSON.parse(text ?? '{}').city, 'string', provider)
    }
    const capped = { model: `${provider}/lorem-max`, contents: 'Go on', config: { maxOutputTokens: 5 } }
    t.equal((await client.models.generateContent(capped)).candidates?.[0]?.finishReason, 'MAX_TOKENS', provider)
    t.equal((await streamed(capped)).last?.candidates?.[0]?.finishReason, 'MAX_TOKENS', provider)
  }
})

test('errors arrive in the vendor’s form: before the answer, in the middle of it, and for a wrong key', async (t) => {
  await refusedWith(t, client.models.generateContent({ model: 'no-model', contents: 'Hi' }), 404, {
    code: 404,
    status: 'NOT_FOUND',
  })
  const wrong = clientOf(gateway, 'wrong-key')
  await refusedWith(t, wrong.models.generateContent({ model: 'google/echo', contents: 'Hi' }), 401, {
    status: 'UNAUTHENTICATED',
    details: [{ reason: 'API_KEY_INVALID' }],
  })
  await refusedWith(t, wrong.models.list(), 401, { status: 'UNAUTHENTICATED' })
  const config = { temperature: 9 }
  await refusedWith(t, client.models.generateContent({ model: 'google/echo', contents: 'Hi', config }), 400, {
    status: 'INVALID_ARGUMENT',
    details: [{ fieldViolations: [{ field: 'generationConfig.temperature' }] }],
  })
  for (const provider of PROVIDERS) {
    const refused = { model: `${provider}/lorem-max+fault=status,422`, contents: 'Hi' }
    await refusedWith(t, client.models.generateContent(refused), 422, { status: 'INVALID_ARGUMENT' })
    const cut = { model: `${provider}/lorem-max+fault=error-frame,4`, contents: 'Hi', config: { maxOutputTokens: 50 } }
    let text = ''
    const read = async () => {
      for await (const chunk of await client.models.generateContentStream(cut)) text += chunk.text ?? ''
    }
    const thrown = await read().catch((caught: unknown) => caught)
    t.match(thrown, { name: 'ApiError', message: /Simulated failure/ }, provider)
    t.match(text, /^lorem ipsum/, `${provider} what came before`)
  }
})

test('the models are listed in pages, and one by one', async (t) => {
  const config = { pageSize: 3 }
  const names: string[] = []
  for await (const model of await client.models.list({ config })) names.push(model.name ?? '')
  const plain = await fetch(`${gateway.origin}/v1/models`, { headers: { authorization: `Bearer ${KEY}` } })
  const { data } = (await plain.json()) as { data: { id: string }[] }
  t.same(
    names,
    data.map(({ id }) => `models/${id}`),
  )
  const model = await client.models.get({ model: names[0] ?? '' })
  t.match(model, { name: names[0], supportedActions: ['generateContent', 'streamGenerateContent', 'countTokens'] })
  t.match(await client.models.get({ model: 'anthropic/echo' }), { name: 'models/anthropic/echo' })
  // The vendor's stable version has the same.
  const stable = clientOf(gateway, KEY, 'v1')
  t.equal((await stable.models.get({ model: names[0] ?? '' })).name, names[0])
  t.equal((await stable.models.generateContent({ model: 'ollama/echo', contents: TEXT })).text, TEXT)
  t.equal((await streamed({ model: 'ollama/echo', contents: TEXT }, stable)).text, TEXT)
  await refusedWith(t, client.models.get({ model: 'nothing' }), 404, { status: 'NOT_FOUND' })
})

test('tokens are counted by the provider that can, else by estimate, for any model that the key may use', async (t) => {
  const contents = 'Zażółć gęślą jaźń '.repeat(100)
  for (const provider of PROVIDERS) {
    const count = await client.models.countTokens({ model: `${provider}/echo`, contents })
    const estimate = Buffer.byteLength(contents) / 4
    t.ok(Math.abs((count.totalTokens ?? 0) - estimate) < estimate / 10, `${provider} ${count.totalTokens}`)
    const counts = ['anthropic', 'responses', 'google'].includes(provider)
    t.equal(count.sdkHttpResponse?.headers?.['x-sluice-estimated'], counts ? undefined : 'input_tokens', provider)
  }
  const body = { generateContentRequest: { model: 'models/x', contents: [{ parts: [{ text: 'Hi' }] }] } }
  const wrapped = await ask('/v1beta/models/ollama/echo:countTokens', body)
  t.match(await wrapped.json(), { totalTokens: Number })
  await refusedWith(t, client.models.countTokens({ model: 'nothing', contents }), 404, { status: 'NOT_FOUND' })
})

test('texts are embedded, one or several, by every provider that has embeddings', async (t) => {
  for (const provider of PROVIDERS) {
    const config = { outputDimensionality: 5, taskType: 'RETRIEVAL_QUERY' }
    const asked = client.models.embedContent({ model: `${provider}/v`, contents: ['river', 'sea', 'river'], config })
    if (provider === 'anthropic') {
      await refusedWith(t, asked, 400, { status: 'INVALID_ARGUMENT', message: /does not offer/ })
      continue
    }
    const { embeddings = [] } = await asked
    t.same(
      embeddings.map(({ values }) => values?.length),
      [5, 5, 5],
      provider,
    )
    t.same(embeddings[0], embeddings[2])
    t.notSame(embeddings[0], embeddings[1])
    const one = await ask(`/v1/models/${provider}/v:embedContent`, {
      content: { parts: [{ text: 'river' }] },
      output_dimensionality: 5,
    })
    t.same(await one.json(), { embedding: embeddings[0] }, `${provider} alone`)
  }
  const odd = {
    requests: [{ content: { parts: [{ text: 'a' }] } }, { content: { parts: [{ text: 'b' }] }, title: 'x' }],
  }
  const refused = await ask('/v1beta/models/google/v:batchEmbedContents', odd)
  t.match(await refused.json(), { error: { code: 400, message: /'requests\.1' must have the same options/ } })
})

function ask(path: string, body: object, headers: Record<string, string> = { 'x-goog-api-key': KEY }) {
  const content = { method: 'POST', headers: { ...JSON_BODY, ...headers }, body: JSON.stringify(body) }
  return fetch(`${gateway.origin}${path}`, content)
}

test('without alt=sse a stream is one JSON array, over every wire, whole or cut', async (t) => {
  for (const provider of PROVIDERS) {
    const body = { contents: [{ parts: [{ text: TEXT }] }] }
    const whole = await ask(`/v1beta/models/${provider}/echo:streamGenerateContent`, body)
    t.equal(whole.headers.get('content-type'), 'application/json')
    const chunks = (await whole.json()) as { candidates: { content: { parts: { text: string }[] } }[] }[]
    const text = chunks.map(({ candidates }) => candidates[0]?.content.parts[0]?.text ?? '').join('')
    t.equal(text, TEXT, provider)
    t.match(chunks.at(-1), { candidates: [{ finishReason: 'STOP' }], usageMetadata: { totalTokenCount: Number } })
    const cut = await ask(`/v1beta/models/${provider}/lorem-max+fault=error-frame,4:streamGenerateContent`, {
      ...body,
      generationConfig: { maxOutputTokens: 50 },
    })
    t.match(((await cut.json()) as object[]).at(-1), { error: { message: /Simulated failure/ } }, provider)
  }
})

test('a key in the query opens, and appears nowhere', async (t) => {
  const body = { contents: [{ parts: [{ text: 'Hi' }] }] }
  const opened = await ask(`/v1beta/models/google/echo:generateContent?key=${KEY}`, body, {})
  t.equal(opened.status, 200)
  const id = opened.headers.get('x-request-id') ?? ''
  t.equal((await fetch(`${gateway.origin}/v1beta/models?key=${KEY}`)).status, 200)
  const refused = await ask('/v1beta/models/google/echo:generateContent?key=guess-of-a-key', body, {})
  t.equal(refused.status, 401)
  t.notMatch(await refused.text(), /guess/)
  const lost = await ask(`/v1beta/models/google/echo:unknown?key=${KEY}`, body, {})
  t.equal(lost.status, 404)
  t.notMatch(await lost.text(), KEY)
  await gateway.exchange(id)
  const refusedId = refused.headers.get('x-request-id') ?? ''
  const lostId = lost.headers.get('x-request-id') ?? ''
  await Promise.all([gateway.exchange(refusedId), gateway.exchange(lostId)])
  t.notMatch(gateway.output.join('\n') + gateway.errorOutput, new RegExp(`${KEY}|guess-of-a-key`))
  const metrics = await (await fetch(`${gateway.origin}/metrics`, { headers: { 'x-goog-api-key': KEY } })).text()
  t.notMatch(metrics, new RegExp(`${KEY}|guess-of-a-key`))
})

test('the model in the path is part of what a request asks', async (t) => {
  const body = { contents: [{ parts: [{ text: 'Once' }] }] }
  const headers = { 'x-goog-api-key': KEY, 'idempotency-key': 'the model is in the path' }
  const first = await ask('/v1beta/models/google/echo:generateContent', body, headers)
  t.equal(first.status, 200)
  const text = await first.text()
  const again = await ask('/v1beta/models/google/echo:generateContent', body, headers)
  t.same([again.headers.get('idempotency-replayed'), await again.text()], ['true', text])
  t.equal((await ask('/v1beta/models/openai/echo:generateContent', body, headers)).status, 422)
})

test('a stream is kept and read again, number by number', async (t) => {
  const body = { contents: [{ parts: [{ text: 'one two three' }] }] }
  for (const provider of PROVIDERS) {
    const path = `/v1beta/models/${provider}/echo:streamGenerateContent?alt=sse`
    const first = await ask(path, body, { 'x-goog-api-key': KEY, 'x-sluice-resume': '1' })
    const id = first.headers.get('x-sluice-stream')
    t.type(id, 'string', provider)
    const text = await first.text()
    t.match(text, /^id: 0\ndata: \{/)
    const headers = { 'x-goog-api-key': KEY, 'last-event-id': '0' }
    const rest = await (await fetch(`${gateway.origin}/v1/streams/${id}`, { headers })).text()
    t.equal(text.slice(text.indexOf('id: 1\n')), rest, provider)
  }
})

test('a client that aborts stops its upstream, and the outcome says so', async (t) => {
  const { client, gateway } = await start(t, ['--tokens-per-second', '20'])
  for (const provider of PROVIDERS) {
    const controller = new AbortController()
    const config = { maxOutputTokens: 2000, abortSignal: controller.signal }
    const request = { model: `${provider}/lorem-max`, contents: 'Go on', config }
    let id = ''
    let seen = 0
    try {
      for await (const chunk of await client.models.generateContentStream(request)) {
        id = chunk.sdkHttpResponse?.headers?.['x-request-id'] ?? ''
        seen += 1
        if (seen === 3) controller.abort()
      }
    } catch {
      // An aborted stream may throw or just end, as the library likes.
    }
    t.equal((await gateway.exchange(id)).outcome, 'client_gone', provider)
  }
})

test('silence is filled with comments that the client passes over', async (t) => {
  const sse = (part: object) => `data: ${JSON.stringify({ candidates: [part] })}\n\n`
  const upstream = await ScriptedUpstream.listen(
    answer(
      streamHead(),
      chunk(sse({ content: { role: 'model', parts: [{ text: 'a' }] } })),
      { wait: 'go', name: 'on' },
      chunk(sse({ content: { role: 'model', parts: [{ text: 'b' }] }, finishReason: 'STOP' })),
      LAST_CHUNK,
    ),
  )
  t.teardown(() => upstream.close())
  const quiet = await startGateway(t, {
    config: {
      server: { keepaliveMs: 100 },
      providers: { up: { protocol: 'google-gemini', baseUrl: upstream.origin } },
      models: { mine: { targets: [{ provider: 'up', model: 'theirs' }] } },
    },
  })
  let pings = 0
  const original = globalThis.fetch
  const listen: typeof fetch = async (input, init) => {
    const response = await original(input, init)
    const seen = new TransformStream<Uint8Array, Uint8Array>({
      transform(bytes, controller) {
        if (Buffer.from(bytes).includes(': ping')) pings += 1
        if (pings === 2) upstream.go('on')
        controller.enqueue(bytes)
      },
    })
    return new Response(response.body?.pipeThrough(seen) ?? null, response)
  }
  globalThis.fetch = listen
  t.teardown(() => {
    globalThis.fetch = original
  })
  const { text, last } = await streamed({ model: 'mine', contents: 'Hi' }, clientOf(quiet))
  t.same([text, last?.candidates?.[0]?.finishReason], ['ab', 'STOP'])
  t.ok(pings >= 2)
})

test('the same API on both sides: bytes pass as they are, in both forms of the stream', async (t) => {
  const chunks = [
    '{"candidates": [{"content": {"parts": [{"text": "a"}],"role": "model"},"finishReason": "STOP","index": 0}],"x": 1.50}',
    '{"candidates": [{"groundingMetadata": {"webSearchQueries": ["b"]},"finishReason": "STOP"}],"usageMetadata": {"promptTokenCount": 4,"candidatesTokenCount": 2}}',
  ]
  const frames = chunks.map((data) => `data: ${data}\r\n\r\n`).join('')
  const upstream = await ScriptedUpstream.listen(answer(streamHead(), chunk(frames), LAST_CHUNK))
  t.teardown(() => upstream.close())
  const gateway = await startGateway(t, {
    config: {
      providers: { up: { protocol: 'google-gemini', baseUrl: `${upstream.origin}/v1beta` } },
      models: { mine: { targets: [{ provider: 'up', model: 'theirs' }] } },
    },
  })
  const post = async (method: string, body: string) => {
    const content = { method: 'POST', headers: JSON_BODY, body }
    return (await fetch(`${gateway.origin}/v1beta/models/mine:${method}`, content)).text()
  }
  const odd = '{ "contents" : [{"parts":{"text":"Hi"}}], "safety_settings":[], "x": 1.50 }'
  t.equal(
    await post('streamGenerateContent?alt=sse', odd),
    frames,
    'frames pass byte for byte, those after the first reason too',
  )
  t.equal(upstream.requests[0]?.body.toString(), odd)
  t.match(upstream.requests[0]?.head ?? '', /^POST \/v1beta\/models\/theirs:streamGenerateContent\?alt=sse /)
  t.equal(await post('streamGenerateContent', odd), `[${chunks.join(',\r\n')}\r\n]`, 'payloads pass byte for byte')
  t.equal(upstream.requests[1]?.body.toString(), odd)
  const sealed = Buffer.from('sluice:s:EqQB').toString('base64')
  await post(
    'streamGenerateContent?alt=sse',
    `{"contents":[{"role":"model","parts":[{"text":"a","thoughtSignature":"${sealed}"}]},{"parts":[{"text":"b"}]}]}`,
  )
  t.equal(
    upstream.requests[2]?.body.toString(),
    '{"contents":[{"role":"model","parts":[{"text":"a"}]},{"parts":[{"text":"b"}]}]}',
    'a signature that the provider could not read is left out',
  )
})
