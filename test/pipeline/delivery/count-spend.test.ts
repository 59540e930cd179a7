// What a key spends: each attempt at its own provider, each exchange once. That the rows are kept is test/accounts/database/rollups/add-rollups.test.ts.
import { test } from 'tap'
import { type Spending } from '../../../src/accounts/rollups/loop-rollups.js'
import { type RollupCounts } from '../../../src/accounts/rollups/types.js'
import { type Account } from '../../../src/accounts/types.js'
import { GatewayError } from '../../../src/errors.js'
import { type KeyIdentity } from '../../../src/pipeline/client.js'
import { identityOf } from '../../../src/pipeline/stages/authenticate.js'
import { readPrices } from '../../../src/prices/read-prices.js'
import { timeoutFailure } from '../../../src/upstream/failure.js'
import { hammerAccount } from '../../helpers/directory-hammer.js'
import { PipelineRig, turn } from '../../helpers/pipeline.js'
import { NO_PRICES } from '../../helpers/pipeline-config.js'
import { ANTHROPIC, OPENAI, STREAMS } from '../../helpers/pipeline-wires.js'

const TABLE = readPrices(
  [{ id: 'v', models: [{ id: 'a', match: { equals: 'a' }, prices: { input_mtok: 1 } }] }],
  'test',
)
const MODELS = { 'north/up': { input: 1, output: 2 } }
const { head, content } = STREAMS[OPENAI]

function setUp(prices = { ...NO_PRICES, enabled: true, table: TABLE, models: MODELS }) {
  const rig = new PipelineRig({ prices, accounts: ACCOUNTS })
  const seen: (Spending & Partial<RollupCounts>)[] = []
  Object.assign(rig.parts, {
    rollups: {
      add(spending: Spending, counts: RollupCounts) {
        const some = Object.entries(counts).filter(([, value]) => value !== 0)
        seen.push({ ...spending, ...Object.fromEntries(some) })
      },
    },
  })
  return { rig, seen }
}

/** The key of the database that all requests come with. */
const present: { account: Account } = { account: hammerAccount(0, 1, { id: 'key_a' }) }
const listed = () => ({ account: present.account, index: 0, version: 1, teamPlace: null })
const ACCOUNTS = {
  isStale: false,
  find: () => null,
  byIndex: listed,
  byId: () => null,
  byName: () => null,
  nowMs: () => 0,
  noteUsed: () => undefined,
}

function keyOf(members: Partial<Account>): KeyIdentity {
  present.account = { ...hammerAccount(0, 1, { id: 'key_a' }), ...members }
  return identityOf(listed())
}

test('an attempt is counted with its tokens and cost, the request at its end', async (t) => {
  const { rig, seen } = setUp()
  await rig.ask({ stream: false })
  rig.call.whole()
  await turn()
  const source = {
    owner: 'file:team-a',
    keyName: 'team-a',
    team: '',
    model: 'one',
    provider: 'north',
    tags: [],
    user: null,
  }
  t.same(seen, [
    { ...source, attempts: 1, inputTokens: 11, outputTokens: 7, costNano: 25_000 },
    { ...source, requests: 1 },
  ])
})

test('each attempt is its own provider’s, and what failed is an error of the request', async (t) => {
  const { rig, seen } = setUp()
  await rig.ask({ model: 'pair' })
  rig.call.fail(timeoutFailure('first-token', 5))
  await turn()
  rig.call.fail(new GatewayError('upstream_unreachable'))
  await turn()
  t.match(seen, [
    { provider: 'north', attempts: 1, costNano: Number },
    { provider: 'south', requests: 1, errors: 1 },
  ])
  t.equal(seen.length, 2, 'what never reached a provider is no attempt')
})

test('tokens are counted without prices as well, and an unknown price is counted as such', async (t) => {
  for (const [prices, members] of [
    [NO_PRICES, { costNano: undefined, unpriced: undefined }],
    [
      { ...NO_PRICES, enabled: true, table: TABLE },
      { costNano: undefined, unpriced: 1 },
    ],
  ] as const) {
    const { rig, seen } = setUp({ ...prices, models: {} } as never)
    await rig.ask({ stream: false })
    rig.call.whole()
    await turn()
    t.match(seen[0], { attempts: 1, inputTokens: 11, ...members })
  }
})

test('a client that leaves is no error, and pays for what had come', async (t) => {
  const { rig, seen } = setUp()
  const sink = await rig.ask()
  rig.call.head().send(head, content[0].replace('Hel', 'x'.repeat(400)))
  sink.leave()
  await turn()
  t.match(seen, [
    { attempts: 1, outputTokens: 100 },
    { requests: 1, errors: undefined },
  ])
})

test('a key of the database has its team, its tags, and its end users if it may name them', async (t) => {
  const { rig, seen } = setUp()
  const team = { id: 'team_a', name: 'blue', models: ['*'], limits: KEY_LIMITS }
  for (const trustUser of [true, false]) {
    const key = keyOf({ name: 'app', team, tags: ['x'], trustUser, models: ['*'] })
    await rig.ask({ stream: false, key, body: { user: 'u1' } })
    rig.call.whole()
    await turn()
  }
  const key = keyOf({ name: 'app', team, tags: ['x'], trustUser: true, models: ['*'] })
  await rig.ask({ stream: false, key, surface: ANTHROPIC, body: { metadata: { user_id: 'u2' } } })
  rig.call.whole()
  await turn()
  t.match(seen[0], { owner: 'key_a', keyName: 'app', team: 'blue', tags: ['x'], user: 'u1' })
  t.same(
    seen.filter(({ requests }) => requests === 1).map(({ user }) => user),
    ['u1', null, 'u2'],
  )
})

test('a model that does not exist has no name of its own', async (t) => {
  const { rig, seen } = setUp()
  await rig.ask({ model: 'whatever-a-client-writes' })
  t.match(seen, [{ model: '', provider: '', requests: 1, errors: 1 }])
})

const KEY_LIMITS = { requestsPerMinute: null, tokensPerMinute: null, concurrency: null }
