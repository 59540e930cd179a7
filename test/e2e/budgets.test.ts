// Budgets of a started gateway with two event loops: many requests at once never spend more than there is, and a gateway that is killed
// knows at its next start what was spent and what was held.
import { readdirSync } from 'node:fs'
import { test } from 'tap'
import { type BudgetGateway, budgetGateways, chat, openStream } from '../helpers/budget-gateway.js'

const CLIENTS = 40

type Budget = { readonly spent: number; readonly reserved: number; readonly left: number }

async function shown({ ask }: BudgetGateway, name: string): Promise<Budget> {
  return (await ask('GET', `/budgets/${name}`)).json
}

test('many at once spend no more than there is, over both loops; a kill loses nothing of it', async (t) => {
  const { start, upstream } = await budgetGateways(t)
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
  const seen = await shown(first, 'key:app1:total')
  t.equal(Math.round(seen.spent * 1e9), paid, 'what answers said they cost')
  t.ok(seen.spent <= 0.005, `${seen.spent}`)
  t.equal(seen.reserved, 0)

  const open = await first.ask('POST', '/keys', { name: 'app2', budgets: [{ usd: 5, per: 'total' }] })
  await openStream(first.gateway, open.json.secret)
  await upstream.for('m')
  const { reserved } = await shown(first, 'key:app2:total')
  t.ok(reserved > 0, 'held while it runs')
  await first.gateway.stop('SIGKILL')

  const second = await start()
  t.same(await shown(second, 'key:app1:total'), { ...seen }, 'what was spent')
  t.match(
    await shown(second, 'key:app2:total'),
    { spent: reserved, reserved: 0 },
    'what was held, since it may be served',
  )
  t.equal((await chat(second.gateway, secret)).status, 429)
  t.equal((await second.ask('PATCH', '/budgets/key:app1:total', { usd: 1 })).status, 200)
  t.equal((await chat(second.gateway, secret)).status, 200, 'a change holds for the next request')
})

test('a gateway that is ended at once stores what its requests have spent, and leaves no journal', async (t) => {
  const { start, upstream, journal } = await budgetGateways(t)
  const first = await start()
  const { secret } = (await first.ask('POST', '/keys', { name: 'app1', budgets: [{ usd: 5, per: 'total' }] })).json
  await openStream(first.gateway, secret)
  await upstream.for('m')
  t.equal(readdirSync(journal).filter((name) => name.endsWith('.journal')).length, 1)
  first.gateway.child.kill('SIGTERM')
  while ((await fetch(`${first.gateway.origin}/readyz`)).status === 200);
  t.equal(await first.gateway.stop('SIGTERM'), 143)
  t.same(readdirSync(journal), ['lock'])
  const second = await start()
  t.ok((await shown(second, 'key:app1:total')).spent > 0)
})
