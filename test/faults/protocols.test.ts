// An upstream of each protocol that dies, by the simulator: the right status before the first byte, an error frame after it,
// never the end marker. What an upstream can do wrong below the protocols is in upstream.test.ts.

import { t as tap, test } from 'tap'
import { request } from 'undici'
import { type Running, simulatedProviders, startGateway, startSimulator } from '../helpers/gateway.js'

type Surface = {
  readonly name: string
  readonly path: string
  readonly prompt: object
  readonly endMarker: string
  readonly errorFrame: RegExp
}

const CHAT = { max_tokens: 50, messages: [{ role: 'user', content: 'Hi' }] }

const SURFACES: readonly Surface[] = [
  {
    name: 'OpenAI',
    path: '/v1/chat/completions',
    prompt: CHAT,
    endMarker: '[DONE]',
    errorFrame: /data: \{"error":\{/,
  },
  {
    name: 'OpenAI responses',
    path: '/v1/responses',
    prompt: { max_output_tokens: 50, input: 'Hi' },
    endMarker: 'response.completed',
    errorFrame: /event: error\ndata: \{"type":"error",.*"error":\{.*\n\nevent: response.failed\ndata: .*\n\n$/,
  },
  {
    name: 'Anthropic',
    path: '/v1/messages',
    prompt: CHAT,
    endMarker: 'message_stop',
    errorFrame: /event: error\ndata: \{"type":"error"/,
  },
]
/** Each fault is met by itself: nothing is tried again, nobody is kept away. */
const ONE_TRY = { retries: { max: 0 }, breaker: { enabled: false } }
const PROVIDERS = ['openai', 'responses', 'anthropic', 'google', 'ollama']

const simulator = await startSimulator(tap, ['--tokens-per-second', '300'])
const gateway = await startGateway(tap, {
  config: { routing: ONE_TRY, providers: simulatedProviders(simulator.origin) },
})

async function ask(gateway: Running, surface: Surface, model: string, stream: boolean) {
  const body = JSON.stringify({ model, stream, ...surface.prompt })
  const answer = await request(gateway.origin + surface.path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  })
  const text = await answer.body.text()
  const line = await gateway.exchange(String(answer.headers['x-request-id']))
  return { status: answer.statusCode, text, line, headers: answer.headers }
}

test('an upstream that dies before its first content gives a status, streamed or not', async (t) => {
  for (const surface of SURFACES) {
    for (const provider of PROVIDERS) {
      for (const fault of ['cut-after-accept', 'cut-after-head']) {
        for (const stream of [true, false]) {
          const { status, text, line } = await ask(gateway, surface, `${provider}/lorem-max+fault=${fault}`, stream)
          const name = `${surface.name} on ${provider}, ${fault}, stream ${stream}`
          t.equal(status, 502, name)
          t.type(JSON.parse(text), 'object', `${name}: the error is JSON`)
          t.match(line.outcome, /^(rejected|upstream_cut)$/, name)
        }
      }
    }
  }
})

test('an upstream that dies in mid-stream gives an error frame and no end marker, outcome upstream_cut, usage partial or estimated', async (t) => {
  for (const surface of SURFACES) {
    for (const provider of PROVIDERS) {
      for (const fault of ['cut-mid-frame', 'cut-between-frames', 'cut-before-end']) {
        const { status, text, line } = await ask(gateway, surface, `${provider}/lorem-max+fault=${fault}`, true)
        const name = `${surface.name} on ${provider}, ${fault}`
        t.equal(status, 200, name)
        t.match(text, surface.errorFrame, name)
        t.notMatch(text, 'invalid_request', `${name}: not called the client's fault, which it would not try again`)
        t.notOk(text.includes(surface.endMarker), `${name}: no end marker`)
        t.equal(line.outcome, 'upstream_cut', name)
        t.match(line.usageSource, /^(partial|estimated)$/, name)
      }
    }
  }
})

test('a refusal of the upstream keeps its status and its Retry-After, in the envelope of the client', async (t) => {
  for (const surface of SURFACES) {
    for (const provider of PROVIDERS) {
      const limited = await ask(gateway, surface, `${provider}/lorem-max+fault=status,429,7`, true)
      t.equal(limited.status, 429, `${surface.name} on ${provider}`)
      t.equal(limited.headers['retry-after'], '7', 'Retry-After is passed on')
      const broken = await ask(gateway, surface, `${provider}/lorem-max+fault=status,500`, true)
      t.ok(broken.status >= 500, `${surface.name} on ${provider}: ${broken.status}`)
      t.equal(broken.line.outcome, 'rejected')
    }
  }
})

test('a stalled upstream is timed out: 504 before content, in-band after it', async (t) => {
  const providers = Object.fromEntries(
    Object.entries(simulatedProviders(simulator.origin)).flatMap(([name, provider]) => [
      [name, { ...provider, timeouts: { firstTokenMs: 400 } }],
      // One that begins: a busy machine has all the time for its first token.
      [`${name}-late`, { ...provider, timeouts: { betweenTokensMs: 400 } }],
    ]),
  )
  const gateway = await startGateway(t, { config: { providers } })
  for (const surface of SURFACES) {
    for (const provider of PROVIDERS) {
      const early = await ask(gateway, surface, `${provider}/lorem-max+fault=stall-head`, true)
      t.equal(early.status, 504, `${surface.name} on ${provider}`)
      const late = await ask(gateway, surface, `${provider}-late/lorem-max+fault=stall,2`, true)
      t.equal(late.status, 200)
      t.match(late.text, surface.errorFrame)
      t.notOk(late.text.includes(surface.endMarker))
      t.equal(late.line.outcome, 'stalled')
    }
  }
})

test('targets are tried in turn until one answers, before the first byte only', async (t) => {
  const gateway = await startGateway(t, {
    config: {
      routing: ONE_TRY,
      providers: {
        ...simulatedProviders(simulator.origin),
        dead: { protocol: 'openai-chat', baseUrl: 'http://127.0.0.1:9/v1' },
      },
      models: {
        shaky: { targets: [{ provider: 'dead', model: 'x' }], fallbacks: ['sound'] },
        sound: { targets: [{ provider: 'anthropic', model: 'echo' }] },
      },
    },
  })
  const openai = SURFACES[0]
  if (openai === undefined) return
  const { status, headers, line } = await ask(gateway, openai, 'shaky', true)
  t.equal(status, 200)
  t.equal(headers['x-sluice-target'], 'anthropic/echo')
  t.equal(headers['x-sluice-attempts'], '2')
  t.equal(line.attempts, 2)
})
