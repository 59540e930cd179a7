// Two gateways, and a budget that each end user has over both of them, in PostgreSQL and Redis: a few users ask at once wherever they like,
// and a gateway is killed while it waits for the provider. No user spends more than its own, each can spend nearly all of it, and what is
// spent is what the provider has served.
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tap, { type Test, test } from 'tap'
import { digestOfUser } from '../../src/accounts/budgets/user-slots.js'
import { type Running, startGateway } from '../helpers/gateway.js'
import { startPostgres } from '../helpers/postgres-server.js'
import { connectRedis, RedisServer } from '../helpers/redis.js'

const PATIENCE_MS = 140_000
tap.setTimeout(PATIENCE_MS)
const ADMIN = 'admin-key-0123456789'
const USERS = ['anna', 'ben', 'cleo', 'dora']
/** Comes when both gateways are there again. */
const LATE = 'emil'
/** At once, of each. */
const AT_ONCE = 8
/** Of one dollar for a million tokens. */
const NANO_PER_TOKEN = 1000
const LIMIT_TOKENS = 2000
const INPUT_TOKENS = 10
const OUTPUT_TOKENS = 25
/** The gateway's estimate of the input, at most, and the cap. */
const MOST_HELD = 60 + OUTPUT_TOKENS
/** So many refusals of a user one after the other, on both gateways: nothing is left. */
const ENOUGH_REFUSALS = 100

/** `tokens`: once they are said. */
type Served = { readonly user: string; tokens: number }

/** Answers whole, and says what that was; holds what it is asked while it is told to. */
async function startProvider(t: Test) {
  const served: Served[] = []
  let held: (() => void)[] | null = null
  const server = createServer(async (req, res) => {
    let text = ''
    for await (const chunk of req) text += String(chunk)
    const { messages, max_tokens: cap } = JSON.parse(text) as { messages: { content: string }[]; max_tokens: number }
    const call: Served = { user: String(messages[0]?.content.split(' ')[0]), tokens: 0 }
    served.push(call)
    if (held !== null) await new Promise<void>((resolve) => held?.push(resolve))
    if (res.destroyed) return
    const usage = { prompt_tokens: INPUT_TOKENS, completion_tokens: Math.min(cap, OUTPUT_TOKENS) }
    call.tokens = usage.prompt_tokens + usage.completion_tokens
    const message = { role: 'assistant', content: 'a word' }
    res.setHeader('content-type', 'application/json')
    res.end(
      JSON.stringify({
        ...{ id: 'c', object: 'chat.completion', created: 1, model: 'm' },
        choices: [{ index: 0, message, finish_reason: 'stop' }],
        usage: { ...usage, total_tokens: call.tokens },
      }),
    )
  })
  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    ...{ origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, served },
    hold() {
      held = []
    },
    get held() {
      return held?.length ?? 0
    },
    release() {
      const waiting = held ?? []
      held = null
      for (const go of waiting) go()
    },
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

async function setUp(t: Test) {
  const [provider, postgres, redis] = await Promise.all([startProvider(t), startPostgres(t), RedisServer.start(t)])
  const url = await postgres.createDatabase()
  const folders = [0, 1].map(() => mkdtempSync(join(tmpdir(), 'sluice-user-node-')))
  t.teardown(() => folders.map((folder) => rmSync(folder, { recursive: true, force: true })))
  const start = async (n: number) => {
    const config = {
      server: { threads: 2 },
      accounts: { store: 'postgres', url, journal: folders[n] },
      redis: { url: redis.url },
      admin: { port: 0 },
      limits: { concurrency: null, shed: { lagMs: null } },
      prices: { enabled: true, models: { 'mock/*': { input: 1, output: 1 } } },
      providers: { mock: { protocol: 'openai-chat', baseUrl: `${provider.origin}/v1`, apiKey: 'of-the-provider' } },
    }
    const gateway = await startGateway(t, { config, env: { ADMIN_KEY: ADMIN } })
    return { gateway, admin: String((await gateway.logLine(({ msg }) => msg === 'listening')).admin) }
  }
  const nodes = [await start(0), await start(1)]
  const ask = async (n: number, method: string, path: string, body?: object) => {
    const headers = { authorization: `Bearer ${ADMIN}`, 'content-type': 'application/json' }
    const sent = body === undefined ? {} : { body: JSON.stringify(body) }
    const answer = await fetch(`${nodes[n]?.admin}/admin/v1${path}`, { method, headers, ...sent })
    return { status: answer.status, json: JSON.parse(await answer.text()) }
  }
  /** What the database has of each, in tokens; by the parts of their digests. */
  const stored = async (): Promise<ReadonlyMap<string, number>> => {
    const rows = await postgres.run(url, 'select budget_id, spent_nano::bigint as spent from sluice.budget_windows')
    return new Map(rows.map((row) => [String(row.budget_id).split('/')[1] ?? '', Number(row.spent) / NANO_PER_TOKEN]))
  }
  return { provider, redis, nodes, start, ask, stored }
}

async function chat({ origin }: Running, key: string, user: string): Promise<number> {
  const answer = await fetch(`${origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', connection: 'close' },
    body: JSON.stringify({
      ...{ model: 'mock/m', user, max_tokens: OUTPUT_TOKENS },
      messages: [{ role: 'user', content: `${user} asks` }],
    }),
  })
  await answer.arrayBuffer()
  return answer.status
}

test('users who race on two gateways, of which one is killed, spend what each of them may, and it is what was served', {
  timeout: PATIENCE_MS,
}, async (t) => {
  const { provider, redis, nodes, start, ask, stored } = await setUp(t)
  const { secret } = (await ask(0, 'POST', '/keys', { name: 'app1', trustUser: true })).json
  const usd = (LIMIT_TOKENS * NANO_PER_TOKEN) / 1e9
  const created = await ask(0, 'POST', '/budgets', { name: 'each', scope: 'user:key:app1', per: 'day', usd })
  t.match(created, { status: 201, json: { spent: 0, reserved: 0, users: 0 } })
  while ((await ask(1, 'GET', '/budgets/each')).status !== 200) await pause(20)

  const servedOf = (user: string): number =>
    provider.served.reduce((sum, call) => sum + (call.user === user ? call.tokens : 0), 0)
  const refusals = new Map<string, number>()
  const other = new Set<number>()
  let [turn, isOver] = [0, false]
  const client = async (user: string): Promise<void> => {
    while (!isOver) {
      turn += 1
      const gateway = nodes[turn % nodes.length]?.gateway
      const status = gateway === undefined ? 0 : await chat(gateway, secret, user).catch(() => 0)
      if (status === 200) refusals.set(user, 0)
      else if (status === 429) refusals.set(user, (refusals.get(user) ?? 0) + 1)
      else if (status !== 0) other.add(status)
      // What a gateway has in advance is given back within 50 ms.
      if (status !== 200) await pause(20)
    }
  }
  const clientsOf = (user: string) => Array.from({ length: AT_ONCE }, () => client(user))
  const clients = USERS.flatMap(clientsOf)
  while (provider.served.length < USERS.length * 20) await pause(5)
  provider.hold()
  while (provider.held < USERS.length * 3) await pause(5)
  const killed = nodes[0]?.gateway
  await killed?.stop('SIGKILL')
  provider.release()
  nodes[0] = await start(0)
  // What the killed one claimed was counted as spent until now.
  refusals.clear()
  clients.push(...clientsOf(LATE))
  const all = [...USERS, LATE]
  const canSpend = (user: string): boolean => (refusals.get(user) ?? 0) < ENOUGH_REFUSALS
  while (all.some(canSpend) && all.every((user) => servedOf(user) <= LIMIT_TOKENS)) await pause(20)
  isOver = true
  await Promise.all(clients)

  const shownOf = async (n: number, query = '') => (await ask(n, 'GET', `/budgets/each${query}`)).json
  for (const n of [0, 1]) while ((await shownOf(n)).reserved !== 0) await pause(20)
  const tokens = (spent: number): number => Math.round((spent * 1e9) / NANO_PER_TOKEN)
  let sum = 0
  for (const user of all) {
    const { spent } = await shownOf(0, `?user=${user}`)
    while ((await stored()).get(digestOfUser(user)) !== tokens(spent)) await pause(20)
    t.same(await shownOf(1, `?user=${user}`), await shownOf(0, `?user=${user}`), 'the same on both')
    const served = servedOf(user)
    t.comment(JSON.stringify({ user, spent: tokens(spent), served }))
    t.ok(tokens(spent) <= LIMIT_TOKENS, `${user}: ${tokens(spent)} of ${LIMIT_TOKENS}`)
    t.ok(tokens(spent) > LIMIT_TOKENS - MOST_HELD, 'and nearly all of it')
    if (user === LATE) t.equal(tokens(spent), served, 'what was served')
    // What the killed one held is charged, whether it had reached the provider or not.
    else t.ok(tokens(spent) >= served && tokens(spent) <= served + AT_ONCE * MOST_HELD, 'with what the killed one held')
    sum += tokens(spent)
  }
  const servedToAll = all.reduce((tokensSoFar, user) => tokensSoFar + servedOf(user), 0)
  t.ok(sum > servedToAll, 'something was under way at the kill')
  t.same([...other], [], 'nothing else was answered')
  for (const n of [0, 1]) {
    t.match(await shownOf(n), { users: all.length, reserved: 0 })
    t.equal(tokens((await shownOf(n)).spent), sum, 'all of them together')
  }
  const redisClient = connectRedis(redis.url)
  t.teardown(() => redisClient.disconnect())
  const keys = await redisClient.keys('*')
  t.equal(keys.filter((key) => /\/[^:]+:\d+$/.test(key)).length, all.length)
  for (const user of all) t.notOk(keys.some((key) => key.includes(user) || key.includes(digestOfUser(user))))

  const refund = { usd: -0.0005, reason: 'gift', user: 'anna' }
  t.equal((await ask(1, 'POST', '/budgets/each/adjust', refund)).status, 200)
  for (const { gateway } of nodes) while ((await chat(gateway, secret, 'anna')) !== 200) await pause(20)
  t.equal(await chat(nodes[0]?.gateway as Running, secret, 'ben'), 429, 'a refund is of one user')
  t.match(await shownOf(0, '?user=anna'), { scope: 'user:key:app1', users: null })
})
