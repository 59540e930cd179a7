// An upstream whose stream holds one frame that is not JSON: content is lost, so no client of any kind may take the answer
// for whole, and neither log nor metric may call it complete. With the official clients, over every way an answer can go.
import { once } from 'node:events'
import Anthropic from '@anthropic-ai/sdk'
import { pack, Unpackr } from 'msgpackr'
import OpenAI from 'openai'
import { t as tap, test } from 'tap'
import WebSocket from 'ws'
import { type Running, startGateway } from '../helpers/gateway.js'
import { STREAMS } from '../helpers/pipeline-wires.js'
import { rejectsWith } from '../helpers/rejects.js'
import { answer, chunk, LAST_CHUNK, ScriptedUpstream } from '../helpers/scripted-upstream.js'

const KEY = 'key-of-broken-frames-0123456789'
const OLLAMA = {
  head: '',
  content: ['Hel', 'lo, '].map(
    (content) => `${JSON.stringify({ model: 'm', message: { role: 'assistant', content }, done: false })}\n`,
  ),
  end: `${JSON.stringify({ model: 'm', message: { role: 'assistant', content: '' }, done: true, done_reason: 'stop' })}\n`,
}
const GEMINI = {
  head: '',
  content: ['Hel', 'lo, '].map(
    (text) => `data: ${JSON.stringify({ candidates: [{ content: { role: 'model', parts: [{ text }] } }] })}\n\n`,
  ),
  end: `data: ${JSON.stringify({ candidates: [{ content: { role: 'model', parts: [] }, finishReason: 'STOP' }] })}\n\n`,
}
const sse = (wire: keyof typeof STREAMS) => {
  const { head, content, finish, marker } = STREAMS[wire]
  return { head, content, end: finish + marker }
}
const RESPONSE = { id: 'resp_1', model: 'm', created_at: 1, output: [] }
const responsesEvent = (type: string, members: object) =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...members })}\n\n`
const RESPONSES = {
  head: [
    responsesEvent('response.created', { sequence_number: 0, response: { ...RESPONSE, status: 'in_progress' } }),
    responsesEvent('response.output_item.added', {
      ...{ sequence_number: 1, output_index: 0 },
      item: { id: 'msg_1', type: 'message', role: 'assistant', status: 'in_progress', content: [] },
    }),
    responsesEvent('response.content_part.added', {
      ...{ sequence_number: 2, item_id: 'msg_1', output_index: 0, content_index: 0 },
      part: { type: 'output_text', text: '', annotations: [] },
    }),
  ].join(''),
  content: ['Hel', 'lo, '].map((delta, i) =>
    responsesEvent('response.output_text.delta', {
      ...{ sequence_number: 3 + i, item_id: 'msg_1', output_index: 0, content_index: 0, delta, logprobs: [] },
    }),
  ),
  end: responsesEvent('response.completed', { sequence_number: 5, response: { ...RESPONSE, status: 'completed' } }),
}
const WIRES = {
  'openai-chat': sse('openai-chat'),
  'openai-responses': RESPONSES,
  'anthropic-messages': sse('anthropic-messages'),
  'google-gemini': GEMINI,
  'ollama-chat': OLLAMA,
} as const
type Wire = keyof typeof WIRES
const NAMES = Object.keys(WIRES) as Wire[]
const BROKEN = '{"a":{}},"type":"done","id":"other","b":{}}'

/** A provider for each wire, that sends half an answer, a frame that is none, and the rest. */
async function start(): Promise<Running> {
  const providers: Record<string, object> = {}
  for (const wire of NAMES) {
    const { head, content, end } = WIRES[wire]
    const broken = wire === 'ollama-chat' ? `${BROKEN}\n` : `data: ${BROKEN}\n\n`
    const type = wire === 'ollama-chat' ? 'application/x-ndjson' : 'text/event-stream'
    const upstream = await ScriptedUpstream.listen(
      answer(
        { send: `HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\ntransfer-encoding: chunked\r\n\r\n` },
        chunk(head + content[0]),
        chunk(broken + content[1] + end),
        LAST_CHUNK,
      ),
    )
    tap.teardown(() => upstream.close())
    providers[wire] = { protocol: wire, baseUrl: upstream.origin }
  }
  return startGateway(tap, {
    config: {
      keys: [{ name: 'k', key: KEY }],
      routing: { retries: { max: 0 }, breaker: { enabled: false } },
      providers,
    },
  })
}

const gateway = await start()
const openai = new OpenAI({ apiKey: KEY, baseURL: `${gateway.origin}/v1`, maxRetries: 0 })
const anthropic = new Anthropic({ apiKey: KEY, baseURL: gateway.origin, maxRetries: 0 })
let requests = 0

/** A request id, and the outcome that the log has of it. */
function named(): { headers: Record<string, string>; outcome: () => Promise<unknown> } {
  const id = `broken-${++requests}`
  return { headers: { 'x-request-id': id }, outcome: async () => (await gateway.exchange(id)).outcome }
}

test('the OpenAI client raises an error in the stream, from every upstream wire', async (t) => {
  for (const wire of NAMES) {
    const { headers, outcome } = named()
    const stream = await openai.chat.completions.create(
      { model: `${wire}/m`, messages: [{ role: 'user', content: 'Hi' }], stream: true },
      { headers },
    )
    let text = ''
    const read = async () => {
      for await (const part of stream) text += part.choices[0]?.delta.content ?? ''
    }
    await rejectsWith(t, read(), /not a JSON object/)
    t.equal(text, 'Hel', wire)
    t.equal(await outcome(), 'upstream_cut', wire)
  }
})

test('the OpenAI client raises an error in a stream of responses, raw and by its helper, from every upstream wire', async (t) => {
  for (const wire of NAMES) {
    const { headers, outcome } = named()
    const request = { model: `${wire}/m`, input: 'Hi', store: false }
    const stream = await openai.responses.create({ ...request, stream: true }, { headers })
    let text = ''
    const read = async () => {
      for await (const event of stream) if (event.type === 'response.output_text.delta') text += event.delta
    }
    await rejectsWith(t, read(), /not a JSON object/)
    t.equal(text, 'Hel', wire)
    t.equal(await outcome(), 'upstream_cut', wire)
    await rejectsWith(t, openai.responses.stream(request).finalResponse(), /not a JSON object/)
  }
})

test('the Anthropic client raises an error in the stream, from every upstream wire', async (t) => {
  for (const wire of NAMES) {
    const { headers, outcome } = named()
    const request = { model: `${wire}/m`, max_tokens: 50, messages: [{ role: 'user' as const, content: 'Hi' }] }
    let text = ''
    const stream = anthropic.messages.stream(request, { headers }).on('text', (delta) => {
      text += delta
    })
    await rejectsWith(t, stream.finalMessage(), /not a JSON object/)
    t.equal(text, 'Hel', wire)
    t.equal(await outcome(), 'upstream_cut', wire)
  }
})

test('a whole answer that is made of such a stream is an error with a status', async (t) => {
  for (const wire of NAMES.filter((name) => name !== 'openai-chat')) {
    const { headers, outcome } = named()
    const request = { model: `${wire}/m`, messages: [{ role: 'user' as const, content: 'Hi' }] }
    await rejectsWith(t, openai.chat.completions.create(request, { headers }), {
      status: 502,
      code: 'upstream_malformed',
    })
    t.equal(await outcome(), 'rejected', wire)
  }
})

test("a stream in the upstream's own frames ends with an error among them", async (t) => {
  for (const wire of NAMES) {
    const { headers, outcome } = named()
    const response = await fetch(`${gateway.origin}/v1/chat/${wire}`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json', authorization: `Bearer ${KEY}` },
      body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'Hi' }], stream: true }),
    })
    const text = await response.text()
    t.ok(text.startsWith(WIRES[wire].head + WIRES[wire].content[0]), wire)
    t.match(text, /not a JSON object/, wire)
    t.notOk(text.includes(BROKEN) || text.includes(WIRES[wire].content[1] ?? ''), wire)
    t.notMatch(text, /\[DONE\]|message_stop|"finishReason"|"done":true/, wire)
    t.equal(await outcome(), 'upstream_cut', wire)
  }
})

test('a chat on a WebSocket ends with an error; nothing of the frame reaches another chat', async (t) => {
  const unpack = (bytes: Buffer): unknown => new Unpackr({ useRecords: false }).unpack(bytes)
  const read = (bytes: Buffer): unknown => JSON.parse(bytes.toString())
  for (const [protocol, decode] of [
    ['sluice.v1', read],
    ['sluice.v1.msgpack', unpack],
  ] as const) {
    const socket = new WebSocket(`${gateway.origin.replace('http', 'ws')}/v1/ws`, [protocol], {
      headers: { authorization: `Bearer ${KEY}` },
    })
    t.teardown(() => socket.terminate())
    await once(socket, 'open')
    for (const wire of NAMES) {
      const frames: { type: string; id: string; outcome?: string }[] = []
      const ended = new Promise<void>((resolve) => {
        socket.on('message', (bytes: Buffer) => {
          const frame = decode(bytes) as (typeof frames)[number]
          frames.push(frame)
          if (frame.type === 'error') resolve()
        })
      })
      const request = { model: `${wire}/m`, messages: [{ role: 'user', content: 'Hi' }] }
      const chat = { type: 'chat', id: wire, request }
      socket.send(protocol === 'sluice.v1' ? JSON.stringify(chat) : pack(chat))
      await ended
      socket.removeAllListeners('message')
      t.ok(
        frames.every(({ id }) => id === wire),
        `${wire}: all frames are this chat's`,
      )
      t.match(frames.at(-1), { type: 'error', outcome: 'upstream_cut', error: { code: 'upstream_malformed' } }, wire)
      t.notOk(
        frames.some(({ type }) => type === 'done'),
        wire,
      )
    }
  }
})
