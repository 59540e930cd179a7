// Documents, images by URL and JSON by a schema, as the official clients send them, towards each of the four upstream wires:
// what a provider gets to see, and what the client is told where it cannot take it.
import { createHash } from 'node:crypto'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { t as tap, test } from 'tap'
import { simulatedProviders, startGateway, startSimulator } from '../helpers/gateway.js'
import { readFixture } from '../helpers/matrix.js'
import { rejectsWith } from '../helpers/rejects.js'
import { stream, ToldUpstream } from '../helpers/told-upstream.js'

const KEY = 'test-key-0123456789abcdef'
const WIRES = ['openai', 'anthropic', 'google', 'ollama'] as const
type Wire = (typeof WIRES)[number]
const PDF = 'JVBERi0xLjQK'
const IMAGE_URL = 'https://example.com/cat.png'

const RECORDINGS: Readonly<Record<Wire, string>> = {
  openai: 'openai-chat/streams/text.sse',
  anthropic: 'anthropic-messages/streams/text.sse',
  google: 'google-gemini/streams/text.sse',
  ollama: 'ollama-chat/streams/text.ndjson',
}

/** Where a provider of this wire takes it, the path within its body; else the path by which the client is refused. */
const TAKES: Readonly<Record<'pdf' | 'imageUrl', Readonly<Record<Wire, RegExp | null>>>> = {
  pdf: {
    openai: /"file_data":"data:application\/pdf;base64,JVBERi0xLjQK"/,
    anthropic: /"type":"document","source":\{"type":"base64","media_type":"application\/pdf","data":"JVBERi0xLjQK"/,
    google: /"inlineData":\{"mimeType":"application\/pdf","data":"JVBERi0xLjQK"/,
    ollama: null,
  },
  imageUrl: {
    openai: /"image_url":\{"url":"https:\/\/example.com\/cat.png"/,
    anthropic: /"source":\{"type":"url","url":"https:\/\/example.com\/cat.png"/,
    google: null,
    ollama: null,
  },
}

function wireOf(url: string): Wire {
  if (url.includes('/chat/completions')) return 'openai'
  if (url.includes('/messages')) return 'anthropic'
  return url.includes('/api/chat') ? 'ollama' : 'google'
}

const upstream = await ToldUpstream.start(tap, (answer, asked) => {
  const wire = wireOf(asked.url)
  const type = wire === 'ollama' ? 'application/x-ndjson' : 'text/event-stream'
  stream(readFixture(RECORDINGS[wire]), type)(answer, asked)
})
const told = simulatedProviders(upstream.origin)
const gateway = await startGateway(tap, {
  config: {
    keys: [{ name: 'test', key: KEY }],
    providers: { ...told, openai: { ...told.openai, quirks: { documents: true } } },
    models: {
      reader: {
        targets: [{ provider: 'ollama', model: 'm' }],
        fallbacks: ['paper'],
      },
      paper: { targets: [{ provider: 'anthropic', model: 'm' }] },
    },
  },
})
const simulator = await startSimulator(tap)
const simulated = await startGateway(tap, {
  config: { keys: [{ name: 'test', key: KEY }], providers: simulatedProviders(simulator.origin) },
})
const strict = new OpenAI({ apiKey: KEY, baseURL: `${simulated.origin}/v1`, maxRetries: 0 })
const openai = new OpenAI({ apiKey: KEY, baseURL: `${gateway.origin}/v1`, maxRetries: 0 })
const anthropic = new Anthropic({ apiKey: KEY, baseURL: gateway.origin, maxRetries: 0 })

const images = await ToldUpstream.start(tap, (answer, { url }) => {
  if (url === '/cat.png')
    answer.writeHead(200, { 'content-type': 'image/png' }).end(Buffer.from('iVBORw0KGgo=', 'base64'))
  else answer.writeHead(404).end()
})
const fetchingGateway = await startGateway(tap, {
  config: {
    keys: [{ name: 'test', key: KEY }],
    providers: told,
    content: { fetch: { enabled: true, allowInsecure: true, allowPrivateNetworks: true } },
  },
})
const fetching = new OpenAI({ apiKey: KEY, baseURL: `${fetchingGateway.origin}/v1`, maxRetries: 0 })
const imageAt = (url: string): OpenAI.ChatCompletionContentPart => ({ type: 'image_url', image_url: { url } })

const QUESTION = { type: 'text' as const, text: 'What is it?' }
const OPENAI_PARTS: Readonly<Record<'pdf' | 'imageUrl', OpenAI.ChatCompletionContentPart>> = {
  pdf: { type: 'file', file: { filename: 'a.pdf', file_data: `data:application/pdf;base64,${PDF}` } },
  imageUrl: { type: 'image_url', image_url: { url: IMAGE_URL } },
}
const ANTHROPIC_BLOCKS: Readonly<Record<'pdf' | 'imageUrl', Anthropic.ContentBlockParam>> = {
  pdf: { type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: PDF }, title: 'a.pdf' },
  imageUrl: { type: 'image', source: { type: 'url', url: IMAGE_URL } },
}

function askOpenai(
  wire: string,
  part: OpenAI.ChatCompletionContentPart,
  ...after: OpenAI.ChatCompletionMessageParam[]
) {
  const messages = [{ role: 'user' as const, content: [part, QUESTION] }, ...after]
  return openai.chat.completions.create({ model: wire, messages, stream: true }).withResponse()
}

function askAnthropic(wire: string, block: Anthropic.ContentBlockParam, ...after: Anthropic.MessageParam[]) {
  const messages = [{ role: 'user' as const, content: [block, QUESTION] }, ...after]
  return anthropic.messages.create({ model: wire, max_tokens: 100, messages, stream: true }).withResponse()
}

async function readAll(frames: AsyncIterable<unknown>): Promise<number> {
  let count = 0
  for await (const _ of frames) count += 1
  return count
}

for (const kind of ['pdf', 'imageUrl'] as const) {
  for (const wire of WIRES) {
    test(`${kind} to ${wire}: it arrives in the provider's form, or the client hears where it stands`, async (t) => {
      const taken = TAKES[kind][wire]
      const asks = [
        () => askOpenai(`${wire}/m`, OPENAI_PARTS[kind]),
        () => askAnthropic(`${wire}/m`, ANTHROPIC_BLOCKS[kind]),
      ]
      for (const ask of asks) {
        const before = upstream.asked.length
        if (taken === null) {
          await rejectsWith(t, ask(), { status: 400, message: /messages\.0\.content\.0/ })
          t.equal(upstream.asked.length, before, 'nothing was sent')
          continue
        }
        const { data, response } = await ask()
        t.ok((await readAll(data)) > 0)
        t.match(upstream.last.text, taken)
        t.equal(response.headers.get('x-sluice-dropped'), null)
      }
    })

    test(`${kind} in the history of a chat with ${wire}: the session goes on`, async (t) => {
      const taken = TAKES[kind][wire]
      const turns = [
        { role: 'assistant' as const, content: 'A cat.' },
        { role: 'user' as const, content: 'Go on.' },
      ]
      const asks = [
        () => askOpenai(`${wire}/m`, OPENAI_PARTS[kind], ...turns),
        () => askAnthropic(`${wire}/m`, ANTHROPIC_BLOCKS[kind], ...turns),
      ]
      for (const ask of asks) {
        const { data, response } = await ask()
        t.ok((await readAll(data)) > 0)
        t.match(upstream.last.text, taken ?? / omitted: this model cannot read it/)
        const named = kind === 'pdf' ? 'document' : 'image_url'
        t.equal(response.headers.get('x-sluice-dropped'), taken === null ? named : null)
      }
    })
  }
}

test('the user id of a coding agent, 150 characters of JSON, reaches no vendor longer than it takes', async (t) => {
  const session = JSON.stringify({ device: 'd'.repeat(64), session: 's'.repeat(60) })
  t.equal(session.length, 150)
  const hashed = createHash('sha256').update(session).digest('hex')
  const seenBy = async (wire: Wire): Promise<Record<string, unknown>> => {
    const { data } = await anthropic.messages
      .create({
        model: `${wire}/m`,
        max_tokens: 100,
        messages: [{ role: 'user', content: 'Hi' }],
        metadata: { user_id: session },
        stream: true,
      })
      .withResponse()
    await readAll(data)
    return JSON.parse(upstream.last.text) as Record<string, unknown>
  }
  t.match(await seenBy('openai'), { user: hashed })
  t.match(await seenBy('anthropic'), { metadata: { user_id: session } })
  for (const wire of ['google', 'ollama'] as const) {
    t.notMatch(JSON.stringify(await seenBy(wire)), /ssssss|dddddd/, `${wire} knows no users`)
  }
})

test('a target that cannot take a document is passed over for one that can', async (t) => {
  const { data, response } = await askOpenai('reader', OPENAI_PARTS.pdf)
  t.ok((await readAll(data)) > 0)
  t.equal(response.headers.get('x-sluice-target'), 'anthropic/m')
  t.match(upstream.last.text, TAKES.pdf.anthropic)
})

test('with content.fetch an image by URL reaches a provider that takes bytes; a stranger’s slip says nothing', async (t) => {
  const { data, response } = await fetching.chat.completions
    .create({
      model: 'ollama/m',
      messages: [{ role: 'user', content: [imageAt(`${images.origin}/cat.png`), QUESTION] }],
      stream: true,
    })
    .withResponse()
  t.ok((await readAll(data)) > 0)
  t.match(upstream.last.text, /"images":\["iVBORw0KGgo="\]/)
  t.equal(response.headers.get('x-sluice-dropped'), null)
  const missing = fetching.chat.completions.create({
    model: 'ollama/m',
    messages: [{ role: 'user', content: [imageAt(`${images.origin}/missing.png`), QUESTION] }],
  })
  await rejectsWith(t, missing, { status: 400, message: /'messages\.0\.content\.0' could not be fetched/ })
})

// --- JSON by a schema

const SCHEMA = {
  type: 'object',
  properties: { name: { type: 'string' }, age: { type: 'integer' } },
  required: ['name', 'age'],
  additionalProperties: false,
}
const FORMAT = {
  type: 'json_schema' as const,
  json_schema: { name: 'person', strict: true, schema: SCHEMA },
}
const WEATHER: OpenAI.ChatCompletionTool = {
  type: 'function',
  function: { name: 'weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } },
}

test('a strict schema is kept by a server of the Messages API that knows only tools, streamed and whole', async (t) => {
  const request = {
    model: 'anthropic/tools',
    messages: [{ role: 'user' as const, content: 'Who?' }],
    response_format: FORMAT,
  }
  const whole = await strict.chat.completions.parse(request)
  const streamed = (await strict.chat.completions.stream(request).finalChatCompletion()).choices[0]
  for (const choice of [whole.choices[0], streamed]) {
    t.match(JSON.parse(choice?.message.content ?? ''), { name: String, age: Number })
    t.equal(choice?.finish_reason, 'stop')
    t.notOk(choice?.message.tool_calls?.length)
  }
})

test('other tools are called as usual beside the schema', async (t) => {
  const request = {
    model: 'anthropic/tools',
    messages: [{ role: 'user' as const, content: 'Who?' }],
    response_format: FORMAT,
  }
  const called = (await strict.chat.completions.create({ ...request, tools: [WEATHER] })).choices[0]
  t.equal(called?.finish_reason, 'tool_calls')
  t.match(called?.message.tool_calls, [{ function: { name: 'weather' } }])
  t.equal(called?.message.tool_calls?.length, 1)
})
