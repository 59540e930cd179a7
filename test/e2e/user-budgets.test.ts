// Budgets of end users at a gateway of two event loops: each user of a trusted key has its own, however many ask at once, and a kill
// loses nothing of it.
import { test } from 'tap'
import { type BudgetGateway, budgetGateways, chat, openStream } from '../helpers/budget-gateway.js'

const USERS = 40
const LIMIT_USD = 0.002

/** A budget, or what one user has of it. */
async function shown({ ask }: BudgetGateway, name: string, user = '') {
  return (await ask('GET', `/budgets/${name}${user === '' ? '' : `?user=${user}`}`)).json
}

test('forty users race on their budgets: none spends more than its own, and a kill loses nothing of it', async (t) => {
  const { start, upstream } = await budgetGateways(t)
  const first = await start()
  const created = await first.ask('POST', '/keys', { name: 'app1', trustUser: true })
  const { secret } = created.json
  const body = { name: 'each', scope: 'user:key:app1', per: 'day', usd: LIMIT_USD }
  t.match(await first.ask('POST', '/budgets', body), {
    status: 201,
    json: { scope: 'user:key:app1', spent: 0, left: null, users: 0 },
  })
  const paid = new Map<string, number>()
  // Until nothing of any of them fits any more, however little it costs.
  for (let isSpent = false; !isSpent; ) {
    const statuses = await Promise.all(
      Array.from({ length: USERS * 3 }, async (_, i) => {
        const user = `u${i % USERS}`
        const asked = i % 3 === 0 ? { header: user } : i % 3 === 1 ? { user } : { metadata: { user_id: user } }
        const { status, costNano, text } = await chat(first.gateway, secret, asked)
        paid.set(user, (paid.get(user) ?? 0) + costNano)
        if (status !== 429) t.equal(status, 200, text)
        return status
      }),
    )
    isSpent = statuses.every((status) => status === 429)
  }
  for (let i = 0; i < USERS; i++) {
    const seen = await shown(first, 'each', `u${i}`)
    t.equal(Math.round(seen.spent * 1e9), paid.get(`u${i}`))
    t.ok(seen.spent > 0 && seen.spent <= LIMIT_USD, `u${i}: ${seen.spent}`)
    t.match(seen, { reserved: 0, users: null })
  }
  const sum = [...paid.values()].reduce((all, nano) => all + nano, 0)
  const whole = await shown(first, 'each')
  t.match([Math.round(whole.spent * 1e9), whole.users, whole.left], [sum, USERS, null])
  t.equal((await chat(first.gateway, secret, {})).status, 200, 'who names nobody is not bound')

  await openStream(first.gateway, secret, { user: 'late' })
  await upstream.for('m')
  const { reserved } = await shown(first, 'each', 'late')
  t.ok(reserved > 0, 'held while it runs')
  await first.gateway.stop('SIGKILL')

  const second = await start()
  for (const user of ['u0', 'u39']) {
    t.equal(Math.round((await shown(second, 'each', user)).spent * 1e9), paid.get(user), 'what was spent')
  }
  t.match(
    await shown(second, 'each', 'late'),
    { spent: reserved, reserved: 0 },
    'what was held, since it may be served',
  )
  t.match(await shown(second, 'each'), { users: USERS + 1 })
  const again = await chat(second.gateway, secret, { header: 'u7' })
  t.match([again.status, again.text], [429, /The budget each has too little left/])
  t.equal((await chat(second.gateway, secret, { header: 'new' })).status, 200)
  const { status } = await second.ask('POST', '/budgets/each/adjust', { usd: -0.0005, reason: 'gift', user: 'u7' })
  t.equal(status, 200)
  t.equal((await chat(second.gateway, secret, { header: 'u7' })).status, 200, 'a refund is of one user')
  t.equal((await chat(second.gateway, secret, { header: 'u8' })).status, 429)
  t.equal((await second.ask('POST', '/budgets/each/adjust', { usd: 1, reason: 'x' })).status, 400, 'of whom')
  t.equal((await second.ask('PATCH', '/budgets/each', { usd: 1 })).status, 200)
  t.equal((await chat(second.gateway, secret, { header: 'u8' })).status, 200, 'a change holds for all of them')
})

test('a user is only believed of a trusted key, and of a browser token only as its key has said', async (t) => {
  const { start } = await budgetGateways(t)
  const only = await start()
  const { gateway, ask } = only
  const secretOf = async (name: string, trustUser: boolean) =>
    (await ask('POST', '/keys', { name, trustUser })).json.secret as string
  const [app, other, stranger] = [
    await secretOf('app', true),
    await secretOf('other', true),
    await secretOf('no', false),
  ]
  await ask('POST', '/budgets', { name: 'all', scope: 'user', per: 'day', tokens: 1_000_000 })
  await ask('POST', '/budgets', { name: 'one', scope: 'user:key:app', per: 'day', tokens: 1_000_000 })
  for (const key of [app, other, stranger]) t.equal((await chat(gateway, key, { user: 'anna' })).status, 200)
  const spent = async (name: string, user: string): Promise<number> => (await shown(only, name, user)).spent
  const once = await spent('one', 'anna')
  t.ok(once > 0)
  t.equal(await spent('all', 'anna'), 2 * once, 'of all trusted keys together')
  const tokenOf = async (key: string, body: object) => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
    const answer = await fetch(`${gateway.origin}/v1/tokens`, { method: 'POST', headers, body: JSON.stringify(body) })
    return { status: answer.status, ...((await answer.json()) as { token: string; user: string }) }
  }
  t.equal((await tokenOf(stranger, { user: 'anna' })).status, 400)
  const { token, user } = await tokenOf(app, { user: 'ben' })
  t.equal(user, 'ben')
  t.equal((await chat(gateway, token, { user: 'anna', header: 'anna' })).status, 200)
  t.equal((await chat(gateway, (await tokenOf(app, {})).token, { user: 'cleo' })).status, 200)
  t.same([await spent('one', 'anna'), await spent('one', 'ben'), await spent('one', 'cleo')], [once, once, 0])
})
