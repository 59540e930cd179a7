// `GET /v1/usage` at a gateway of two event loops with its account database: what a key spends is seen by its holder, and by no other.
import { test } from 'tap'
import { simulatedProviders, startGateway, startSimulator } from '../helpers/gateway.js'

const ADMIN = 'CANARY-admin-0123456789'
const FILE_KEY = 'key-of-the-file-0123456789'
const PATIENCE_MS = 60_000

type Sum = { readonly requests: number; readonly inputTokens: number; readonly usd: number }
type Usage = {
  readonly key: string
  readonly today: Sum
  readonly month: Sum
  readonly budgets: readonly { readonly name: string; readonly spent: number; readonly left: number }[]
}

test('the holder of a key sees its own spend, limits and budgets, and nothing of other keys', async (t) => {
  const simulator = await startSimulator(t)
  const config = {
    server: { threads: 2 },
    admin: { port: 0 },
    accounts: { store: 'sqlite', path: 'accounts.db' },
    keys: [{ name: 'old', key: FILE_KEY, limits: { concurrency: 7 } }],
    prices: { enabled: true, models: { '*/*': { input: 1, output: 2 } } },
    providers: simulatedProviders(simulator.origin),
  }
  const gateway = await startGateway(t, { config, env: { ADMIN_KEY: ADMIN } })
  const { admin } = await gateway.logLine(({ msg }) => msg === 'listening')

  async function createKey(name: string): Promise<string> {
    const headers = { authorization: `Bearer ${ADMIN}`, 'content-type': 'application/json' }
    const body = JSON.stringify({ name, limits: { requestsPerMinute: 600 }, budgets: [{ usd: 5, per: 'month' }] })
    const made = await fetch(`${String(admin)}/admin/v1/keys`, { method: 'POST', headers, body })
    return ((await made.json()) as { secret: string }).secret
  }
  async function chat(secret: string): Promise<void> {
    const headers = { authorization: `Bearer ${secret}`, 'content-type': 'application/json' }
    const body = JSON.stringify({ model: 'openai/echo', messages: [{ role: 'user', content: 'Hello there' }] })
    const answer = await fetch(`${gateway.origin}/v1/chat/completions`, { method: 'POST', headers, body })
    t.equal(answer.status, 200, await answer.text())
  }
  const ask = (secret: string, headers: Record<string, string> = {}) =>
    fetch(`${gateway.origin}/v1/usage`, { headers: { authorization: `Bearer ${secret}`, ...headers } })
  /** Once so many requests are in it: sums reach the database each second. */
  async function usage(secret: string, requests: number): Promise<Usage> {
    const deadlineMs = performance.now() + PATIENCE_MS
    for (;;) {
      const answer = await ask(secret)
      const read = (await answer.json()) as Usage
      if (answer.status === 200 && read.today.requests >= requests) return read
      if (performance.now() > deadlineMs) throw new Error(`never: ${JSON.stringify(read)}`)
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  const [spender, other] = [await createKey('spender'), await createKey('other')]
  for (const secret of [spender, spender, spender, FILE_KEY]) await chat(secret)
  const spent = await usage(spender, 3)
  t.match(spent, { key: 'spender', team: null, today: { requests: 3 }, limits: { requestsPerMinute: 600 } })
  t.ok(spent.today.usd > 0 && spent.today.inputTokens > 0)
  t.same(spent.month, spent.today)
  t.match(spent.budgets, [{ name: 'key:spender:month', per: 'month', usd: 5, spent: spent.today.usd, reserved: 0 }])
  t.match(await usage(FILE_KEY, 1), { key: 'old', today: { requests: 1 }, limits: { concurrency: 7 }, budgets: [] })
  const nothing = await usage(other, 0)
  t.match(nothing, { key: 'other', today: { requests: 0, usd: 0 }, month: { requests: 0, usd: 0 } })
  t.match(nothing.budgets, [{ name: 'key:other:month', spent: 0, left: 5 }])
  t.notMatch(JSON.stringify(nothing), /spender|old/)
  const document = (await (await fetch(`${gateway.origin}/openapi.json`)).json()) as { paths: object }
  t.hasProp(document.paths, '/v1/usage')
  const refused = await ask('wrong', { 'anthropic-version': '2023-06-01' })
  t.equal(refused.status, 401)
  t.match(await refused.json(), { type: 'error', error: { type: 'authentication_error' } })
})
