// Refusals, citations, images and tools of the provider, from every upstream wire that has them, as the official clients read them.
import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import OpenAI from 'openai'
import { t as tap, test } from 'tap'
import { simulatedProviders, startGateway } from '../helpers/gateway.js'
import { readFixture } from '../helpers/matrix.js'
import { rejectsWith } from '../helpers/rejects.js'
import { stream, ToldUpstream } from '../helpers/told-upstream.js'

const KEY = 'test-key-0123456789abcdef'

/** What each model answers with. */
const RECORDINGS: Readonly<Record<string, string>> = {
  'openai/refusal': 'openai-chat/streams/refusal.sse',
  'openai/citations': 'openai-chat/streams/citations.sse',
  'openai/images': 'openai-chat/streams/images-openrouter.sse',
  'responses/images': 'openai-responses/streams/image-generation.sse',
  'anthropic/refusal': 'anthropic-messages/streams/refusal-explained.sse',
  'anthropic/search': 'anthropic-messages/streams/web-search.sse',
  'google/grounding': 'google-gemini/streams/grounding.sse',
  'google/images': 'google-gemini/streams/image.sse',
}
const EXPLANATION = 'This request was blocked because it may enable cyber harm.'

const upstream = await ToldUpstream.start(tap, (answer, asked) => {
  const wanted = Object.keys(RECORDINGS).find((name) => isAsked(name, asked))
  stream(readFixture(RECORDINGS[wanted ?? ''] ?? ''))(answer, asked)
})

function isAsked(name: string, { url, text }: { readonly url: string; readonly text: string }): boolean {
  const [provider = '', model = ''] = name.split('/')
  const path = { openai: '/chat/completions', responses: '/responses', anthropic: '/messages', google: '/v1beta' }[
    provider
  ]
  return url.includes(path ?? '-') && (url.includes(`/${model}:`) || text.includes(`"model":"${model}"`))
}

const gateway = await startGateway(tap, {
  config: { keys: [{ name: 'test', key: KEY }], providers: simulatedProviders(upstream.origin) },
})
const openai = new OpenAI({ apiKey: KEY, baseURL: `${gateway.origin}/v1`, maxRetries: 0 })
const anthropic = new Anthropic({ apiKey: KEY, baseURL: gateway.origin, maxRetries: 0 })
const google = new GoogleGenAI({ apiKey: KEY, httpOptions: { baseUrl: gateway.origin } })
const messages = [{ role: 'user' as const, content: 'Hi' }]

test('a refusal is one to every client', async (t) => {
  const chat = await openai.chat.completions.create({ model: 'anthropic/refusal', messages })
  t.match(chat.choices[0], { finish_reason: 'content_filter', message: { content: null, refusal: EXPLANATION } })
  const streamed = openai.chat.completions.stream({ model: 'anthropic/refusal', messages })
  t.equal((await streamed.finalChatCompletion()).choices[0]?.message.refusal, EXPLANATION)
  const response = await openai.responses.stream({ model: 'openai/refusal', input: 'Hi', store: false }).finalResponse()
  t.match(response.output, [{ type: 'message', content: [{ type: 'refusal', refusal: "I'm sorry, I can't." }] }])
  const message = await anthropic.messages.stream({ model: 'openai/refusal', max_tokens: 99, messages }).finalMessage()
  t.match(message, { stop_reason: 'refusal', content: [{ type: 'text', text: "I'm sorry, I can't." }] })
  const generated = await google.models.generateContent({ model: 'anthropic/refusal', contents: 'Hi' })
  // The library leaves out `finishMessage`, which has the explanation.
  t.match(generated.candidates?.[0], { finishReason: 'SAFETY' })
})

test('citations reach every client with what they support', async (t) => {
  const message = await anthropic.messages
    .stream({ model: 'google/grounding', max_tokens: 99, messages })
    .finalMessage()
  const [block] = message.content
  t.same(block?.type === 'text' ? block.citations?.map((citation) => 'url' in citation && citation.url) : null, [
    'https://example.org/pegel',
    'https://example.org/pegel',
    'https://example.com/schiffahrt',
  ])
  const response = await openai.responses
    .stream({ model: 'google/grounding', input: 'Hi', store: false })
    .finalResponse()
  const [item] = response.output
  const [part] = item?.type === 'message' ? item.content : []
  if (part?.type !== 'output_text') throw new Error('no text')
  t.same(
    part.annotations.map((note) => note.type === 'url_citation' && part.text.slice(note.start_index, note.end_index)),
    ['Die Elbe steht in Dresden bei 1,2 m', 'für Schiffe reicht es.', 'für Schiffe reicht es.'],
  )
  const generated = await google.models.generateContent({ model: 'openai/citations', contents: 'Hi' })
  const grounding = generated.candidates?.[0]?.groundingMetadata
  const text = Buffer.from(generated.text ?? '')
  t.same(
    grounding?.groundingSupports?.map(({ segment }) => text.toString('utf8', segment?.startIndex, segment?.endIndex)),
    ['([gauges](https://example.org/rhine))', 'In Köln the Rhine'],
  )
})

test('images reach every client whose API has a place for them, and are named to the others', async (t) => {
  for (const model of ['google/images', 'openai/images']) {
    const response = await openai.responses.stream({ model, input: 'Draw.', store: false }).finalResponse()
    t.match(
      response.output.find(({ type }) => type === 'image_generation_call'),
      { status: 'completed', result: /^iVBO/ },
      model,
    )
    const { response: head } = await anthropic.messages.create({ model, max_tokens: 99, messages }).withResponse()
    t.equal(head.headers.get('x-sluice-dropped'), 'images', model)
  }
  const generated = await google.models.generateContent({ model: 'responses/images', contents: 'Draw.' })
  t.match(generated.candidates?.[0]?.content?.parts, [{ inlineData: { mimeType: 'image/png', data: /^iVBO/ } }, {}])
})

test('what a provider’s own tools did is named: in a header, in a comment of the stream, and in the log', async (t) => {
  const asked = { model: 'anthropic/search', messages }
  const { data: whole, response: head } = await openai.chat.completions.create(asked).withResponse()
  t.equal(head.headers.get('x-sluice-dropped'), 'server_tool_use, web_search_tool_result')
  t.match(whole.choices[0]?.message.annotations, [{ url_citation: { url: 'https://example.com/' } }])
  const streamed = await openai.chat.completions.create({ ...asked, stream: true }).asResponse()
  const text = await streamed.text()
  t.match(text, /\n: x-sluice-dropped: server_tool_use, web_search_tool_result\ndata: /)
  t.match(text, '"annotations":[')
  const id = streamed.headers.get('x-request-id') ?? ''
  t.same((await gateway.exchange(id)).dropped, ['server_tool_use', 'web_search_tool_result'])
})

test('a file of the shared account is refused before any provider is asked', async (t) => {
  const before = upstream.asked.length
  const content = [{ type: 'file' as const, file: { file_id: 'file-1' } }]
  const refused = openai.chat.completions.create({ model: 'openai/refusal', messages: [{ role: 'user', content }] })
  await rejectsWith(t, refused, { status: 400, param: 'messages.0.content.0.file.file_id' })
  const source = { type: 'file', file_id: 'file_1' }
  const asked = {
    model: 'anthropic/search',
    max_tokens: 99,
    messages: [{ role: 'user', content: [{ type: 'document', source }] }],
  }
  await rejectsWith(t, anthropic.messages.create(asked as never), { status: 400 })
  t.equal(upstream.asked.length, before)
})
