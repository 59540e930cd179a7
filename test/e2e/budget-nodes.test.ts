// Three gateways, one budget in PostgreSQL and Redis, and a provider that counts what it has served: clients stream and leave, a gateway is
// killed and starts again, Redis is restarted empty, a gateway is paused for longer than its lease. In the end what is spent is what was
// served, nothing is reserved, and no more was spent than there was.
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { type Running, startGateway } from '../helpers/gateway.js'
import { startPostgres } from '../helpers/postgres-server.js'
import { parsePage, sampleValue } from '../helpers/prometheus.js'
import { Random } from '../helpers/random.js'
import { RedisServer } from '../helpers/redis.js'

const NODES = 3
const CLIENTS = 18
const ADMIN = 'admin-key-0123456789'
/** Of one dollar for a million tokens. */
const NANO_PER_TOKEN = 1000
const LIMIT_TOKENS = 9000
const INPUT_TOKENS = 10
const MAX_PIECES = 40
const PIECE_MS = 4
/** Longer than the lease of a node. */
const PAUSE_MS = 3500
/** The gateway's estimate of the input, at most. */
const MOST_INPUT = 40
/** So many refusals in a row: nothing is left. */
const ENOUGH_REFUSALS = 60
const PIECE = 'data: {"choices":[{"index":0,"delta":{"content":"abcd"}}]}\n\n'

type Served = { pieces: number; isWhole: boolean }

/** Writes a token at a time, of four bytes, and says at the end how many they were. */
async function startProvider(t: Test, random: Random) {
  const served: Served[] = []
  const server = createServer(async (req, res) => {
    let text = ''
    for await (const chunk of req) text += String(chunk)
    const { max_tokens: cap = MAX_PIECES } = JSON.parse(text) as { max_tokens?: number }
    const call: Served = { pieces: 0, isWhole: false }
    served.push(call)
    res.writeHead(200, { 'content-type': 'text/event-stream' })
    const count = Math.min(cap, 5 + Math.floor(random.below(MAX_PIECES - 5)))
    while (call.pieces < count && !res.destroyed) {
      res.write(PIECE)
      call.pieces += 1
      await pause(PIECE_MS)
    }
    if (res.destroyed) return
    endWith(res, call.pieces)
    call.isWhole = true
  })
  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, served }
}

function endWith(res: ServerResponse, pieces: number): void {
  const usage = { prompt_tokens: INPUT_TOKENS, completion_tokens: pieces, total_tokens: INPUT_TOKENS + pieces }
  res.end(
    `data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: ${JSON.stringify({ choices: [], usage })}\n\ndata: [DONE]\n\n`,
  )
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

async function setUp(t: Test, random: Random, count = NODES) {
  const [provider, postgres, redis] = await Promise.all([
    startProvider(t, random),
    startPostgres(t),
    RedisServer.start(t),
  ])
  const url = await postgres.createDatabase()
  const folders = Array.from({ length: count }, () => mkdtempSync(join(tmpdir(), 'sluice-budget-node-')))
  t.teardown(() => folders.map((folder) => rmSync(folder, { recursive: true, force: true })))
  const start = async (n: number) => {
    const config = {
      accounts: { store: 'postgres', url, journal: folders[n] },
      redis: { url: redis.url },
      admin: { port: 0 },
      limits: { concurrency: null, shed: { lagMs: null } },
      prices: { enabled: true, models: { 'mock/*': { input: 1, output: 1 } } },
      providers: { mock: { protocol: 'openai-chat', baseUrl: `${provider.origin}/v1`, apiKey: 'of-the-provider' } },
    }
    const gateway = await startGateway(t, { config, env: { ADMIN_KEY: ADMIN } })
    const { admin } = await gateway.logLine(({ msg }) => msg === 'listening')
    return { gateway, admin: String(admin) }
  }
  type Node = Awaited<ReturnType<typeof start>>
  const nodes: Node[] = await Promise.all(folders.map((_, n) => start(n)))
  const ask = async <Answer>(n: number, method: string, path: string, body?: object): Promise<Answer> => {
    const headers = { authorization: `Bearer ${ADMIN}`, 'content-type': 'application/json' }
    const sent = body === undefined ? {} : { body: JSON.stringify(body) }
    return (await fetch(`${nodes[n]?.admin}/admin/v1${path}`, { method, headers, ...sent })).json() as Promise<Answer>
  }
  const stored = async () => {
    const rows = await postgres.run(
      url,
      'select coalesce(sum(spent_nano), 0)::bigint as sum from sluice.budget_windows',
    )
    // What a stream that was left has cost is no whole number of tokens.
    return Math.round(Number(rows[0]?.sum) / NANO_PER_TOKEN)
  }
  return { provider, redis, nodes, start, ask, stored }
}

type Told = { streams: number; refusals: number; unavailable: number }

/** One request, which may be left by its client. */
async function stream(gateway: Running, { key, body, leaveAfter }: { key: string; body: string; leaveAfter: number }) {
  const answer = await fetch(`${gateway.origin}/v1/chat/completions`, {
    ...{ method: 'POST', body },
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', connection: 'close' },
  })
  let bytes = 0
  for await (const chunk of answer.body ?? []) {
    bytes += chunk.length
    // Its connection is closed.
    if (answer.status === 200 && bytes > leaveAfter) break
  }
  return answer.status
}

test('nodes that fail in every way spend together what there is, and it is what was served', {
  timeout: 180_000,
}, async (t) => {
  const random = Random.ofRun()
  t.comment(`SEED=${random.seed}`)
  const { provider, redis, nodes, start, ask, stored } = await setUp(t, random)
  const usd = (LIMIT_TOKENS * NANO_PER_TOKEN) / 1e9
  const { secret } = await ask<{ secret: string }>(0, 'POST', '/keys', {
    name: 'app1',
    budgets: [{ usd, per: 'total' }],
  })
  const told: Told = { streams: 0, refusals: 0, unavailable: 0 }
  let isOver = false
  const client = async (): Promise<void> => {
    while (!isOver) {
      const n = Math.floor(random.below(NODES))
      const gateway = nodes[n]?.gateway
      const body = JSON.stringify({
        model: 'mock/m',
        stream: true,
        messages: [{ role: 'user', content: 'hi' }],
        max_tokens: MAX_PIECES,
      })
      const leaveAfter = random.below(3) < 1 ? Math.floor(random.below(MAX_PIECES * PIECE.length)) : Infinity
      const status = await (gateway === undefined
        ? Promise.resolve(0)
        : stream(gateway, { key: secret, body, leaveAfter }).catch(() => 0))
      if (status === 200) told.streams += 1
      if (status === 503) told.unavailable += 1
      // A node that cannot tell may still hold what is left.
      told.refusals = status === 429 ? told.refusals + 1 : 0
      if (status !== 200) await pause(20)
    }
  }
  const clients = Array.from({ length: CLIENTS }, client)
  const reached = async (share: number): Promise<void> => {
    while ((await stored()) < LIMIT_TOKENS * share) await pause(50)
  }
  await reached(0.2)
  await nodes[0]?.gateway.stop('SIGKILL')
  const killed = provider.served.filter(({ isWhole }) => !isWhole).length
  nodes[0] = await start(0)
  await reached(0.4)
  await redis.kill()
  await redis.startAgain()
  await reached(0.6)
  nodes[2]?.gateway.child.kill('SIGSTOP')
  await pause(PAUSE_MS)
  nodes[2]?.gateway.child.kill('SIGCONT')
  told.refusals = 0
  while (told.refusals < ENOUGH_REFUSALS) await pause(20)
  isOver = true
  await Promise.all(clients)

  const usageAt = async (n: number) => {
    const { spent, reserved } = await ask<{ spent: number; reserved: number }>(n, 'GET', '/budgets/key:app1:total')
    return { spent: Math.round((spent * 1e9) / NANO_PER_TOKEN), reserved }
  }
  // The one that was paused may still have to find Redis again: until it has told all, no other one knows what it has spent.
  const agreed = async (): Promise<number | null> => {
    const [sum, seen] = [await stored(), await Promise.all(nodes.map((_, n) => usageAt(n)))]
    return seen.every(({ spent, reserved }) => reserved === 0 && spent === sum) ? sum : null
  }
  let settled = await agreed()
  while (settled === null) {
    await pause(50)
    settled = await agreed()
  }
  const spent = settled
  for (let n = 0; n < NODES; n++) t.same(await usageAt(n), { spent, reserved: 0 }, `node ${n}`)
  t.equal(await stored(), spent, 'the database has the same')

  const whole = provider.served.filter(({ isWhole }) => isWhole)
  const parts = provider.served.filter(({ isWhole }) => !isWhole)
  const exact = whole.reduce((sum, { pieces }) => sum + INPUT_TOKENS + pieces, 0)
  const partial = parts.reduce((sum, { pieces }) => sum + MOST_INPUT + pieces, 0)
  const most = exact + partial + killed * (MOST_INPUT + MAX_PIECES)
  let debt = 0
  for (const { gateway } of nodes) {
    const page = await (
      await fetch(`${gateway.origin}/metrics`, { headers: { authorization: `Bearer ${secret}` } })
    ).text()
    debt += ((sampleValue(parsePage(page).samples, 'sluice_budget_debt_dollars_total') ?? 0) * 1e9) / NANO_PER_TOKEN
  }
  t.comment(JSON.stringify({ spent, exact, partial, killed, debt, ...told, calls: provider.served.length }))
  t.ok(spent >= exact && spent <= most, `${exact} <= ${spent} <= ${most}`)
  t.ok(spent <= LIMIT_TOKENS + Math.ceil(debt), `${spent} of ${LIMIT_TOKENS}, debt ${debt}`)
  t.ok(spent > LIMIT_TOKENS - MOST_INPUT - MAX_PIECES, 'and nearly all of it')
})

const CHATS = [
  ['/v1/chat/completions', { messages: [{ role: 'user', content: 'hi' }] }, { error: { code: 'storage_unavailable' } }],
  ['/v1/responses', { input: 'hi' }, { error: { code: 'storage_unavailable' } }],
  [
    '/v1/messages',
    { max_tokens: 9, messages: [{ role: 'user', content: 'hi' }] },
    { type: 'error', error: { type: String } },
  ],
] as const

test('without Redis a request under a budget is 503 in the words of its API, and one without goes on', async (t) => {
  const { redis, nodes, ask } = await setUp(t, Random.ofRun(), 1)
  const capped = await ask<{ secret: string }>(0, 'POST', '/keys', { name: 'app1', budgets: [{ usd: 1, per: 'day' }] })
  const free = await ask<{ secret: string }>(0, 'POST', '/keys', { name: 'app2' })
  const gateway = nodes[0]?.gateway
  if (gateway === undefined) throw new Error('no node')
  await redis.kill()
  await gateway.logLine(({ msg }) => msg === 'redis unavailable (budgets)')
  const send = async (path: string, secret: string, body: object) => {
    const answer = await fetch(`${gateway.origin}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'mock/m', ...body }),
    })
    return { status: answer.status, text: await answer.text() }
  }
  for (const [path, body, error] of CHATS) {
    const { status, text } = await send(path, capped.secret, body)
    t.equal(status, 503, `${path} ${text}`)
    t.match(JSON.parse(text), error, text)
  }
  const [path, body] = CHATS[0]
  t.equal((await send(path, free.secret, { ...body, stream: true })).status, 200)
  await redis.startAgain()
  await gateway.logLine(({ msg }) => msg === 'redis available (budgets)')
  for (let status = 0; status !== 200; ) status = (await send(path, capped.secret, { ...body, stream: true })).status
  t.pass('and goes on when it is back')
})
