// Claims of several nodes against a real Redis and a model of what each of them knows: whatever is lost, repeated, late or forgotten, no more
// is granted than there is, and in the end what is used is what was spent.
import { test } from 'tap'
import { type ClaimCall, SpendCalls } from '../../../../src/accounts/budgets/shared/spend-calls.js'
import {
  readSpendScripts,
  type SpendScript,
  windowKeys,
} from '../../../../src/accounts/budgets/shared/spend-scripts.js'
import { MAX_BUDGET_USERS } from '../../../../src/accounts/budgets/user-slots.js'
import { type Teardown } from '../../../helpers/gateway.js'
import { Random } from '../../../helpers/random.js'
import { connectRedis, type Redis, RedisServer } from '../../../helpers/redis.js'

const NAMES = ['node1', 'node2', 'node3'] as const
const STEPS = 1500
const LIMIT = 1000
const PLACE = { budgetId: 'budget_x', windowStartMs: 0 }
const LASTING = { ...PLACE, limit: LIMIT, version: 1, plus: 0, minus: 0, forgetMs: Date.now() + 3_600_000 }
const NOTHING = { claimed: 0, reserved: 0, unused: 0, wanted: 0, ahead: 0 }
const LONG_LEASE_MS = 3_600_000

async function startRedis(t: Teardown): Promise<Redis> {
  const server = await RedisServer.start(t)
  const redis = connectRedis(server.url)
  t.teardown(() => redis.disconnect())
  return redis
}

type Sent = { readonly name: SpendScript; readonly keys: readonly string[]; readonly args: readonly unknown[] }

/** Runs scripts as a connection does, and remembers the last call. */
function lineTo(redis: Redis) {
  const texts = readSpendScripts()
  const line = {
    last: null as Sent | null,
    run(name: SpendScript, keys: readonly string[], args: readonly (string | number | Buffer)[]) {
      line.last = { name, keys, args }
      return redis.eval(texts.get(name) ?? '', keys.length, ...keys, ...args)
    },
    again: (sent: Sent) => line.run(sent.name, sent.keys, sent.args as (string | number)[]),
  }
  return line
}

/** One node as it knows itself. */
class Node {
  readonly name: string
  readonly line: ReturnType<typeof lineTo>
  readonly calls: SpendCalls
  /** All that it may use. */
  claimed = 0
  spent = 0
  /** Of that, what the database has. */
  stored = 0
  readonly held: number[] = []
  debt = 0

  constructor(redis: Redis, name: string, leaseMs = LONG_LEASE_MS) {
    this.name = name
    this.line = lineTo(redis)
    this.calls = new SpendCalls(name, this.line.run, { leaseMs })
  }

  get reserved(): number {
    return this.held.reduce((sum, amount) => sum + amount, 0)
  }

  get used(): number {
    return this.spent + this.reserved
  }

  call(wanted: number, ahead: number): ClaimCall {
    this.claimed = Math.max(this.claimed, this.used)
    const { claimed, reserved, used } = this
    return { ...LASTING, claimed, reserved, unused: claimed - used, wanted, ahead }
  }

  /** `isHeard`: the answer arrives. */
  async claim({ wanted = 0, ahead = 0, isHeard = true, isLast = false } = {}) {
    const [answer] = (await this.calls.claim([this.call(wanted, ahead)], isLast)) ?? []
    if (answer === undefined) throw new Error('late')
    // Counted by the script, whether or not anybody hears of it.
    this.debt += answer.debt
    if (isHeard) this.claimed += answer.granted
    return answer
  }
}

async function totalOf(redis: Redis): Promise<number> {
  return Number(await redis.hget(windowKeys(PLACE)[0], 'total'))
}

async function seed(nodes: readonly Node[], base: number): Promise<void> {
  const stored = nodes.filter((node) => node.stored > 0).map(({ name, stored: amount }) => ({ node: name, amount }))
  await nodes[0]?.calls.seed([{ ...PLACE, base, plus: 0, minus: 0, users: 0, forgetMs: LASTING.forgetMs, stored }])
}

test('no more is granted than there is, whatever is lost, repeated, late or forgotten', async (t) => {
  const redis = await startRedis(t)
  const random = Random.ofRun()
  t.comment(`SEED=${random.seed}`)
  const upTo = (n: number): number => Math.floor(random.below(n + 1))
  const nodes = NAMES.map((name) => new Node(redis, name))
  const base = 100
  for (const node of nodes) await node.calls.register(NAMES)
  await seed(nodes, base)
  for (const node of nodes) await node.claim({ isLast: true })
  let worst = 0
  let losses = 0
  const old: { readonly node: Node; readonly sent: Sent }[] = []
  const sum = (of: (node: Node) => number): number => nodes.reduce((all, node) => all + of(node), 0)
  const acts: Record<string, (node: Node) => Promise<void>> = {
    async ask(node) {
      const answer = await node.claim({ wanted: upTo(60), ahead: upTo(200), isHeard: random.below(1) < 0.8 })
      if (answer.state !== 'granted') throw new Error(answer.state)
      if (node.line.last !== null && random.below(5) < 1) old.push({ node, sent: node.line.last })
    },
    async reserve(node) {
      const amount = Math.min(upTo(40), node.claimed - node.used)
      if (amount > 0) node.held.push(amount)
    },
    async settle(node) {
      const amount = node.held.pop()
      if (amount === undefined) return
      // Now and then the provider counts more.
      node.spent += random.below(20) < 1 ? amount + upTo(5) : upTo(amount)
    },
    async giveBack(node) {
      node.claimed = node.used + upTo(Math.max(0, node.claimed - node.used))
      await node.claim()
    },
    async store(node) {
      node.stored = node.spent
    },
    async late() {
      const one = old.shift()
      if (one !== undefined) t.equal(((await one.node.line.again(one.sent)) as number[])[0], -1)
    },
    async lose() {
      losses += 1
      await redis.flushall()
      for (const node of nodes) await node.calls.register(NAMES)
      const [first, ...others] = nodes as [Node, ...Node[]]
      // Its answer may be that the window is to be seeded, or that it has to wait for others.
      const early = await first.claim({ wanted: 50, ahead: 50, isLast: true })
      if (early.granted !== 0) t.fail('granted before everybody has told')
      await seed(nodes, base)
      t.match(await first.claim({ wanted: 50 }), { state: 'closed', granted: 0 })
      for (const node of others) await node.claim({ isLast: true })
    },
  }
  const kinds = ['ask', 'ask', 'ask', 'reserve', 'reserve', 'settle', 'settle', 'giveBack', 'store', 'late'] as const
  for (let step = 0; step < STEPS; step++) {
    const kind = random.below(100) < 1 ? 'lose' : random.pick(kinds)
    await acts[kind]?.(random.pick(nodes))
    const used = base + sum((node) => Math.max(node.used, node.claimed))
    // What was not told yet beyond a claim is a debt as well.
    const untold = sum((node) => Math.max(0, node.used - node.claimed))
    worst = Math.max(worst, used - LIMIT - sum((node) => node.debt) - untold)
  }
  t.ok(worst <= 0, `never more than ${worst} beyond the budget and the debt`)
  t.ok(losses > 0)
  for (const node of nodes) {
    while (node.held.length > 0) node.spent += Math.floor((node.held.pop() ?? 0) / 2)
    node.claimed = node.used
    await node.claim()
  }
  t.equal(await totalOf(redis), base + sum((node) => node.spent), 'all that was spent, once')
  const answer = await nodes[0]?.claim()
  t.match(answer, { reserved: 0, unused: 0 })
})

test('what requests wait for is granted as far as there is anything; in advance only a part of the rest', async (t) => {
  const redis = await startRedis(t)
  const [one, two] = ['node1', 'node2'].map((name) => new Node(redis, name)) as [Node, Node]
  for (const node of [one, two]) await node.calls.register([])
  await seed([one], 0)
  t.match(await one.claim({ wanted: 100, ahead: 10_000 }), { granted: 128 }, 'a sixteenth of 900 for two nodes')
  t.match(await two.claim({ wanted: 10_000, ahead: 10_000 }), { granted: 872, total: LIMIT })
  t.match(await one.claim({ wanted: 1 }), { granted: 0 })
  two.held.push(800)
  two.claimed = 800
  await two.claim()
  t.match(await one.claim({ wanted: 80 }), { granted: 72, total: LIMIT, reserved: 800, unused: 200 })
})

test('a node whose lease is over is charged with all it claims until it or its successor tells what it spent', async (t) => {
  const redis = await startRedis(t)
  const [alive, dead] = [new Node(redis, 'alive'), new Node(redis, 'dead', 1)]
  for (const node of [alive, dead]) await node.calls.register([])
  await seed([alive], 0)
  await dead.claim({ wanted: 400 })
  dead.held.push(300)
  await dead.claim()
  t.match(await dead.claim(), { total: 400, reserved: 300, unused: 100 })
  // By the clock of Redis.
  const lapsed = new SpendCalls('alive2', alive.line.run, { leaseMs: 1 })
  await new Promise((resolve) => setTimeout(resolve, 5))
  await lapsed.register([])
  const [seen] = (await lapsed.claim([{ ...LASTING, ...NOTHING }], false)) ?? []
  t.match(seen, { total: 400, reserved: 0, unused: 0 }, 'shown as spent')
  t.match(await dead.claim(), { total: 400, reserved: 300, unused: 100 }, 'it comes back with what it had')
  t.same(await alive.calls.windowsOf('dead'), [PLACE])
  for (const _ of [1, 2]) {
    await alive.calls.finish('dead', [{ ...PLACE, amount: 120 }])
    t.equal(await totalOf(redis), 120)
  }
  await alive.calls.leave('dead')
  t.same(await alive.calls.windowsOf('dead'), [])
  t.match(await alive.claim({ wanted: 5000 }), { granted: LIMIT - 120, unused: LIMIT - 120 })
})

test('what a node had unused when it was last heard is given to nobody: it may have been used since', async (t) => {
  const redis = await startRedis(t)
  const [alive, dead] = [new Node(redis, 'alive', 1), new Node(redis, 'dead', 1)]
  for (const node of [alive, dead]) await node.calls.register([])
  await seed([alive], 0)
  await dead.claim({ wanted: 400 })
  // It tells nobody that it reserves, and is killed while the provider serves it.
  dead.held.push(400)
  while (await redis.zscore('{sluice}:spend:nodes', 'dead')) await alive.claim()
  t.match(await alive.claim({ wanted: 5000 }), { granted: LIMIT - 400, total: LIMIT, unused: LIMIT - 400 })
  const [raised] = (await alive.calls.claim([{ ...alive.call(5000, 0), limit: LIMIT + 400, version: 2 }], false)) ?? []
  t.match(raised, { granted: 400 }, 'an operator who knows more raises the limit')
  alive.claimed += raised?.granted ?? 0
  await alive.calls.finish('dead', [{ ...PLACE, amount: 400 }])
  t.equal(await totalOf(redis), LIMIT + 400, 'what it spent in the end is no more than was counted')
})

test('a window that is not known is seeded with what nodes have stored, or with what they claim if that is more', async (t) => {
  const redis = await startRedis(t)
  const [one, two] = ['node1', 'node2'].map((name) => new Node(redis, name)) as [Node, Node]
  for (const node of [one, two]) await node.calls.register([])
  Object.assign(one, { spent: 50, stored: 30, claimed: 90 })
  Object.assign(two, { spent: 70, stored: 70 })
  t.match(await one.claim({ wanted: 10 }), { state: 'unknown', granted: 0 })
  const known = { ...PLACE, base: 5, plus: 7, minus: 2, forgetMs: LASTING.forgetMs }
  const stored = [
    { node: 'node1', amount: 30 },
    { node: 'node2', amount: 70 },
    { node: 'former', amount: 11 },
  ]
  await two.calls.seed([{ ...known, users: 0, stored }])
  await two.calls.seed([{ ...known, users: 0, base: 400, stored }])
  t.equal(await totalOf(redis), 5 + 7 - 2 + 90 + 70 + 11, 'the first one counts')
  await two.claim()
  t.equal(await totalOf(redis), 5 + 7 - 2 + 90 + 70 + 11)
})

test('a window that begins later than all that Redis knows begins with nothing, without the database', async (t) => {
  const redis = await startRedis(t)
  const node = new Node(redis, 'node1')
  await node.calls.register([])
  const nowMs = Date.now()
  const calls = [nowMs - 3_600_000, nowMs, nowMs + 3_600_000].map((windowStartMs) => {
    return { ...LASTING, ...NOTHING, windowStartMs, wanted: 1, forgetMs: windowStartMs + 7_200_000 }
  })
  const states = ((await node.calls.claim(calls, true)) ?? []).map(({ state }) => state)
  t.same(states, ['unknown', 'unknown', 'granted'])
  const [key] = windowKeys({ ...PLACE, windowStartMs: nowMs + 3_600_000 })
  t.ok((await redis.pttl(key)) > 0, 'it is forgotten by itself')
})

test('the latest limit and all adjustments hold, whichever node tells of them', async (t) => {
  const redis = await startRedis(t)
  const node = new Node(redis, 'node1')
  await node.calls.register([])
  await seed([node], 100)
  const ask = async (over: Partial<ClaimCall>) => (await node.calls.claim([{ ...node.call(0, 0), ...over }], true))?.[0]
  t.match(await ask({ limit: 150, version: 3, wanted: 1000 }), { granted: 50 })
  t.match(await ask({ limit: 1000, version: 2, wanted: 1000 }), { granted: 50 }, 'an older one is not heard')
  t.match(await ask({ limit: 1000, version: 4, plus: 30, minus: 10 }), { total: 120 })
  t.match(await ask({ limit: 1000, version: 4, plus: 30, minus: 0 }), { total: 120 })
  t.match(await ask({ limit: 60, version: 5, wanted: 10, minus: 20 }), { total: 110, granted: 0, debt: 0 })
  t.match(await ask({ limit: 60, version: 5, claimed: 7, minus: 20 }), { total: 117, debt: 7 }, 'spent beyond it')
})

test('amounts are exact up to the largest budget', async (t) => {
  const redis = await startRedis(t)
  const node = new Node(redis, 'node1')
  await node.calls.register([])
  await seed([node], 8_999_999_999_999_997)
  const [answer] = (await node.calls.claim([{ ...node.call(5, 0), limit: 9_000_000_000_000_000 }], true)) ?? []
  t.match(answer, { granted: 3, total: 9_000_000_000_000_000 })
})

test('a server that was restarted grants nothing until all have told, or the lease of those who have not is over', async (t) => {
  const redis = await startRedis(t)
  const [one, two] = [new Node(redis, 'node1', 50), new Node(redis, 'node2', 50)]
  for (const node of [one, two]) await node.calls.register([])
  await seed([one], 0)
  for (const node of [one, two]) await node.claim({ isLast: true })
  t.match(await one.claim({ wanted: 10 }), { state: 'granted', granted: 10 })
  // Of another run: what it has may be some moments old.
  await redis.hset('{sluice}:spend:state', 'run', 'former')
  await one.calls.register(['node1', 'node3'])
  t.match(await one.claim({ wanted: 10, isLast: true }), { state: 'closed', granted: 0, total: 10 })
  t.same((await redis.smembers('{sluice}:spend:awaited')).sort(), ['node2', 'node3'])
  await two.calls.register(['node1', 'node3'])
  await two.claim({ isLast: true })
  t.same(await redis.smembers('{sluice}:spend:awaited'), ['node3'])
  for (;;) {
    const { state, granted } = await one.claim({ wanted: 10 })
    if (state === 'closed') continue
    t.equal(granted, 10)
    break
  }
})

/** Of three users of one budget. */
const USER_PLACES = ['a', 'b', 'c'].map((user) => ({ budgetId: `budget_x/${user}`, windowStartMs: 0 }))

test('what end users have reserved adds up to what is shown of their budget, whatever is lost', async (t) => {
  const redis = await startRedis(t)
  const random = Random.ofRun()
  t.comment(`SEED=${random.seed}`)
  const nodes = NAMES.map((name) => new SpendCalls(name, lineTo(redis).run, { leaseMs: LONG_LEASE_MS }))
  const held = nodes.map(() => USER_PLACES.map(() => ({ reserved: 0, unused: 0 })))
  const tell = async (n: number, u: number) => {
    const { reserved, unused } = held[n]?.[u] ?? { reserved: 0, unused: 0 }
    const call = { ...LASTING, ...USER_PLACES[u], ...NOTHING, claimed: reserved + unused, reserved, unused }
    await nodes[n]?.claim([{ ...PLACE, ...call }], false)
  }
  for (const node of nodes) await node.register([])
  for (let step = 0; step < 300; step++) {
    const [n, u] = [random.below(nodes.length), random.below(USER_PLACES.length)].map(Math.floor) as [number, number]
    if (random.below(20) < 1) {
      await redis.flushall()
      for (const node of nodes) await node.register([])
      for (const each of nodes.keys()) for (const user of USER_PLACES.keys()) await tell(each, user)
      const known = { base: 0, plus: 0, minus: 0, stored: [], users: 0, forgetMs: LASTING.forgetMs }
      await nodes[n]?.seed(USER_PLACES.map((place) => ({ ...place, ...known })))
    }
    const own = held[n]?.[u]
    if (own !== undefined)
      Object.assign(own, { reserved: Math.floor(random.below(9)), unused: Math.floor(random.below(9)) })
    await tell(n, u)
    const [whole] = (await nodes[0]?.look([PLACE])) ?? []
    const all = held.flat()
    const sums = [all.reduce((sum, each) => sum + each.reserved, 0), all.reduce((sum, each) => sum + each.unused, 0)]
    if (whole?.reserved !== sums[0] || whole?.unused !== sums[1])
      t.same([whole?.reserved, whole?.unused], sums, `${step}`)
  }
  const [, b] = (await nodes[1]?.look(USER_PLACES)) ?? []
  const own = held.map((users) => users[1]?.reserved ?? 0)
  t.equal(
    b?.reserved,
    own.reduce((sum, each) => sum + each, 0),
  )
})

test('end users are counted once over all nodes; further ones are told so, and none that has claimed something', async (t) => {
  const redis = await startRedis(t)
  const [one, two] = NAMES.map((name) => new SpendCalls(name, lineTo(redis).run)) as [SpendCalls, SpendCalls]
  for (const node of [one, two]) await node.register([])
  const startMs = Date.now() + 3_600_000
  const of = (user: string) => ({ ...LASTING, ...NOTHING, budgetId: `budget_x/${user}`, windowStartMs: startMs })
  const counter = `${windowKeys({ budgetId: 'budget_x', windowStartMs: startMs })[0]}:users`
  for (const node of [one, two]) t.match(await node.claim([{ ...of('a'), wanted: 5 }], false), [{ state: 'granted' }])
  t.equal(await redis.get(counter), '1')
  await redis.set(counter, MAX_BUDGET_USERS)
  t.match(
    await two.claim(
      [
        { ...of('b'), wanted: 5 },
        { ...of('a'), claimed: 5 },
      ],
      false,
    ),
    [
      { state: 'crowded', granted: 0, total: 0 },
      { state: 'granted', total: 10 },
    ],
  )
  t.equal(await redis.exists(windowKeys(of('b'))[0]), 0, 'nothing is kept of it')
  t.match(await one.claim([{ ...of('c'), claimed: 3, reserved: 3 }], false), [{ state: 'granted', total: 3 }])
  t.ok((await redis.pttl(counter)) > 0 || (await redis.get(counter)) !== null)
})

test('after a loss the database says who is known; others have room as long as there is any', async (t) => {
  const redis = await startRedis(t)
  const calls = new SpendCalls('node1', lineTo(redis).run)
  await calls.register([])
  const known = { base: 0, plus: 0, minus: 0, forgetMs: LASTING.forgetMs }
  const seed = (user: string, users: number, amount: number) => ({
    ...{ ...known, budgetId: `budget_x/${user}`, windowStartMs: 0, users },
    stored: amount === 0 ? [] : [{ node: 'former', amount }],
  })
  const claim = async (user: string) =>
    (await calls.claim([{ ...LASTING, ...NOTHING, ...seed(user, 0, 0) }], false))?.[0]
  t.match(await claim('new'), { state: 'unknown' })
  t.same(await calls.seed([seed('new', MAX_BUDGET_USERS - 1, 0), seed('old', MAX_BUDGET_USERS - 1, 7)]), [true, true])
  t.match([await claim('new'), await claim('old')], [{ total: 0 }, { total: 7 }])
  t.same(await calls.seed([seed('late', MAX_BUDGET_USERS, 0), seed('older', MAX_BUDGET_USERS, 9)]), [false, true])
  t.match([await claim('late'), await claim('older')], [{ state: 'unknown' }, { total: 9 }])
})
