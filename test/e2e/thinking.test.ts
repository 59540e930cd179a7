// What a coding agent sends with each request, an adaptive wish to think and an effort, reaches only models that are known to
// think; a refusal that names thinking is answered by one request without it. With the official clients.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { test } from 'tap'
import { type Running, startGateway, type Teardown } from '../helpers/gateway.js'

const KEY = 'key-of-thinking-0123456789'
const WIRES = ['openai-chat', 'openai-responses', 'ollama-chat', 'google-gemini', 'anthropic-messages'] as const
type Wire = (typeof WIRES)[number]

const ANSWERS: Readonly<Record<Wire, object>> = {
  'openai-chat': { choices: [{ index: 0, message: { role: 'assistant', content: 'yes' }, finish_reason: 'stop' }] },
  'openai-responses': {
    id: 'resp_1',
    status: 'completed',
    model: 'm',
    output: [{ type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'yes' }] }],
  },
  'ollama-chat': { model: 'm', message: { role: 'assistant', content: 'yes' }, done: true, done_reason: 'stop' },
  'google-gemini': { candidates: [{ content: { role: 'model', parts: [{ text: 'yes' }] }, finishReason: 'STOP' }] },
  'anthropic-messages': {
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: 'm',
    content: [{ type: 'text', text: 'yes' }],
    stop_reason: 'end_turn',
    usage: { input_tokens: 1, output_tokens: 1 },
  },
}

/** How each vendor says that a model cannot do it. */
const REFUSALS: Readonly<Record<Wire, object>> = {
  'openai-chat': {
    error: {
      message: "Unsupported parameter: 'reasoning_effort' is not supported with this model.",
      type: 'invalid_request_error',
      param: 'reasoning_effort',
      code: 'unsupported_parameter',
    },
  },
  'openai-responses': {
    error: {
      message: "Unsupported parameter: 'reasoning.effort' is not supported with this model.",
      type: 'invalid_request_error',
      param: 'reasoning.effort',
      code: 'unsupported_parameter',
    },
  },
  'ollama-chat': { error: '"m" does not support thinking' },
  'google-gemini': {
    error: { code: 400, message: 'Thinking is not enabled for models/m', status: 'INVALID_ARGUMENT' },
  },
  'anthropic-messages': {
    type: 'error',
    error: { type: 'invalid_request_error', message: "'m' does not support thinking." },
  },
}

type Vendors = { readonly gateway: Running; readonly bodies: Record<string, unknown>[] }

/** One provider for each wire, all on one server; a model whose name has `plain` in it refuses to think. */
async function start(t: Teardown): Promise<Vendors> {
  const bodies: Record<string, unknown>[] = []
  const server = createServer(async (req, res) => {
    const chunks: Buffer[] = []
    for await (const chunk of req) chunks.push(chunk as Buffer)
    const text = Buffer.concat(chunks).toString()
    const [, wire = '', ...path] = (req.url ?? '').split('/')
    bodies.push({ ...(JSON.parse(text) as object), path: path.join('/') })
    const isRefused = /plain/.test(text + req.url) && /"think|"reasoning_effort"|"reasoning":/.test(text)
    res.writeHead(isRefused ? 400 : 200, { 'content-type': 'application/json' })
    res.end(JSON.stringify((isRefused ? REFUSALS : ANSWERS)[wire as Wire]))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const providers = Object.fromEntries(WIRES.map((wire) => [wire, { protocol: wire, baseUrl: `${origin}/${wire}` }]))
  const target = (provider: Wire, model: string, thinking?: boolean) => ({
    targets: [{ provider, model, ...(thinking === undefined ? {} : { thinking }) }],
  })
  const gateway = await startGateway(t, {
    config: {
      keys: [{ name: 'k', key: KEY }],
      providers,
      models: {
        ...Object.fromEntries(WIRES.map((wire) => [`unknown-${wire}`, target(wire, 'm')])),
        ...Object.fromEntries(WIRES.map((wire) => [`plain-${wire}`, target(wire, 'plain')])),
        ...Object.fromEntries(WIRES.map((wire) => [`on-${wire}`, target(wire, 'm', true)])),
        ...Object.fromEntries(WIRES.map((wire) => [`off-${wire}`, target(wire, 'qwen3:8b', false)])),
        ...Object.fromEntries(WIRES.map((wire) => [`wrong-${wire}`, target(wire, 'plain', true)])),
      },
    },
  })
  return { gateway, bodies }
}

/** What of a request asks a model to think, whatever the wire. */
function thinkingOf(body: Record<string, unknown> | undefined): unknown {
  const config = body?.generationConfig as { thinkingConfig?: unknown } | undefined
  return body?.think ?? body?.reasoning_effort ?? body?.reasoning ?? body?.thinking ?? config?.thinkingConfig ?? null
}

const TURN = [{ role: 'user' as const, content: 'Hi' }]
const OTHERS = WIRES.filter((wire) => wire !== 'anthropic-messages')

test('an adaptive wish is sent where a model is known to think, by its name or by configuration, and nowhere else', async (t) => {
  const { gateway, bodies } = await start(t)
  const client = new Anthropic({ apiKey: KEY, baseURL: gateway.origin, maxRetries: 0 })
  const ask = async (model: string) => {
    const body = {
      model,
      max_tokens: 8000,
      messages: TURN,
      thinking: { type: 'adaptive' },
      output_config: { effort: 'high' },
    }
    const { data, response } = await client.messages.create(body as never).withResponse()
    t.equal((data as Anthropic.Message).content.length, 1, model)
    return response.headers
  }
  for (const wire of OTHERS) {
    for (const model of [`unknown-${wire}`, `plain-${wire}`, `off-${wire}`]) {
      const headers = await ask(model)
      t.equal(thinkingOf(bodies.at(-1)), null, model)
      t.match(headers.get('x-sluice-dropped'), /reasoning/, model)
      t.equal(headers.get('x-sluice-attempts'), '1', model)
    }
    const headers = await ask(`on-${wire}`)
    t.ok(thinkingOf(bodies.at(-1)), `on-${wire}`)
    t.notMatch(headers.get('x-sluice-dropped') ?? '', /reasoning/)
  }
  for (const model of [
    'openai-chat/gpt-5',
    'openai-chat/openai/o3',
    'ollama-chat/qwen3:8b',
    'google-gemini/gemini-2.5-pro',
  ]) {
    await ask(model)
    t.ok(thinkingOf(bodies.at(-1)), model)
  }
  for (const model of ['openai-chat/gpt-4o', 'ollama-chat/llama3.2', 'google-gemini/gemini-2.0-flash']) {
    await ask(model)
    t.equal(thinkingOf(bodies.at(-1)), null, model)
  }
})

test('an order to think is sent unless the model is known not to; a refusal is tried once without, and remembered', async (t) => {
  const { gateway, bodies } = await start(t)
  const client = new OpenAI({ apiKey: KEY, baseURL: `${gateway.origin}/v1`, maxRetries: 0 })
  const ask = async (model: string) => {
    const before = bodies.length
    const body = { model, messages: TURN, reasoning_effort: 'low' as const }
    const { response } = await client.chat.completions.create(body).withResponse()
    return { headers: response.headers, calls: bodies.slice(before).map(thinkingOf) }
  }
  for (const wire of WIRES) {
    const known = await ask(`off-${wire}`)
    t.same(known.calls, [null], `off-${wire}`)
    t.match(known.headers.get('x-sluice-dropped'), /reasoning/)
    const unknown = await ask(`unknown-${wire}`)
    t.equal(unknown.calls.length, 1)
    t.ok(unknown.calls[0], `unknown-${wire}`)
    const first = await ask(`plain-${wire}`)
    t.equal(first.calls.length, 2, `plain-${wire}: with and without`)
    t.ok(first.calls[0])
    t.equal(first.calls[1], null)
    t.match(first.headers.get('x-sluice-dropped'), /reasoning/)
    t.equal(first.headers.get('x-sluice-attempts'), '2')
    const second = await ask(`plain-${wire}`)
    t.same(second.calls, [null], `plain-${wire}: remembered`)
  }
})

test('what is refused for another reason is not tried again', async (t) => {
  const { gateway, bodies } = await start(t)
  const response = await fetch(`${gateway.origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}` },
    body: JSON.stringify({ model: 'wrong-openai-chat', messages: TURN, reasoning_effort: 'low', think: true }),
  })
  // Without the effort the server still refuses, for a field that is the client's own.
  t.equal(response.status, 400)
  t.equal(bodies.length, 2)
  await response.text()
})
