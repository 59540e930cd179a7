// A node of the limits in Redis: its limiter, its link and what they told; and what Redis holds of all of them.
import { type DirectoryMemory } from '../../src/accounts/directory/memory.js'
import { DirectoryReader } from '../../src/accounts/directory/reader.js'
import { type GatewayError } from '../../src/errors.js'
import { accountPlaces } from '../../src/gateway/accounts/loop-accounts.js'
import {
  createLimiter,
  createLimiterCells,
  type LimiterConfig,
  type LimiterPlaces,
} from '../../src/limit/local/cells.js'
import { RedisLimiter, type RedisLimiterConfig } from '../../src/limit/shared/redis-limiter.js'
import { SharedState } from '../../src/limit/shared/shared-state.js'
import { type Teardown } from './gateway.js'
import { connectRedis, RedisServer } from './redis.js'

export type Settings = {
  readonly gateway?: Partial<Limits>
  readonly key?: Partial<Limits>
  readonly provider?: number | null
  readonly otherKeys?: readonly string[]
  readonly queue?: { readonly max: number; readonly timeoutMs: number }
  readonly onRedisDown?: 'local' | 'closed'
  readonly leaseMs?: number
  readonly callTimeoutMs?: number
  /** Keys of a database, known to all nodes at once. */
  readonly accounts?: DirectoryMemory
}
type Limits = { requestsPerMinute: number | null; tokensPerMinute: number | null; concurrency: number | null }
const NO_LIMITS: Limits = { requestsPerMinute: null, tokensPerMinute: null, concurrency: null }

/** Machines that run tests may be busy; a Redis that is killed is noticed all the same. */
const PATIENT_MS = 10_000
/** Where Redis hangs. */
export const CALL_TIMEOUT_MS = 400

/** A node and what it told. */
export class LimiterNode {
  readonly limiter: RedisLimiter
  readonly state: SharedState
  readonly states: boolean[] = []
  readonly rejections: string[] = []
  readonly #watchers: (() => void)[] = []

  constructor(url: string, settings: Settings) {
    const config: RedisLimiterConfig = {
      limits: {
        ...{ ...NO_LIMITS, ...settings.gateway },
        queue: settings.queue ?? { max: 0, timeoutMs: 5000 },
        onRedisDown: settings.onRedisDown ?? 'local',
      },
      keys: ['team-a', ...(settings.otherKeys ?? [])].map((name) => ({
        name,
        limits: { ...NO_LIMITS, ...(name === 'team-a' ? settings.key : {}) },
      })),
      providers: [
        { name: 'north', limits: { concurrency: settings.provider ?? null } },
        { name: 'flush', limits: { concurrency: 1000 } },
      ],
    }
    const onRejected = (scope: string, kind: string) => void this.rejections.push(`${scope} ${kind}`)
    this.state = new SharedState({
      url,
      nowNs: process.hrtime.bigint,
      onState: (isUp) => {
        this.states.push(isUp)
        for (const watch of this.#watchers) watch()
      },
      onCall: () => {},
      callTimeoutMs: settings.callTimeoutMs ?? PATIENT_MS,
      ...(settings.leaseMs === undefined ? {} : { leaseMs: settings.leaseMs }),
    })
    const whole = { ...config, models: [] }
    const accounts = settings.accounts === undefined ? null : new DirectoryReader(settings.accounts)
    const places = placesOf(whole, settings.accounts ?? null)
    const local = createLimiter(whole, createLimiterCells(whole, places), { places, accounts, onRejected })
    this.limiter = new RedisLimiter(config, { local, state: this.state, accounts, onRejected })
  }

  /** Resolves when the link is up or down. */
  until(isUp: boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => this.states.at(-1) === isUp && resolve()
      this.#watchers.push(look)
      look()
    })
  }

  /** Resolves when Redis has done all that this node told it. */
  async flush(): Promise<void> {
    if (await this.limiter.enterProvider(1)) this.limiter.leaveProvider(1)
  }

  /** A refusal by the local bucket is thrown, one by Redis comes later: here both come later. */
  async reserve(keyIndex: number, tokens: number): Promise<void> {
    await this.limiter.reserveTokens(keyIndex, tokens)
  }

  /** A request of a key, up to its slot; the error that refused it. */
  async admit(keyIndex = 0): Promise<GatewayError | null> {
    try {
      this.limiter.takeRequest(keyIndex)
      return await new Promise((resolve) => {
        const isIn = this.limiter.enter(keyIndex, { keyIndex, onEntered: () => resolve(null), onRefused: resolve })
        if (isIn) resolve(null)
      })
    } catch (thrown) {
      return thrown as GatewayError
    }
  }
}

/** Of each node for itself. */
function placesOf({ keys, providers }: LimiterConfig, directory: DirectoryMemory | null): LimiterPlaces {
  const { keyRoom, accounts } = accountPlaces(keys.length, directory)
  const room = { keys: keyRoom, providers: providers.length, targets: 0 }
  const places = { keys: [...keys.keys()], providers: [...providers.keys()], targets: [], room }
  return accounts === null ? places : { ...places, accounts }
}

/** Several nodes on a Redis of their own, and the first two by name. */
export async function startNodes(t: Teardown, count: number, settings: Settings) {
  const redis = await RedisServer.start(t)
  const nodes = Array.from({ length: count }, () => new LimiterNode(redis.url, settings))
  t.teardown(() => Promise.all(nodes.map(({ state }) => state.close())))
  await Promise.all(nodes.map(({ state }) => state.start()))
  const [first, second] = nodes
  if (first === undefined) throw new Error('no node')
  return { redis, first, second: second ?? first }
}

/** What Redis holds, for the eyes of the test alone. */
export async function slotsIn(redis: RedisServer): Promise<Record<string, string>> {
  const client = connectRedis(redis.url)
  const { 'provider:flush': _, ...slots } = await client.hgetall('{sluice}:slots')
  client.disconnect()
  return slots
}

/** How many were let in. */
export function admitted(answers: readonly (GatewayError | null)[]): number {
  return answers.filter((error) => error === null).length
}
