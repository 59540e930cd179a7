// Routing over real sockets: what clients see while their providers die, ask for a pause, or come back.
import { type Test, test } from 'tap'
import { request } from 'undici'
import { type Running, startGateway, startSimulator } from '../helpers/gateway.js'
import { parsePage, sampleValue } from '../helpers/prometheus.js'
import {
  answer,
  chunk,
  LAST_CHUNK,
  type Script,
  ScriptedUpstream,
  streamHead,
  whole,
} from '../helpers/scripted-upstream.js'

const ANSWER = JSON.stringify({
  id: 'c1',
  object: 'chat.completion',
  created: 1,
  model: 'm',
  choices: [{ index: 0, message: { role: 'assistant', content: 'Well' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 3, completion_tokens: 1, total_tokens: 4 },
})
const WELL: Script = answer(whole(200, ANSWER, ['content-type: application/json']))
const DEAD: Script = answer({ end: 'rst' })

async function listen(t: Test, ...scripts: Script[]): Promise<ScriptedUpstream> {
  const upstream = await ScriptedUpstream.listen(...scripts)
  t.teardown(() => upstream.close())
  return upstream
}

function provider(upstream: ScriptedUpstream): object {
  return { protocol: 'openai-chat', baseUrl: `${upstream.origin}/v1` }
}

type AskOptions = { readonly headers?: Readonly<Record<string, string>>; readonly stream?: boolean }

async function ask(gateway: Running, model: string, { headers = {}, stream = false }: AskOptions = {}) {
  const messages = [{ role: 'user', content: 'Hi' }]
  const answered = await request(`${gateway.origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ model, messages, stream }),
  })
  const text = await answered.body.text()
  return { status: answered.statusCode, headers: answered.headers, text }
}

async function health(gateway: Running): Promise<Record<string, string>> {
  const { body } = await request(`${gateway.origin}/v1/health`)
  const { providers } = (await body.json()) as { providers: { name: string; breaker: string }[] }
  return Object.fromEntries(providers.map(({ name, breaker }) => [name, breaker]))
}

/** Asks until the condition holds; a failed ask is the test's own business. */
async function until(isTrue: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 1000; i++) {
    if (await isTrue()) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error('not reached in time')
}

test('a breaker opens, keeps requests away, and closes when the provider is well again', async (t) => {
  const ill = await listen(t, DEAD, DEAD, DEAD, WELL)
  const gateway = await startGateway(t, {
    config: {
      routing: { retries: { max: 0 }, breaker: { consecutiveFailures: 3, openMs: 3000 } },
      providers: { ill: provider(ill) },
      models: { only: 'ill/m' },
    },
  })
  t.same(await health(gateway), { ill: 'closed' })
  for (let i = 0; i < 3; i++) t.equal((await ask(gateway, 'only')).status, 502)
  t.same(await health(gateway), { ill: 'open' })
  const asked = ill.requests.length
  const shut = await ask(gateway, 'only')
  t.equal(shut.status, 503)
  t.match(shut.headers['retry-after'], /^[1-3]$/)
  t.equal(ill.requests.length, asked, 'nobody was asked')
  t.notOk(shut.text.includes(ill.origin))
  await until(async () => (await health(gateway)).ill === 'half-open')
  t.equal((await ask(gateway, 'only')).status, 200)
  t.same(await health(gateway), { ill: 'closed' })
  const { body } = await request(`${gateway.origin}/metrics`)
  const { samples } = parsePage(await body.text())
  t.equal(sampleValue(samples, 'sluice_breaker_state', { provider: 'ill' }), 0)
})

test('a provider that asks for a pause gets exactly that, and its requests go to another', async (t) => {
  const busy = await listen(t, answer(whole(429, '{"error":{"message":"slow down"}}', ['retry-after: 1'])), WELL)
  const spare = await listen(t, WELL)
  const gateway = await startGateway(t, {
    config: {
      routing: { retries: { maxWaitMs: 0 } },
      providers: { busy: provider(busy), spare: provider(spare) },
      models: { main: { targets: ['busy/m'], fallbacks: ['second'] }, second: 'spare/m' },
    },
  })
  const askedAtMs = performance.now()
  t.equal((await ask(gateway, 'main')).headers['x-sluice-target'], 'spare/m')
  const target = async () => String((await ask(gateway, 'main')).headers['x-sluice-target'])
  t.equal(await target(), 'spare/m')
  await until(async () => (await target()) === 'busy/m')
  t.ok(performance.now() - askedAtMs >= 1000, 'not before the second is over')
  t.equal(busy.requests.length, 2)
})

test('a provider that is killed under load: no client sees it while another is healthy', async (t) => {
  const simulators = await Promise.all([1, 2].map(() => startSimulator(t, ['--tokens-per-second', '500'])))
  const providers = Object.fromEntries(
    simulators.map(({ origin }, i) => [`p${i}`, { protocol: 'openai-chat', baseUrl: `${origin}/v1` }]),
  )
  const targets = ['p0/lorem-5', 'p1/lorem-5']
  const gateway = await startGateway(t, { config: { providers, models: { both: { targets } } } })
  const statuses = new Map<string, number>()
  let asked = 0
  const client = async (): Promise<void> => {
    while (asked < 400) {
      asked += 1
      // What the dead one has begun to answer is cut for good; here nothing is sent before the whole answer is there.
      const { status, headers } = await ask(gateway, 'both')
      const word = `${status} ${String(headers['x-sluice-target'])}`
      statuses.set(word, (statuses.get(word) ?? 0) + 1)
      if (asked === 100) await simulators[0]?.stop('SIGKILL')
    }
  }
  await Promise.all(Array.from({ length: 10 }, client))
  t.same([...statuses.keys()].sort(), ['200 p0/lorem-5', '200 p1/lorem-5'])
  t.ok((statuses.get('200 p0/lorem-5') ?? 0) > 10, 'it served until then')
  const dead = await health(gateway)
  t.equal(dead.p1, 'closed')
  t.not(dead.p0, 'closed')
})

test('a wrong key with one provider does not stop a model that has another; a wrong request is asked once', async (t) => {
  const closed = await listen(t, answer(whole(401, '{"error":{"message":"bad key"}}')))
  const strict = await listen(t, answer(whole(400, '{"error":{"message":"bad field"}}')))
  const spare = await listen(t, WELL)
  const gateway = await startGateway(t, {
    config: {
      providers: { closed: provider(closed), strict: provider(strict), spare: provider(spare) },
      models: {
        spared: { targets: ['closed/m'], fallbacks: ['second'] },
        wrong: { targets: ['strict/m'], fallbacks: ['second'] },
        second: 'spare/m',
      },
    },
  })
  const spared = await ask(gateway, 'spared')
  t.equal(spared.status, 200)
  t.equal(spared.headers['x-sluice-attempts'], '2')
  t.equal((await ask(gateway, 'wrong')).status, 400)
  t.equal(spare.requests.length, 1)
})

test('a client may give its request less time; the provider never sees the header', async (t) => {
  const silent = await listen(t, answer({ stall: true }))
  const gateway = await startGateway(t, {
    config: { providers: { silent: provider(silent) }, models: { only: 'silent/m' } },
  })
  const askedAtMs = performance.now()
  const { status, text } = await ask(gateway, 'only', { headers: { 'x-sluice-timeout-ms': '200' } })
  t.equal(status, 504)
  t.match(text, /x-sluice-timeout-ms/)
  t.ok(performance.now() - askedAtMs < 50_000, 'not the minute that the provider would have had')
  t.notMatch(silent.requests[0]?.head ?? '', /sluice-timeout/i)
  t.same(await health(gateway), { silent: 'closed' })
  t.equal((await ask(gateway, 'only', { headers: { 'x-sluice-timeout-ms': 'soon' } })).status, 400)
})

test('a stream whose first token is late is hedged: one answer, and the connection of the loser is closed', async (t) => {
  const event = (delta: object) =>
    chunk(`data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', choices: [{ index: 0, delta }] })}\n\n`)
  const late = await listen(t, answer(streamHead(), event({ role: 'assistant', content: '' }), { stall: true }))
  const end = chunk(
    'data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n',
  )
  const quick = await listen(t, answer(streamHead(), event({ content: 'Well' }), end, LAST_CHUNK))
  const gateway = await startGateway(t, {
    config: {
      providers: { late: provider(late), quick: provider(quick) },
      models: {
        hedged: {
          targets: [
            { provider: 'late', model: 'm', weight: 1 },
            { provider: 'quick', model: 'm', weight: 0 },
          ],
          hedge: { afterMs: 100 },
        },
      },
    },
  })
  const { status, headers, text } = await ask(gateway, 'hedged', { stream: true })
  t.equal(status, 200)
  t.equal(headers['x-sluice-target'], 'quick/m')
  t.match(text, /Well[\s\S]*\[DONE\]/)
  t.notOk(text.includes('"role"'), 'nothing of the other')
  await late.until(({ closed }) => closed > 0)
  t.same([late.requests.length, quick.requests.length], [1, 1])
  t.match(await gateway.exchange(String(headers['x-request-id'])), {
    outcome: 'complete',
    target: 'quick/m',
    attempts: 2,
  })
})

test('a whole answer cut off by the end of its connection is never passed off as complete', async (t) => {
  const body = ANSWER.slice(0, ANSWER.indexOf('}') + 1)
  t.ok(body.startsWith('{') && body.endsWith('}'), 'from brace to brace')
  const head = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n'
  const cut = await listen(t, answer({ send: `${head}${body}` }, { end: 'fin' }))
  const gateway = await startGateway(t, {
    config: { routing: { retries: { max: 0 } }, providers: { cut: provider(cut) }, models: { only: 'cut/m' } },
  })
  const { status, headers } = await ask(gateway, 'only')
  t.equal(status, 502)
  t.match(await gateway.exchange(String(headers['x-request-id'])), { outcome: 'upstream_cut' })
})
