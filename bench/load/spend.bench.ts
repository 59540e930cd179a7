// S14: what do keys of a database, prices and budgets cost? S1's small request, from Sluice with a key of its file, with one of the
// database, with prices as well, and with three budgets that hold for each request. The ratio is to Sluice with a key of its file. All
// of them have the admin API, which holds the last requests in memory; `sluice, no admin` tells what that costs.
import { freePort } from '../../test/helpers/free-port.js'
import { against, type Contender, type SluiceVariant, sluiceWith, startSluice } from '../contenders.js'
import { runPlain } from '../plain-load.js'
import { requestFor } from '../requests.js'
import { type Bench, interleave, scaled } from '../rounds.js'

const SCENARIO = 'S14 spend'
const REQUESTS = 8000
const CONNECTIONS = 32
/** A part of a quick run's load is over before a batch has been written: the writing belongs to the cost. */
const ROUNDS = 8
const QUICK_ROUNDS = 4
const ADMIN_KEY = 'bench-admin-key-0123456789'
/** Nothing of it is ever used up. */
const DOLLARS = 1_000_000
const LIMITS = { requestsPerMinute: 60_000_000, tokensPerMinute: 1_000_000_000, concurrency: 100_000 }
const PRICES = { enabled: true, models: { 'openai/*': { input: 3, output: 15 } } }

const WITHOUT = 'sluice'
const NO_ADMIN: SluiceVariant = { name: 'sluice, no admin' }
type Spender = { readonly name: string; readonly variant: SluiceVariant; readonly hasBudgets?: boolean }
/** Each has what the one before has, and something more. */
const SPENDERS: readonly Spender[] = [
  { name: 'sluice, + accounts', variant: {} },
  { name: 'sluice, + prices', variant: { prices: PRICES } },
  { name: 'sluice, + budgets', variant: { prices: PRICES }, hasBudgets: true },
]

/** Adds S14's figures. */
export async function runS14(bench: Bench): Promise<void> {
  const spenders = SPENDERS.map((spender) => (upstream: string) => startSpender(upstream, spender))
  await against([], [startWithout, sluiceWith(NO_ADMIN), ...spenders], async (entrants) => {
    const rounds = bench.isQuick ? QUICK_ROUNDS : ROUNDS
    await interleave(bench, { scenario: SCENARIO, entrants, rounds }, async (each, turn) => {
      const request = requestFor(each, { tokens: 64, stream: false, promptBytes: 850 })
      const load = { connections: CONNECTIONS, amount: scaled(bench, REQUESTS, turn) }
      turn.add('CPU us/request', (await runPlain(each, request, load)).cpuUsPerRequest, WITHOUT)
    })
  })
}

async function startWithout(upstream: string): Promise<Contender> {
  return startSluice(upstream, { name: WITHOUT, admin: { port: await freePort(), key: ADMIN_KEY } })
}

/** With a key of a team, made through the admin API. */
async function startSpender(upstream: string, { name, variant, hasBudgets = false }: Spender): Promise<Contender> {
  const port = await freePort()
  const contender = await startSluice(upstream, {
    ...variant,
    ...{ name, accounts: { store: 'sqlite' }, admin: { port, key: ADMIN_KEY } },
  })
  const create = async (path: string, body: object): Promise<{ readonly secret?: string }> => {
    const answer = await fetch(`http://127.0.0.1:${port}/admin/v1/${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    if (answer.status !== 201) throw new Error(`${name}: ${answer.status} ${await answer.text()}`)
    return (await answer.json()) as { readonly secret?: string }
  }
  const budgets = hasBudgets ? [{ usd: DOLLARS, per: 'month' }] : []
  await create('teams', { name: 'bench-team', budgets })
  const { secret } = await create('keys', { name: 'bench-key', team: 'bench-team', limits: LIMITS, budgets })
  if (hasBudgets) await create('budgets', { name: 'all', scope: 'gateway', usd: DOLLARS, per: 'month' })
  return { ...contender, headers: { authorization: `Bearer ${secret ?? ''}` } }
}
