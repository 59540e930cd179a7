// Two gateways and a Redis, all processes of their own, and clients that come back with the number of their last frame: both gateways
// are replaced while streams run, one is killed, Redis dies and comes back. Nothing is lost but what a killed gateway had not stored, and
// then the client is told; the same for streams that several clients share. SOAK_STREAMS=n, a multiple of 24, for the large form.
import { createServer } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { type Test, test } from 'tap'
import { breachesOf, readStream, type Story } from '../helpers/cursor-client.js'
import { freePort } from '../helpers/free-port.js'
import { type Running, simulatedProviders, startGateway, startSimulator } from '../helpers/gateway.js'
import { connectRedis, RedisServer } from '../helpers/redis.js'

const STREAMS = Number(process.env.SOAK_STREAMS ?? 24)
const TOKENS_PER_SECOND = 20
/** Longer than a drain by far, and than a dead node's lease. */
const TOKENS = 200
const DRAIN_MS = 1500
const GRACE_MS = 200
const SHARED_MODELS = ['coalesced', 'cached', 'both']
/** Equal requests at one node. */
const GROUP = 4
const KEY = 'kept-nodes-key-0123456789abcdef'

/** A place in the deployment: an address at which one gateway after the other listens. */
class Place {
  readonly #t: Test
  readonly #config: (port: number) => object
  readonly port: number
  gateway: Running | null = null

  constructor(t: Test, port: number, config: (port: number) => object) {
    this.#t = t
    this.port = port
    this.#config = config
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}`
  }

  async start(): Promise<void> {
    this.gateway = await startGateway(this.#t, { config: this.#config(this.port) })
  }

  /** The next one takes its place as soon as it no longer listens. Resolves then, with the exit of the former one. */
  async replace(): Promise<{ readonly exit: Promise<number | string>; readonly former: Running }> {
    const former = this.gateway
    if (former === null) throw new Error('not started')
    const exit = former.stop('SIGTERM')
    while (await this.#isListening()) await setTimeout(10)
    await this.start()
    return { exit, former }
  }

  async #isListening(): Promise<boolean> {
    const probe = createServer()
    const isTaken = await new Promise<boolean>((resolve) => {
      probe.once('error', () => resolve(true))
      probe.listen(this.port, '127.0.0.1', () => resolve(false))
    })
    await new Promise((resolve) => probe.close(resolve))
    return isTaken
  }
}

async function deploy(t: Test, threads = 1) {
  const redis = await RedisServer.start(t)
  const simulator = await startSimulator(t, ['--tokens-per-second', String(TOKENS_PER_SECOND)])
  const quick = await startSimulator(t)
  const configOf = (port: number) => ({
    server: { port, threads, drainMs: DRAIN_MS, drainGraceMs: GRACE_MS },
    keys: [{ name: 'team', key: KEY }],
    limits: { shed: { lagMs: null } },
    redis: { url: redis.url },
    streams: { store: 'redis', tokenSecret: 'a-secret-of-all-nodes', graceMs: 60_000 },
    providers: { ...simulatedProviders(simulator.origin), quick: simulatedProviders(quick.origin).openai },
    models: {
      coalesced: { targets: ['openai/lorem-max'], coalesce: true },
      cached: { targets: ['openai/lorem-max'], cache: { ttlMs: 60_000 } },
      both: { targets: ['openai/lorem-max'], coalesce: true, cache: { ttlMs: 60_000 } },
    },
  })
  const places = [new Place(t, await freePort(), configOf), new Place(t, await freePort(), configOf)] as const
  await Promise.all(places.map((place) => place.start()))
  const body = {
    model: 'openai/lorem-max',
    stream: true,
    max_tokens: TOKENS,
    messages: [{ role: 'user', content: 'Hi' }],
  }
  const headers = { authorization: `Bearer ${KEY}` }
  const origins = places.map(({ origin }) => origin)
  const whole = (await readStream({ nodes: origins, body: { ...body, model: 'quick/lorem-max' }, headers })).text
  t.equal(whole.split(' ').length, TOKENS)
  /** Half of them ask one node first, half the other. */
  const open = (count: number): Promise<Story>[] =>
    Array.from({ length: count }, (_, i) =>
      readStream({ nodes: i % 2 === 0 ? origins : [...origins].reverse(), body, headers }),
    )
  /** In groups of four that ask one node for the same, one of each on its own, the rest with it. */
  const openShared = (count: number): Promise<Story>[] =>
    Array.from({ length: count }, (_, i) => {
      const model = SHARED_MODELS[i % SHARED_MODELS.length]
      const group = Math.floor(i / (SHARED_MODELS.length * GROUP))
      const messages = [{ role: 'user', content: `Hi ${group}` }]
      const nodes = group % 2 === 0 ? origins : [...origins].reverse()
      return readStream({ nodes, body: { ...body, model, messages }, headers })
    })
  return { redis, places, whole, open, openShared }
}

/** All streams are under way, as the nodes count them. */
async function underWay(places: readonly Place[], count: number): Promise<void> {
  let open = 0
  while (open < count) {
    await setTimeout(50)
    const pages = await Promise.all(
      places.map(async ({ origin }) =>
        (await fetch(`${origin}/metrics`, { headers: { authorization: `Bearer ${KEY}` } })).text(),
      ),
    )
    open = pages.reduce((sum, page) => sum + Number(/^sluice_active_requests (\d+)/m.exec(page)?.[1] ?? 0), 0)
  }
}

function tally(stories: readonly Story[], whole: string): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const story of stories) {
    for (const found of [story.end, ...breachesOf(story, whole)]) counts[found] = (counts[found] ?? 0) + 1
  }
  return counts
}

test(`a rolling restart of both nodes under ${STREAMS} streams loses none of them`, async (t) => {
  const { places, whole, open } = await deploy(t)
  const [north, south] = places
  const reading = open(STREAMS)
  await underWay(places, STREAMS)
  const first = await north.replace()
  const second = await south.replace()
  const stories = await Promise.all(reading)
  t.same(tally(stories, whole), { complete: STREAMS })
  const ofNorth = stories.filter((_, i) => i % 2 === 0)
  t.ok(
    ofNorth.every(({ connections }) => connections >= 2),
    'each of the first was handed over',
  )
  t.same(await Promise.all([first.exit, second.exit]), [0, 0], 'the former ones have ended by themselves')
  const outcomes = [first.former, second.former].flatMap(({ lines }) => lines.flatMap(({ outcome }) => outcome ?? []))
  t.equal(
    outcomes.filter((outcome) => outcome === 'complete').length,
    STREAMS + 1,
    'and have read every answer to its end',
  )
  t.same(
    outcomes.filter((outcome) => outcome !== 'complete'),
    [],
  )
})

test(`kill -9 of one node under ${2 * STREAMS} streams: its clients get what was said, then upstream_cut; the others all`, async (t) => {
  const { redis, places, whole, open, openShared } = await deploy(t)
  const [north] = places
  const reading = [...open(STREAMS), ...openShared(STREAMS)]
  await underWay(places, 2 * STREAMS)
  await setTimeout(1000)
  // Its clients get frames that are stored nowhere: they must not be told that nothing follows those.
  redis.pause()
  await setTimeout(500)
  await north.gateway?.stop('SIGKILL')
  redis.resume()
  const stories = await Promise.all(reading)
  t.same(tally(stories, whole), { complete: STREAMS, upstream_cut: STREAMS })
  t.ok(stories.every(({ end, numbers }) => end === 'complete' || numbers.length > TOKENS_PER_SECOND / 2))
})

test(`Redis dies, comes back empty, and then both nodes of two event loops are replaced under ${2 * STREAMS} streams: none is lost`, async (t) => {
  const { redis, places, whole, open, openShared } = await deploy(t, 2)
  const [north, south] = places
  const reading = [...open(STREAMS), ...openShared(STREAMS)]
  await underWay(places, 2 * STREAMS)
  await redis.kill()
  await setTimeout(1500)
  await redis.startAgain()
  const client = connectRedis(redis.url)
  const heads = async (): Promise<number> =>
    (await client.keys('{sluice}:streams:str_*')).filter((key) => /str_[^:]+$/.test(key)).length
  while ((await heads()) < 2 * STREAMS) await setTimeout(20)
  client.disconnect()
  const exits = [(await north.replace()).exit, (await south.replace()).exit]
  t.same(tally(await Promise.all(reading), whole), { complete: 2 * STREAMS })
  t.same(await Promise.all(exits), [0, 0])
})

test(`a rolling restart of both nodes under ${STREAMS} streams of models that share them loses none`, async (t) => {
  const { redis, places, whole, openShared } = await deploy(t)
  const [north, south] = places
  const reading = openShared(STREAMS)
  await underWay(places, STREAMS)
  await setTimeout(500)
  const client = connectRedis(redis.url)
  // The model without followers has a run for each request, the others have one for each group.
  const runs = (STREAMS / SHARED_MODELS.length / GROUP) * (GROUP + 2)
  const logs = (await client.keys('{sluice}:streams:str_*:log')).length
  t.equal(logs, runs + 1, 'the frames of a run are stored once, beside those of the text to compare with')
  t.equal((await client.keys('{sluice}:streams:str_*:handles')).length, runs)
  client.disconnect()
  const first = await north.replace()
  const second = await south.replace()
  const stories = await Promise.all(reading)
  t.same(tally(stories, whole), { complete: STREAMS })
  t.equal(new Set(stories.map(({ stream }) => stream)).size, STREAMS, 'each under an id of its own')
  t.ok(
    stories.every(({ connections }) => connections >= 2),
    'each was handed over',
  )
  t.same(await Promise.all([first.exit, second.exit]), [0, 0])
})
