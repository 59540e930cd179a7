// Budgets of a started gateway with two event loops: many requests at once never spend more than there is, and a gateway that is killed
// knows at its next start what was spent and what was held.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { type Running, simulatedProviders, startGateway, startSimulator } from '../helpers/gateway.js'
import { openRaw, post } from '../helpers/raw-http.js'
import { scriptedSse } from '../helpers/scripted-sse.js'

const ADMIN = 'admin-key-0123456789'
const MESSAGES = [{ role: 'user', content: 'Tell me of the sea, of the ships and of the wind.' }]
const CLIENTS = 40

type Budget = { readonly spent: number; readonly reserved: number; readonly left: number }

/** Processes one after the other, over the same database. */
async function setUp(t: Test) {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-budgets-'))
  const [simulator, upstream] = await Promise.all([startSimulator(t), scriptedSse(t)])
  const config = {
    server: { threads: 2 },
    accounts: { store: 'sqlite', path: join(folder, 'accounts.db') },
    admin: { port: 0 },
    limits: { concurrency: null },
    prices: { enabled: true, models: { 'sim/*': { input: 3, output: 15 }, 'slow/*': { input: 3, output: 15 } } },
    providers: {
      sim: simulatedProviders(simulator.origin).openai,
      slow: { protocol: 'openai-chat', baseUrl: `${upstream.origin}/v1`, apiKey: 'of-the-upstream' },
    },
  }
  const start = async () => {
    const gateway = await startGateway(t, { config, env: { ADMIN_KEY: ADMIN } })
    const admin = String((await gateway.logLine(({ msg }) => msg === 'listening')).admin)
    const ask = async (method: string, path: string, body?: object) => {
      const headers = { authorization: `Bearer ${ADMIN}`, 'content-type': 'application/json' }
      const sent = body === undefined ? {} : { body: JSON.stringify(body) }
      const answer = await fetch(`${admin}/admin/v1${path}`, { method, headers, ...sent })
      return { status: answer.status, json: JSON.parse(await answer.text()) }
    }
    const budget = async (name: string): Promise<Budget> => (await ask('GET', `/budgets/${name}`)).json
    return { gateway, ask, budget }
  }
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return { start, upstream, journal: join(folder, 'accounts.db.journal') }
}

async function chat({ origin }: Running, key: string): Promise<{ readonly status: number; readonly costNano: number }> {
  const answer = await fetch(`${origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', connection: 'close' },
    body: JSON.stringify({ model: 'sim/echo', max_tokens: 40, messages: MESSAGES }),
  })
  await answer.text()
  return { status: answer.status, costNano: Math.round(Number(answer.headers.get('x-sluice-cost') ?? 0) * 1e9) }
}

test('many at once spend no more than there is, over both loops; a kill loses nothing of it', async (t) => {
  const { start, upstream } = await setUp(t)
  const first = await start()
  const created = await first.ask('POST', '/keys', { name: 'app1', budgets: [{ usd: 0.005, per: 'total' }] })
  t.equal(created.status, 201)
  const { secret } = created.json
  const all: { readonly status: number; readonly costNano: number }[] = []
  // Until nothing more fits, however little the last ones cost.
  for (let isSpent = false; !isSpent; ) {
    const answers = await Promise.all(Array.from({ length: CLIENTS }, () => chat(first.gateway, secret)))
    all.push(...answers)
    isSpent = answers.every(({ status }) => status === 429)
  }
  t.same([...new Set(all.map(({ status }) => status))].sort(), [200, 429])
  const paid = all.reduce((sum, { costNano }) => sum + costNano, 0)
  const seen = await first.budget('key:app1:total')
  t.equal(Math.round(seen.spent * 1e9), paid, 'what answers said they cost')
  t.ok(seen.spent <= 0.005, `${seen.spent}`)
  t.equal(seen.reserved, 0)

  const open = await first.ask('POST', '/keys', { name: 'app2', budgets: [{ usd: 5, per: 'total' }] })
  const socket = await openRaw(Number(new URL(first.gateway.origin).port))
  socket.on('error', () => undefined)
  const body = JSON.stringify({ model: 'slow/m', stream: true, messages: MESSAGES })
  socket.write(post('/v1/chat/completions', body, `authorization: Bearer ${open.json.secret}\r\n`))
  await upstream.for('m')
  const { reserved } = await first.budget('key:app2:total')
  t.ok(reserved > 0, 'held while it runs')
  await first.gateway.stop('SIGKILL')

  const second = await start()
  t.same(await second.budget('key:app1:total'), { ...seen }, 'what was spent')
  t.match(
    await second.budget('key:app2:total'),
    { spent: reserved, reserved: 0 },
    'what was held, since it may be served',
  )
  t.equal((await chat(second.gateway, secret)).status, 429)
  t.equal((await second.ask('PATCH', '/budgets/key:app1:total', { usd: 1 })).status, 200)
  t.equal((await chat(second.gateway, secret)).status, 200, 'a change holds for the next request')
})

test('a gateway that is ended at once stores what its requests have spent, and leaves no journal', async (t) => {
  const { start, upstream, journal } = await setUp(t)
  const first = await start()
  const { secret } = (await first.ask('POST', '/keys', { name: 'app1', budgets: [{ usd: 5, per: 'total' }] })).json
  const socket = await openRaw(Number(new URL(first.gateway.origin).port))
  socket.on('error', () => undefined)
  const body = JSON.stringify({ model: 'slow/m', stream: true, messages: MESSAGES })
  socket.write(post('/v1/chat/completions', body, `authorization: Bearer ${secret}\r\n`))
  await upstream.for('m')
  t.equal(readdirSync(journal).filter((name) => name.endsWith('.journal')).length, 1)
  first.gateway.child.kill('SIGTERM')
  while ((await fetch(`${first.gateway.origin}/readyz`)).status === 200);
  t.equal(await first.gateway.stop('SIGTERM'), 143)
  t.same(readdirSync(journal), ['lock'])
  const second = await start()
  t.ok((await second.budget('key:app1:total')).spent > 0)
})
