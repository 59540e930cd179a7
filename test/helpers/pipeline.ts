// A pipeline with everything real but its two ends and the clock: a client's sink that writes down what it is told, and an
// upstream whose calls the test answers by hand. Codec work is done inline, or held until the test lets it go.
import { GatewayError } from '../../src/errors.js'
import { createLimiter, createLimiterCells } from '../../src/limit/local/cells.js'
import { type JsonObject } from '../../src/model/json.js'
import { createOffload, type Offload } from '../../src/offload/offload.js'
import { type KeyIdentity, type PathFacts } from '../../src/pipeline/client.js'
import { type PipelineContext } from '../../src/pipeline/context.js'
import { createPipeline, type DrainablePipeline } from '../../src/pipeline/lifecycle.js'
import { Learned } from '../../src/pipeline/spending/learned.js'
import { openPriceBook } from '../../src/prices/price-book.js'
import { createCodec } from '../../src/protocols/contract/codec.js'
import { ENDPOINTS, PROTOCOLS } from '../../src/protocols/index.js'
import { ResponseIds } from '../../src/responses/response-ids.js'
import { Breakers } from '../../src/routing/breakers.js'
import { matchesGlob } from '../../src/routing/glob.js'
import { RetryBudget } from '../../src/routing/retry.js'
import { Router } from '../../src/routing/router.js'
import { ThinkingMemory } from '../../src/routing/thinking.js'
import { type HoldingSink } from '../../src/server/context.js'
import { type ExchangeRecord } from '../../src/telemetry/records.js'
import { AnswerSecrets } from '../../src/upstream/conceal.js'
import { CountingLimiter } from './counting-limiter.js'
import { FakeCall } from './fake-call.js'
import { type FakeDesk } from './fake-desk.js'
import { FakeMetrics } from './fake-metrics.js'
import { FakeSink } from './fake-sink.js'
import { ManualClock } from './limiter-setup.js'
import { createConfig, KEY, type RigOptions } from './pipeline-config.js'
import { DIALECTS, OPENAI, surfaceOf } from './pipeline-wires.js'

/** Lets all microtasks and what they start run. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

type Work = 'decode' | 'encode' | 'aggregate' | 'transcode'

type HeldWork = { readonly work: Work; release(): void; refuse(): void }

export type Asking = {
  /** A wire, or a surface that has no upstream of its own. */
  readonly surface?: string
  readonly model?: string
  readonly stream?: boolean
  readonly body?: JsonObject
  /** All of the body, where it is no chat. */
  readonly whole?: JsonObject
  readonly sink?: FakeSink
  /** Another sink before the client's own. */
  readonly wrap?: (sink: FakeSink) => HoldingSink
  readonly parameterHeaders?: Readonly<Record<string, string>>
  /** Its request was counted when it was accepted. */
  readonly isCounted?: boolean
  readonly path?: PathFacts
  /** Another than that of the configuration. */
  readonly key?: KeyIdentity
}

/** Providers `north` and `south` speak one wire, `west` the other; the model `pair` falls back from north to south, `twins` has both. */
export class PipelineRig {
  readonly metrics = new FakeMetrics()
  readonly records: ExchangeRecord[] = []
  readonly calls: FakeCall[] = []
  readonly held: HeldWork[] = []
  readonly limiter: CountingLimiter
  /** Of the limiter. */
  readonly limiterClock = new ManualClock()
  readonly parts: PipelineContext
  readonly pipeline: DrainablePipeline
  /** Work that is held until it is released. */
  readonly holds = new Set<Work>()
  readonly learned = new Learned()
  readonly budgets: FakeDesk | null
  nowMs = 1000
  #serial = 0

  constructor(options: RigOptions = {}) {
    const config = createConfig(options)
    this.budgets = options.budgets ?? null
    const { nowNs } = this.limiterClock
    this.limiter = new CountingLimiter(createLimiter(config, createLimiterCells(config), { nowNs }))
    this.parts = {
      config,
      limiter: this.limiter,
      offload: this.#createOffload(),
      router: new Router(config),
      retryBudget: new RetryBudget(config.routing.retries.budget),
      thinking: new ThinkingMemory(() => this.nowMs),
      breakers: new Breakers(config.routing.breaker, () => this.nowMs),
      upstream: {
        call: (request, handler, timeouts) => {
          const call = new FakeCall(request, handler, timeouts)
          this.calls.push(call)
          return call
        },
        secretsOf: () => [],
      },
      secrets: new AnswerSecrets(() => []),
      metrics: this.metrics,
      log: {
        exchange: (record) => this.records.push(record),
        info() {},
        warn() {},
        error() {},
        flush: () => Promise.resolve(),
      },
      prices: openPriceBook(config.prices, matchesGlob),
      dialects: DIALECTS,
      prompts: { find: (name, language) => options.prompts?.[`${language}/${name}`] ?? null },
      fetching: options.fetching ?? null,
      budgets: options.budgets === undefined ? null : { desk: options.budgets, learned: this.learned },
      accounts: options.accounts ?? null,
      responses: { ids: new ResponseIds(), desk: options.desk ?? null },
      clock: { nowMs: () => this.nowMs, unixSec: () => 1_700_000_000, random: () => 0 },
    }
    this.pipeline = createPipeline(this.parts)
  }

  /** The latest call. */
  get call(): FakeCall {
    const call = this.calls.at(-1)
    if (call === undefined) throw new Error('no upstream was called')
    return call
  }

  get record(): ExchangeRecord {
    const record = this.records.at(-1)
    if (record === undefined) throw new Error('nothing has settled')
    return record
  }

  get tokensLeft(): number {
    return this.limiter.snapshot(KEY.index).tokens?.remaining ?? 0
  }

  /** Starts an exchange and lets it go as far as it can. */
  async ask(asking: Asking = {}): Promise<FakeSink> {
    const { surface = OPENAI, model = 'one', stream = true, sink = new FakeSink(), parameterHeaders = {} } = asking
    const requestId = `req-${++this.#serial}`
    const fields = { model, stream, max_tokens: 100, messages: [{ role: 'user', content: 'Hi there' }], ...asking.body }
    const body = new Uint8Array(Buffer.from(JSON.stringify(asking.whole ?? fields)))
    sink.isSettled = () => this.records.some((record) => record.requestId === requestId)
    const request = {
      requestId,
      surface: surfaceOf(surface),
      key: asking.key ?? KEY,
      body,
      parameterHeaders,
      acceptedAtMs: this.nowMs,
      isCounted: asking.isCounted ?? false,
      path: asking.path ?? null,
    }
    const outer = asking.wrap?.(sink)
    sink.handle = this.pipeline.start(request, outer ?? sink)
    outer?.hold(sink.handle)
    await turn()
    return sink
  }

  /** Lets held work go on, in the order it came. */
  async release(): Promise<void> {
    for (const held of this.held.splice(0)) held.release()
    await turn()
  }

  /** Held work fails as it does when a worker is lost. */
  async refuse(): Promise<void> {
    for (const held of this.held.splice(0)) held.refuse()
    await turn()
  }

  #createOffload(): Offload {
    const inline = createOffload(createCodec(PROTOCOLS, ENDPOINTS), {
      minBytes: Number.POSITIVE_INFINITY,
      workers: 1,
      maxQueue: 1,
      taskTimeoutMs: 1000,
      metrics: this.metrics,
    })
    const perhaps = <T>(work: Work, run: () => T | Promise<T>): T | Promise<T> => {
      if (!this.holds.has(work)) return run()
      return new Promise((resolve, reject) => {
        const release = () => {
          try {
            resolve(run())
          } catch (thrown) {
            reject(thrown)
          }
        }
        this.held.push({ work, release, refuse: () => reject(new GatewayError('overloaded')) })
      })
    }
    return {
      skim: (surfaceId, body) => perhaps('decode', () => inline.skim(surfaceId, body)),
      decode: (surfaceId, body) => perhaps('decode', () => inline.decode(surfaceId, body)),
      encode: (task) => perhaps('encode', () => inline.encode(task)),
      aggregate: (task) => perhaps('aggregate', () => inline.aggregate(task)),
      transcode: (task) => perhaps('transcode', () => inline.transcode(task)),
      close: () => inline.close(),
    }
  }
}

export const NORTH = 0

export const SOUTH = 1

export const WEST = 2
