// What is spent of a budget, and what the provider has served, while PostgreSQL fails in every way and while everything is killed: they
// agree. And the secret of the key is in nothing that was written meanwhile.
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { request } from 'undici'
import { startCommitCutter } from '../helpers/commit-cutter.js'
import { type Running, startGateway } from '../helpers/gateway.js'
import { startPostgres } from '../helpers/postgres-server.js'

const ADMIN = 'admin-key-0123456789'
const REQUESTS = 1000
const CLIENTS = 40
/** Of each answer: 100 tokens in at $1 a million, 50 out at $2. */
const USAGE = { prompt_tokens: 100, completion_tokens: 50, total_tokens: 150 }
const COST_NANO = 200_000
const BODY = JSON.stringify({ model: 'mock/m', max_tokens: 50, messages: [{ role: 'user', content: 'Hi' }] })

/** A provider that knows how many answers it has given, or was about to give. */
async function startProvider(t: Test) {
  const counts = { asked: 0, answered: 0 }
  const choice = { index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'ok' } }
  const answer = JSON.stringify({ id: 'x', object: 'chat.completion', model: 'm', choices: [choice], usage: USAGE })
  const server = createServer(async (req, res) => {
    for await (const _ of req);
    counts.asked += 1
    setTimeout(() => {
      res.writeHead(200, { 'content-type': 'application/json' })
      res.end(answer, () => {
        counts.answered += 1
      })
    }, counts.asked % 7)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { counts, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

async function chat({ origin }: Running, secret: string): Promise<number> {
  const headers = { authorization: `Bearer ${secret}`, 'content-type': 'application/json' }
  const answer = await request(`${origin}/v1/chat/completions`, { method: 'POST', headers, body: BODY })
  await answer.body.dump()
  return answer.statusCode
}

/** `at`: what happens when so many requests have been answered; each is over before the next one begins, however slow the machine is. */
async function askMany(gateway: Running, secret: string, at: ReadonlyMap<number, () => unknown>): Promise<number[]> {
  const statuses: number[] = []
  let faults: Promise<unknown> = Promise.resolve()
  let left = REQUESTS
  const client = async (): Promise<void> => {
    while (left > 0) {
      left -= 1
      statuses.push(await chat(gateway, secret).catch(() => 0))
      const fault = at.get(statuses.length)
      if (fault !== undefined) faults = faults.then(fault)
    }
  }
  await Promise.all(Array.from({ length: CLIENTS }, client))
  await faults
  return statuses
}

test('the ledger and the provider agree while PostgreSQL is cut off, slow, read-only and stopped, and after a kill of both', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-spend-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const [server, provider] = await Promise.all([startPostgres(t), startProvider(t)])
  const url = await server.createDatabase()
  const name = new URL(url).pathname.slice(1)
  const cutter = await startCommitCutter(t, server.port)
  const config = {
    accounts: {
      ...{ store: 'postgres', url: url.replace(`:${server.port}/`, `:${cutter.port}/`), singleNode: true },
      path: join(folder, 'accounts.db'),
    },
    admin: { port: 0 },
    limits: { concurrency: null },
    prices: { enabled: true, models: { 'mock/*': { input: 1, output: 2 } } },
    providers: { mock: { protocol: 'openai-chat', baseUrl: `${provider.origin}/v1`, apiKey: 'of-the-upstream' } },
  }
  const outputs: Running[] = []
  const start = async () => {
    const gateway = await startGateway(t, { config, env: { ADMIN_KEY: ADMIN } })
    outputs.push(gateway)
    const admin = String((await gateway.logLine(({ msg }) => msg === 'listening')).admin)
    const ask = async (method: string, path: string, body?: object) => {
      const headers = { authorization: `Bearer ${ADMIN}`, 'content-type': 'application/json' }
      const sent = body === undefined ? {} : { body: JSON.stringify(body) }
      const answer = await fetch(`${admin}/admin/v1${path}`, { method, headers, ...sent })
      return (await answer.json()) as Record<string, unknown>
    }
    return { gateway, ask }
  }
  const stored = async (): Promise<number> => {
    const rows = await server.run(url, 'select coalesce(sum(spent_nano), 0)::text as spent from sluice.budget_windows')
    return Number(rows[0]?.spent)
  }
  const setReadOnly = async (value: 'on' | 'off'): Promise<void> => {
    const other = url.replace(name, 'postgres')
    await server.run(other, `alter database ${name} set default_transaction_read_only = ${value}`)
    await server.run(other, `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`)
  }
  const first = await start()
  const created = await first.ask('POST', '/keys', { name: 'app1', budgets: [{ usd: 100, per: 'total' }] })
  const secret = String(created.secret)

  const statuses = await askMany(
    first.gateway,
    secret,
    new Map<number, () => unknown>([
      [50, () => (cutter.cutAt = 'after')],
      [150, () => (cutter.cutAt = 'before')],
      [250, () => server.freeze()],
      [400, () => server.thaw()],
      [450, () => setReadOnly('on')],
      [600, () => setReadOnly('off')],
      [650, () => server.kill()],
      [900, () => server.start()],
    ]),
  )
  t.same([...new Set(statuses)], [200], 'clients see nothing of it')
  t.equal(provider.counts.asked, REQUESTS)
  t.equal((await first.ask('GET', '/budgets/key:app1:total')).spent, (REQUESTS * COST_NANO) / 1e9)
  while ((await stored()) < REQUESTS * COST_NANO) await new Promise((resolve) => setTimeout(resolve, 50))
  t.equal(await stored(), REQUESTS * COST_NANO, 'each once')

  const before = provider.counts.answered
  await askMany(
    first.gateway,
    secret,
    new Map<number, () => unknown>([
      [300, () => (cutter.cutAt = 'after')],
      [500, () => Promise.all([first.gateway.stop('SIGKILL'), server.kill()])],
    ]),
  )
  const { asked, answered } = provider.counts
  t.ok(answered - before >= 500 && asked < 2 * REQUESTS)
  await server.start()
  const second = await start()
  const spent = Math.round(Number((await second.ask('GET', '/budgets/key:app1:total')).spent) * 1e9)
  t.ok(spent >= answered * COST_NANO, `${spent} is no less than what was served, ${answered * COST_NANO}`)
  // What was held when it was killed is charged as it was held: at most a few times what such an answer costs.
  const open = asked - before - 500
  t.ok(open <= 2 * CLIENTS)
  t.ok(spent <= asked * COST_NANO + 2 * CLIENTS * 5 * COST_NANO, `${spent} is what was served and what was held`)

  await second.ask('POST', '/keys/app1/rotate', {})
  t.equal(await chat(second.gateway, `${secret}x`), 401)
  t.equal(await chat(second.gateway, secret), 200)
  const page = await second.gateway.metricsWith([/sluice_accounts_up 1/], { authorization: `Bearer ${secret}` })
  const shown = await Promise.all(
    ['/keys', '/keys/app1', '/audit', '/budgets', '/config', '/requests', '/spend?by=key'].map((path) =>
      second.ask('GET', path),
    ),
  )
  t.equal(await second.gateway.stop('SIGINT'), 0)
  const texts = [
    page,
    JSON.stringify(shown),
    ...outputs.map(({ output, lines, errorOutput }) => JSON.stringify([output, lines, errorOutput])),
  ]
  for (const table of await server.run(url, "select tablename as name from pg_tables where schemaname = 'sluice'")) {
    texts.push(JSON.stringify(await server.run(url, `select * from sluice.${String(table.name)}`)))
  }
  const files = readdirSync(folder, { recursive: true }).map((file) => join(folder, String(file)))
  t.ok(files.some((file) => file.endsWith('.snapshot')))
  for (const file of files) if (statSync(file).isFile()) texts.push(readFileSync(file, 'latin1'))
  t.equal(texts.filter((text) => text.includes(secret) || text.includes('canary-password')).length, 0)
  t.ok(texts.some((text) => text.includes('app1')))
})
