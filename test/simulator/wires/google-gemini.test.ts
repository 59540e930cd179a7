// The simulated Gemini wire: paths, SSE with CRLF, whole function calls, thoughts counted apart.
import { test } from 'tap'
import { post, sseObjects, startSimulator } from '../../helpers/simulator.js'

const contents = [{ role: 'user', parts: [{ text: 'hello brave' }] }]
const tools = [
  {
    functionDeclarations: [
      { name: 'weather', parameters: { type: 'OBJECT', properties: { city: { type: 'STRING' } } } },
      { name: 'clock' },
    ],
  },
]

test('streams chunks over SSE with CRLF; the last has the finish reason and all usage', async (t) => {
  const { origin } = await startSimulator(t)
  const got = await post(`${origin}/v1beta/models/echo:streamGenerateContent?alt=sse`, { contents })
  t.equal(got.headers.get('content-type'), 'text/event-stream')
  t.match(got.text, /\r\n\r\n$/)
  t.notMatch(got.text, /[^\r]\n/)
  const chunks = sseObjects(got.text)
  t.match(chunks[0], { candidates: [{ content: { role: 'model', parts: [{ text: 'hello' }] }, index: 0 }] })
  t.match(chunks.at(-1), {
    candidates: [{ finishReason: 'STOP' }],
    usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 2, totalTokenCount: 5 },
  })
  t.equal(chunks.length, 3)
})

test('gives a whole answer, with max tokens, stop and system text', async (t) => {
  const { origin } = await startSimulator(t)
  const url = `${origin}/v1beta/models/echo:generateContent`
  const got = await post(url, {
    contents,
    systemInstruction: { parts: [{ text: 'abcde' }] },
    generationConfig: { maxOutputTokens: 1 },
  })
  t.match(got.json, {
    candidates: [{ content: { parts: [{ text: 'hello' }] }, finishReason: 'MAX_TOKENS' }],
    usageMetadata: { promptTokenCount: 4 },
  })
  const stopped = await post(url, { contents, generationConfig: { stopSequences: ['lo'] } })
  t.match(stopped.json, { candidates: [{ content: { parts: [{ text: 'hel' }] }, finishReason: 'STOP' }] })
})

test('calls functions whole, as the config allows, and answers their results', async (t) => {
  const { origin } = await startSimulator(t)
  const url = `${origin}/v1beta/models/tools`
  const got = await post(`${url}:streamGenerateContent?alt=sse`, { contents, tools })
  const parts = JSON.stringify(sseObjects(got.text))
  t.match(parts, /"functionCall":\{"name":"weather","args":\{"city":"text"\}\}/)
  t.match(parts, /"functionCall":\{"name":"clock","args":\{\}\}/)
  const one = { mode: 'ANY', allowedFunctionNames: ['clock'] }
  const allowed = await post(`${url}:generateContent`, { contents, tools, toolConfig: { functionCallingConfig: one } })
  t.match(allowed.json, { candidates: [{ content: { parts: { length: 1 } } }] })
  const none = await post(`${url}:generateContent`, {
    contents,
    tools,
    toolConfig: { functionCallingConfig: { mode: 'NONE' } },
  })
  t.match(none.json, { candidates: [{ content: { parts: [{ text: 'No tools were offered.' }] } }] })
  const response = { functionResponse: { name: 'clock', response: { now: 1 } } }
  const answered = await post(`${url}:generateContent`, {
    contents: [...contents, { role: 'user', parts: [response] }],
    tools,
  })
  t.match(answered.json, { candidates: [{ content: { parts: [{ text: 'The tools say: {"now":1}' }] } }] })
})

test('marks thoughts, signs the first part after them, counts them apart', async (t) => {
  const { origin } = await startSimulator(t)
  const got = await post(`${origin}/v1beta/models/reason:generateContent`, { contents })
  t.match(got.json, {
    candidates: [{ content: { parts: [{ thought: true }, { text: 'hello brave', thoughtSignature: /=$/ }] } }],
    usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 2, thoughtsTokenCount: 15, totalTokenCount: 20 },
  })
  const stream = await post(`${origin}/v1beta/models/reason:streamGenerateContent?alt=sse`, { contents })
  t.match(stream.text, /"thought":true.*"thoughtSignature"/s)
  t.equal(stream.text.match(/thoughtSignature/g)?.length, 1)
})

test('answers a schema, in either dialect of schemas', async (t) => {
  const { origin } = await startSimulator(t)
  const url = `${origin}/v1beta/models/echo:generateContent`
  const json = { responseMimeType: 'application/json' }
  const old = { ...json, responseSchema: { type: 'OBJECT', properties: { a: { type: 'BOOLEAN' } } } }
  t.match((await post(url, { contents, generationConfig: old })).text, /\{\\"a\\":true\}/)
  const both = { ...json, responseJsonSchema: { type: 'array', items: { type: 'null' }, minItems: 2 } }
  t.match((await post(url, { contents, generationConfig: both })).text, /\[null,null\]/)
  t.match((await post(url, { contents, generationConfig: json })).text, /"\{\}"/)
})

test('errors have the vendor’s shape; the key may be header or query', async (t) => {
  const { origin } = await startSimulator(t, { requireKey: 'k' })
  const base = `${origin}/v1beta/models`
  const key = { 'x-goog-api-key': 'k' }
  const missing = await post(`${base}/echo:generateContent`, { contents })
  t.match(missing.json, { error: { code: 401, status: 'UNAUTHENTICATED' } })
  t.equal((await post(`${base}/echo:generateContent?key=k`, { contents })).status, 200)
  t.match((await post(`${base}/nope:generateContent`, { contents }, key)).json, {
    error: { code: 404, status: 'NOT_FOUND' },
  })
  t.match((await post(`${base}/echo:predict`, { contents }, key)).json, { error: { code: 404 } })
  t.match((await post(`${base}/%zz:generateContent`, { contents }, key)).json, { error: { code: 404 } })
  t.match((await post(`${base}/echo:generateContent`, {}, key)).json, {
    error: { code: 400, status: 'INVALID_ARGUMENT' },
  })
})

test('takes a fault in a percent-encoded model name', async (t) => {
  const { origin } = await startSimulator(t)
  const model = encodeURIComponent('echo+fault=status,503,7')
  const got = await post(`${origin}/v1beta/models/${model}:generateContent`, { contents })
  t.equal(got.headers.get('retry-after'), '7')
  t.match(got.json, { error: { code: 503, status: 'UNAVAILABLE' } })
})
