// Budgets of a started gateway with its account database: every way of asking is paid from them, and one that is used up ends its stream as the
// client's API ends it, and refuses what follows.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import { type Test, test } from 'tap'
import WebSocket from 'ws'
import { type JsonObject } from '../../src/model/json.js'
import { type Running, simulatedProviders, startGateway, startSimulator } from '../helpers/gateway.js'
import { JobClient } from '../helpers/job-client.js'
import { scriptedSse } from '../helpers/scripted-sse.js'

const ADMIN = 'CANARY-admin-0123456789'
const PATIENCE_MS = 60_000
const CHAT = '/v1/chat/completions'
const MESSAGES = [{ role: 'user', content: 'Hello there' }]

type Budget = { readonly spent: number; readonly reserved: number; readonly left: number }

class Ground {
  readonly gateway: Running
  readonly #admin: string

  constructor(gateway: Running, admin: string) {
    this.gateway = gateway
    this.#admin = admin
  }

  async ask(method: string, path: string, body?: object): Promise<JsonObject> {
    const headers = { authorization: `Bearer ${ADMIN}`, 'content-type': 'application/json' }
    const sent = body === undefined ? { method, headers } : { method, headers, body: JSON.stringify(body) }
    const answer = await fetch(`${this.#admin}/admin/v1${path}`, sent)
    return (await answer.json()) as JsonObject
  }

  /** A key with one budget, and its secret. */
  async createKey(name: string, budget: object): Promise<string> {
    const created = await this.ask('POST', '/keys', { name, budgets: [{ ...budget, per: 'month' }] })
    if (typeof created.secret !== 'string') throw new Error(JSON.stringify(created))
    return created.secret
  }

  async budget(name: string): Promise<Budget> {
    return (await this.ask('GET', `/budgets/${name}`)) as unknown as Budget
  }

  /** The budget once nothing of it is reserved and more than `spent` is spent. */
  async settled(name: string, spent: number): Promise<Budget> {
    const deadlineMs = performance.now() + PATIENCE_MS
    for (;;) {
      const budget = await this.budget(name)
      if (budget.reserved === 0 && budget.spent > spent) return budget
      if (performance.now() > deadlineMs) throw new Error(`never: ${JSON.stringify(budget)}`)
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  post(path: string, key: string, body: object): Promise<Response> {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
    return fetch(this.gateway.origin + path, { method: 'POST', headers, body: JSON.stringify(body) })
  }

  /** All messages of one chat or turn on a socket, to the last one. */
  async converse(path: string, key: string, first: object, isLast: (message: JsonObject) => boolean) {
    const socket = new WebSocket(this.gateway.origin.replace('http', 'ws') + path, {
      headers: { authorization: `Bearer ${key}` },
    })
    await once(socket, 'open')
    const last = new Promise<JsonObject>((resolve) => {
      socket.on('message', (data: Buffer) => {
        const message = JSON.parse(data.toString()) as JsonObject
        if (isLast(message)) resolve(message)
      })
    })
    socket.send(JSON.stringify(first))
    const message = await last
    socket.close()
    return message
  }
}

async function start(t: Test, providers: object): Promise<Ground> {
  const config = {
    server: { threads: 2 },
    admin: { port: 0 },
    accounts: { store: 'sqlite', path: 'accounts.db' },
    prices: { enabled: true, models: { '*/*': { input: 1, output: 2 } } },
    jobs: { path: 'jobs.db' },
    providers,
  }
  const gateway = await startGateway(t, { config, env: { ADMIN_KEY: ADMIN } })
  const admin = String((await gateway.logLine(({ msg }) => msg === 'listening')).admin)
  return new Ground(gateway, admin)
}

test('whatever is asked in whatever way is paid from the key’s budget', async (t) => {
  const simulator = await startSimulator(t)
  const ground = await start(t, simulatedProviders(simulator.origin))
  const key = await ground.createKey('app', { usd: 5 })
  const jobs = new JobClient(ground.gateway, key)
  const request = { model: 'openai/echo', messages: MESSAGES, max_tokens: 50 }
  const isEnd = ({ type }: JsonObject) => type === 'done' || type === 'error'
  const ways: Readonly<Record<string, () => Promise<unknown>>> = {
    'a stream': async () => (await ground.post(CHAT, key, { ...request, stream: true })).text(),
    'a whole answer': async () => (await ground.post(CHAT, key, request)).text(),
    'another API': async () => (await ground.post('/v1/messages', key, { ...request, model: 'google/echo' })).text(),
    embeddings: async () => (await ground.post('/v1/embeddings', key, { model: 'openai/e', input: 'Hi' })).text(),
    'a chat on a socket': () => ground.converse('/v1/ws', key, { type: 'chat', id: 'a', request }, isEnd),
    'a turn of Responses on a socket': () =>
      ground.converse(
        '/v1/responses',
        key,
        { type: 'response.create', model: 'openai/echo', input: 'Hello there' },
        ({ type }) => type === 'response.completed' || type === 'error',
      ),
    'a job': async () => jobs.until(await jobs.submit(request)),
  }
  let spent = 0
  for (const [name, ask] of Object.entries(ways)) {
    const got = await ask()
    const budget = await ground.settled('key:app:month', spent)
    t.ok(budget.spent > spent && budget.spent < spent + 0.001, `${name}: ${JSON.stringify(got).slice(0, 200)}`)
    if (name === 'a job') {
      const listed = (await jobs.list()).body.data as { readonly cost?: number }[]
      for (const { cost } of [got as { readonly cost?: number }, ...listed]) {
        t.equal(Math.round(Number(cost) * 1e9), Math.round((budget.spent - spent) * 1e9), 'a job says what it has cost')
      }
    }
    spent = budget.spent
  }
})

test('a stream ends where its budget ends, and what follows is refused', async (t) => {
  const upstream = await scriptedSse(t)
  const ground = await start(t, { up: { protocol: 'openai-chat', baseUrl: `${upstream.origin}/v1`, apiKey: 'sk-up' } })
  const key = await ground.createKey('small', { tokens: 400 })
  const body = { model: 'up/m', messages: MESSAGES, stream: true, stream_options: { include_usage: true } }
  const asking = ground.post(CHAT, key, body)
  const call = await upstream.next()
  t.ok(
    Number(call.body.max_tokens ?? call.body.max_completion_tokens) < 400,
    'the provider is asked for no more than is left',
  )
  // A provider that does not keep to it.
  const delta = { content: 'x'.repeat(400) }
  const chunk = {
    id: 'c',
    object: 'chat.completion.chunk',
    created: 1,
    model: 'm',
    choices: [{ index: 0, delta, finish_reason: null }],
  }
  for (let i = 0; i < 4; i++) call.write(`data: ${JSON.stringify(chunk)}\n\n`)
  const text = await (await asking).text()
  await call.closed
  t.match(text, /"finish_reason":"length"/)
  t.match(text, /"completion_tokens":\d+/)
  t.match(text, /data: \[DONE\]\n\n$/)
  t.equal((await ground.gateway.logLine(({ outcome }) => outcome === 'limit')).status, 200)
  await ground.settled('key:small:month:tokens', 399)
  const refused = await ground.post(CHAT, key, body)
  t.equal(refused.status, 429)
  t.equal(refused.headers.get('x-should-retry'), 'false')
  t.match(await refused.json(), {
    error: { type: 'insufficient_quota', message: /key:small:month:tokens .* It resets at / },
  })
})

/** A provider whose model writes at most so much, and that rejects every request for more. */
async function smallProvider(t: Test, most: number) {
  const caps: (number | null)[] = []
  const server = createServer(async (req, res) => {
    const chunks: Buffer[] = []
    for await (const chunk of req) chunks.push(chunk as Buffer)
    const asked = JSON.parse(Buffer.concat(chunks).toString()) as {
      max_tokens?: number
      max_completion_tokens?: number
    }
    const cap = asked.max_completion_tokens ?? asked.max_tokens ?? null
    caps.push(cap)
    const isRejected = cap !== null && cap > most
    const message = `max_tokens is too large: ${cap}. This model supports at most ${most} completion tokens.`
    const choice = { index: 0, message: { role: 'assistant', content: 'Hi' }, finish_reason: 'stop' }
    const usage = { prompt_tokens: 10, completion_tokens: 1000, total_tokens: 1010 }
    const answer = { id: 'c', object: 'chat.completion', model: 'm', choices: [choice], usage }
    res.writeHead(isRejected ? 400 : 200, { 'content-type': 'application/json' })
    res.end(
      JSON.stringify(isRejected ? { error: { message, type: 'invalid_request_error', param: 'max_tokens' } } : answer),
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => void server.close())
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
  return { caps, providers: { small: { protocol: 'openai-chat', baseUrl, apiKey: 'of-the-upstream' } } }
}

test('a key with a budget can use a model that writes less than what is reserved, and never more than is left', async (t) => {
  const { caps, providers } = await smallProvider(t, 4096)
  const ground = await start(t, providers)
  const key = await ground.createKey('app', { usd: 0.02 })
  const answers = await Promise.all(
    Array.from({ length: 30 }, () => ground.post(CHAT, key, { model: 'small/m', messages: MESSAGES })),
  )
  const statuses = answers.map(({ status }) => status)
  t.ok(statuses.includes(200), statuses.join(' '))
  t.notOk(
    statuses.some((status) => status !== 200 && status !== 429),
    statuses.join(' '),
  )
  for (const answer of answers) await answer.text()
  const { spent } = await ground.settled('key:app:month', 0)
  t.ok(spent <= 0.02, String(spent))
  caps.length = 0
  const open = await ground.createKey('other', { usd: 5 })
  t.equal((await ground.post(CHAT, open, { model: 'small/m', messages: MESSAGES })).status, 200)
  t.ok(caps.at(-1) === 4096, `${caps}`)
})

test('answers of the built-in simulator have example costs, or what the operator says', async (t) => {
  for (const [models, cost] of [
    [{}, /^0\.0000\d+$/],
    [{ 'sim/*': { input: 0, output: 0 } }, /^0$/],
  ] as const) {
    const gateway = await startGateway(t, { config: { providers: { sim: {} }, prices: { enabled: true, models } } })
    const body = JSON.stringify({ model: 'sim/echo', messages: MESSAGES })
    const answer = await fetch(gateway.origin + CHAT, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    })
    t.equal(answer.status, 200)
    t.match(answer.headers.get('x-sluice-cost'), cost)
    await answer.text()
  }
})
