// Gateways of two event loops with an account database, a simulator and an upstream that streams what a test says: one process after the
// other over the same database, so that a test can kill one and ask the next.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test } from 'tap'
import { type Running, simulatedProviders, startGateway, startSimulator } from './gateway.js'
import { openRaw, post } from './raw-http.js'
import { type ScriptedSse, scriptedSse } from './scripted-sse.js'

const ADMIN = 'admin-key-0123456789'
const MESSAGES = [{ role: 'user', content: 'Tell me of the sea, of the ships and of the wind.' }]

export type BudgetGateway = {
  readonly gateway: Running
  /** A call of the admin API. */
  ask(method: string, path: string, body?: object): ReturnType<typeof askAdmin>
}

/** `journal`: the folder of the journals of its budgets. */
export async function budgetGateways(
  t: Test,
): Promise<{ readonly start: () => Promise<BudgetGateway>; readonly upstream: ScriptedSse; readonly journal: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-budgets-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
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
  const start = async (): Promise<BudgetGateway> => {
    const gateway = await startGateway(t, { config, env: { ADMIN_KEY: ADMIN } })
    const admin = String((await gateway.logLine(({ msg }) => msg === 'listening')).admin)
    return { gateway, ask: (method, path, body) => askAdmin(admin, `${method} ${path}`, body) }
  }
  return { start, upstream, journal: join(folder, 'accounts.db.journal') }
}

async function askAdmin(admin: string, line: string, body?: object) {
  const [method = '', path = ''] = line.split(' ')
  const headers = { authorization: `Bearer ${ADMIN}`, 'content-type': 'application/json' }
  const sent = body === undefined ? {} : { body: JSON.stringify(body) }
  const answer = await fetch(`${admin}/admin/v1${path}`, { method, headers, ...sent })
  return { status: answer.status, json: JSON.parse(await answer.text()) }
}

/** How a request names its end user. */
export type NamedUser = { readonly user?: string; readonly header?: string; readonly metadata?: object }

/** A short chat with the simulator, on a connection of its own; `costNano`: what its answer says. */
export async function chat({ origin }: Running, key: string, { user, header, metadata }: NamedUser = {}) {
  const named = header === undefined ? {} : { 'x-sluice-user': header }
  const answer = await fetch(`${origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', connection: 'close', ...named },
    body: JSON.stringify({ model: 'sim/echo', max_tokens: 40, messages: MESSAGES, user, metadata }),
  })
  const text = await answer.text()
  const costNano = Math.round(Number(answer.headers.get('x-sluice-cost') ?? 0) * 1e9)
  return { status: answer.status, costNano, text }
}

/** Begins a stream of the scripted upstream, and leaves it open. */
export async function openStream({ origin }: Running, key: string, members: object = {}): Promise<void> {
  const socket = await openRaw(Number(new URL(origin).port))
  socket.on('error', () => undefined)
  const body = JSON.stringify({ model: 'slow/m', stream: true, messages: MESSAGES, ...members })
  socket.write(post('/v1/chat/completions', body, `authorization: Bearer ${key}\r\n`))
}
