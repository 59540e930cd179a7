// What is on record of chats over Google's and Ollama's APIs: the log line, the metrics and the limits are those of every other surface.
import { t as tap, test } from 'tap'
import { simulatedProviders, startGateway, startSimulator } from '../helpers/gateway.js'
import { parsePage, type Sample } from '../helpers/prometheus.js'

const KEY = 'test-key-0123456789abcdef'
const PROVIDERS = ['google', 'ollama', 'openai'] as const
const TEXT = 'Tell me of the sea, of the ships and of the wind.'

/** One way of asking. `cap`: the most tokens that the answer may have; absent for no limit of the client's. */
type Way = {
  readonly surface: string
  readonly transport: string
  path(model: string): string
  body(model: string, cap?: number): object
}

const generation = (cap?: number) => (cap === undefined ? {} : { generationConfig: { maxOutputTokens: cap } })
const google = (method: string) => ({
  path: (model: string) => `/v1beta/models/${model}:${method}`,
  body: (_model: string, cap?: number) => ({ contents: [{ parts: [{ text: TEXT }] }], ...generation(cap) }),
})
const ollama = (path: string, asked: object) => ({
  path: () => path,
  body: (model: string, cap?: number) => ({
    ...{ model, ...asked },
    ...(cap === undefined ? {} : { options: { num_predict: cap } }),
  }),
})
const chat = { messages: [{ role: 'user', content: TEXT }] }

const WAYS: readonly Way[] = [
  { surface: 'google-gemini', transport: 'json', ...google('generateContent') },
  { surface: 'google-gemini', transport: 'sse', ...google('streamGenerateContent?alt=sse') },
  { surface: 'google-gemini-array', transport: 'json', ...google('streamGenerateContent') },
  { surface: 'ollama-chat', transport: 'ndjson', ...ollama('/ollama/api/chat', chat) },
  { surface: 'ollama-chat', transport: 'json', ...ollama('/ollama/api/chat', { ...chat, stream: false }) },
  { surface: 'ollama-chat-generate', transport: 'ndjson', ...ollama('/ollama/api/generate', { prompt: TEXT }) },
  {
    ...{ surface: 'ollama-chat-generate', transport: 'json' },
    ...ollama('/ollama/api/generate', { prompt: TEXT, stream: false }),
  },
]

const simulator = await startSimulator(tap)
const gateway = await startGateway(tap, {
  config: {
    keys: [
      { name: 'free', key: KEY },
      ...WAYS.flatMap((_, i) => [
        { name: `few-${i}`, key: `${KEY}-few-${i}`, limits: { requestsPerMinute: 2 } },
        { name: `short-${i}`, key: `${KEY}-short-${i}`, limits: { tokensPerMinute: 1000 } },
      ]),
    ],
    providers: simulatedProviders(simulator.origin),
    models: Object.fromEntries(PROVIDERS.map((provider) => [`${provider}-echo`, `${provider}/echo`])),
  },
})

async function ask({ path, body }: Way, { model, key = KEY, cap }: { model: string; key?: string; cap?: number }) {
  const answer = await fetch(gateway.origin + path(model), {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: JSON.stringify(body(model, cap)),
  })
  return { status: answer.status, headers: answer.headers, text: await answer.text() }
}

async function scrape(): Promise<readonly Sample[]> {
  const page = await fetch(`${gateway.origin}/metrics`, { headers: { authorization: `Bearer ${KEY}` } })
  return parsePage(await page.text()).samples
}

/** The sum over all samples of that name that have these labels. */
function sumOf(samples: readonly Sample[], name: string, labels: Readonly<Record<string, string>>): number {
  const fits = (sample: Sample) => Object.entries(labels).every(([label, value]) => sample.labels[label] === value)
  return samples.filter((each) => each.name === name && fits(each)).reduce((sum, { value }) => sum + value, 0)
}

test('each has its line in the log, with the model of its path, its tokens and why it ended', async (t) => {
  for (const way of WAYS) {
    for (const provider of PROVIDERS) {
      for (const [cap, finish] of [
        [undefined, 'stop'],
        [2, 'length'],
      ] as const) {
        const model = `${provider}-echo`
        const { status, headers, text } = await ask(way, { model, ...(cap === undefined ? {} : { cap }) })
        const name = `${way.surface} ${way.transport} of ${provider}, ${finish}`
        t.equal(status, 200, `${name}: ${text.slice(0, 200)}`)
        const line = await gateway.exchange(headers.get('x-request-id') ?? '')
        t.match(
          line,
          {
            ...{ surface: way.surface, transport: way.transport, key: 'free', model, target: `${provider}/echo` },
            ...{ outcome: 'complete', status: 200, finish, usageSource: 'provider' },
            ...{ method: 'POST', path: way.path(model).replace(/\?.*/, '') },
          },
          name,
        )
        const { in: input, out } = line.tokens as { in: number; out: number }
        t.ok(input > 5 && out > 0 && (cap === undefined || out <= cap), `${name}: ${input} and ${out}`)
        t.ok(Number(line.ttftMs) > 0 && Number(line.ttftMs) <= Number(line.totalMs), name)
      }
    }
  }
})

test('each is counted under its surface, transport and model, and nothing stays open', async (t) => {
  for (const way of WAYS) {
    const { surface, transport } = way
    const wanted = { surface, outcome: 'complete', status: '200', model: 'google-echo' }
    const before = await scrape()
    await ask(way, { model: 'google-echo' })
    await gateway.metricsWith([/sluice_requests_total/], { authorization: `Bearer ${KEY}` })
    const after = await scrape()
    const grew = (name: string, labels: Readonly<Record<string, string>>) =>
      sumOf(after, name, labels) - sumOf(before, name, labels)
    t.equal(grew('sluice_requests_total', wanted), 1, `${surface} ${transport}`)
    t.ok(grew('sluice_tokens_total', { model: 'google-echo' }) > 5, `${surface} ${transport} tokens`)
    t.equal(sumOf(after, 'sluice_active_streams', {}), 0)
    t.equal(sumOf(after, 'sluice_active_requests', {}), 0)
  }
  // What no configuration names has no series of its own, wherever a client names it.
  for (const way of WAYS) {
    await ask(way, { model: 'google/unheard-of-model' })
    await ask(way, { model: 'unheard-of' })
  }
  t.notMatch(JSON.stringify(await scrape()), /unheard-of/)
})

test('limits hold, and are told in the form of each API', async (t) => {
  for (const [i, way] of WAYS.entries()) {
    const few = { model: 'google-echo', key: `${KEY}-few-${i}` }
    const first = await ask(way, few)
    t.same([first.status, first.headers.get('x-ratelimit-limit-requests')], [200, '2'], way.surface)
    t.equal((await ask(way, few)).status, 200)
    // A cap within the body counts as what may be used: more than there is.
    const tooLong = await ask(way, { model: 'google-echo', key: `${KEY}-short-${i}`, cap: 5000 })
    const tooMany = await ask(way, few)
    if (way.surface.startsWith('google')) t.match(tooMany.text, /"retryDelay":"\d+s"/)
    for (const refused of [tooMany, tooLong]) {
      t.equal(refused.status, 429, way.surface)
      t.match(refused.headers.get('retry-after'), /^\d+$/)
      const { error } = JSON.parse(refused.text.replace(/^\[|\]$/g, ''))
      if (way.surface.startsWith('ollama')) t.match(error, /limit/i)
      else t.match(error, { code: 429, status: 'RESOURCE_EXHAUSTED', message: /limit/ })
      const line = await gateway.exchange(refused.headers.get('x-request-id') ?? '')
      t.match(line, { surface: way.surface, status: 429, outcome: 'limit', error: { code: 'rate_limited' } })
    }
  }
})
