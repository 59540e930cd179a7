// A pipeline with everything real but its two ends and the clock: a client's sink that writes down what it is told, and an
// upstream whose calls the test answers by hand. Codec work is done inline, or held until the test lets it go.
import {
  type BreakerConfig,
  type Config,
  type ModelConfig,
  type ProviderConfig,
  type RetryConfig,
  type Timeouts,
} from '../../src/config/types.js'
import { GatewayError } from '../../src/errors.js'
import { createLimiter, createLimiterCells } from '../../src/limit/cells.js'
import { type Limiter, type LimitSnapshot, type LocalLimiter, type Waiter } from '../../src/limit/limiter.js'
import { type JsonObject } from '../../src/model/json.js'
import { createOffload, type Offload } from '../../src/offload/offload.js'
import { type ExchangeHandle, type KeyIdentity } from '../../src/pipeline/client.js'
import { createPipeline, type DrainablePipeline } from '../../src/pipeline/lifecycle.js'
import { type PipelineParts } from '../../src/pipeline/parts.js'
import { type Answer, type Delivery, type Sink, type StreamFace, type StreamHead } from '../../src/pipeline/sink.js'
import { createCodec } from '../../src/protocols/codec.js'
import { PROTOCOLS } from '../../src/protocols/index.js'
import { type Dialect, type Surface } from '../../src/protocols/protocol.js'
import { Breakers } from '../../src/routing/breakers.js'
import { RetryBudget } from '../../src/routing/retry.js'
import { Router } from '../../src/routing/router.js'
import { type LogReader } from '../../src/stream/reader.js'
import { type ExchangeRecord, type Metrics, type Transport } from '../../src/telemetry/records.js'
import { type CallHandler, type UpstreamCall, type UpstreamRequest } from '../../src/upstream/call.js'
import { fakeTarget } from './fake-protocol.js'
import { ManualClock } from './limiter-setup.js'

export const OPENAI = 'openai-chat'
export const ANTHROPIC = 'anthropic-messages'
/** Of the one key, a minute; the clock stands still, so nothing comes back by itself. */
export const TOKEN_LIMIT = 1_000_000
export const PROVIDER_SLOTS = 2
export const KEEPALIVE_MS = 10_000
/** None but where a test asks for them; the rig's chance is always 0, so pauses are no longer than they must be. */
export const RETRIES: RetryConfig = { max: 0, baseDelayMs: 100, maxDelayMs: 1000, maxWaitMs: 10_000, budget: 0.2 }
/** Opens only where a test asks for it. */
export const BREAKER: BreakerConfig = {
  enabled: true,
  consecutiveFailures: 1000,
  errorRate: 1,
  minRequests: 1000,
  windowMs: 10_000,
  openMs: 5000,
  probes: 1,
}

/** A stream of each wire, frame by frame: a head without content, content, the end with usage, the end marker. */
export const STREAMS = {
  [OPENAI]: {
    head: chunk({ role: 'assistant', content: '' }),
    content: [chunk({ content: 'Hel' }), chunk({ content: 'lo, ' }), chunk({ content: 'you' })],
    finish: `${chunk({}, 'stop')}${sse({ ...CHUNK(), choices: [], usage: { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 } })}`,
    marker: 'data: [DONE]\n\n',
    endMarker: '[DONE]',
    failure: sse({ error: { message: 'It broke.', type: 'server_error', code: 'server_error' } }),
  },
  [ANTHROPIC]: {
    head: `${event({
      type: 'message_start',
      message: {
        id: 'msg_1',
        type: 'message',
        role: 'assistant',
        model: 'up',
        content: [],
        stop_reason: null,
        stop_sequence: null,
        usage: { input_tokens: 11, output_tokens: 1 },
      },
    })}${event({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } })}`,
    content: ['Hel', 'lo, ', 'you'].map((text) =>
      event({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } }),
    ),
    finish: `${event({ type: 'content_block_stop', index: 0 })}${event({
      type: 'message_delta',
      delta: { stop_reason: 'end_turn', stop_sequence: null },
      usage: { output_tokens: 7 },
    })}`,
    marker: event({ type: 'message_stop' }),
    endMarker: 'message_stop',
    failure: event({ type: 'error', error: { type: 'api_error', message: 'It broke.' } }),
  },
} as const

export type Wire = keyof typeof STREAMS

/** A whole answer of each wire. */
export const WHOLES: Readonly<Record<Wire, string>> = {
  [OPENAI]: JSON.stringify({
    ...CHUNK(),
    object: 'chat.completion',
    choices: [{ index: 0, message: { role: 'assistant', content: 'Hello, you' }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 },
  }),
  [ANTHROPIC]: JSON.stringify({
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: 'up',
    content: [{ type: 'text', text: 'Hello, you' }],
    stop_reason: 'end_turn',
    stop_sequence: null,
    usage: { input_tokens: 11, output_tokens: 7 },
  }),
}

function CHUNK(): JsonObject {
  return { id: 'c1', object: 'chat.completion.chunk', created: 1, model: 'up' }
}

function chunk(delta: JsonObject, finishReason: string | null = null): string {
  return sse({ ...CHUNK(), choices: [{ index: 0, delta, finish_reason: finishReason }] })
}

function sse(value: JsonObject): string {
  return `data: ${JSON.stringify(value)}\n\n`
}

function event(value: JsonObject): string {
  return `event: ${value.type}\n${sse(value)}`
}

/** Lets all microtasks and what they start run. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** A client's end. It takes everything at once unless it is paused. */
export class FakeSink implements Sink {
  readonly answers: Answer[] = []
  readonly heads: StreamHead[] = []
  readonly deliveries: Delivery[] = []
  /** What was called after the exchange had settled; must stay empty. */
  readonly late: string[] = []
  readonly chunks: Uint8Array[] = []
  keepalives = 0
  isPaused = false
  /** Throw where the next call of that name comes. */
  breaksAt: 'reply' | 'begin' | 'follow' | 'keepalive' | null = null
  /** The client is found gone when the stream begins to be followed. */
  isGoneAtFollow = false
  isSettled: () => boolean = () => false
  handle: ExchangeHandle | null = null
  readonly #kind: Transport
  #face: StreamFace | null = null
  #reader: LogReader | null = null
  #onDone: ((delivery: Delivery) => void) | null = null

  /** `sse`: as over HTTP, where the transport is `json` until a stream begins. */
  constructor(kind: Transport = 'sse') {
    this.#kind = kind
  }

  get transport(): Transport {
    return this.#kind === 'sse' && this.heads.length === 0 ? 'json' : this.#kind
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString()
  }

  /** The only answer, read as JSON. */
  get json(): JsonObject {
    return JSON.parse(Buffer.from(this.answers[0]?.body ?? '').toString()) as JsonObject
  }

  get isFollowing(): boolean {
    return this.#onDone !== null
  }

  reply(answer: Answer): void {
    this.#note('reply')
    this.answers.push(answer)
  }

  begin(head: StreamHead, face: StreamFace): void {
    this.#note('begin')
    this.heads.push(head)
    this.#face = face
  }

  keepalive(): void {
    this.#note('keepalive')
    this.keepalives += 1
    this.chunks.push(Buffer.from(this.#face?.keepaliveFrame ?? ''))
  }

  follow(attach: (onReadable: () => void) => LogReader, onDone: (delivery: Delivery) => void): void {
    this.#note('follow')
    this.#onDone = onDone
    this.#reader = attach(() => this.pump())
    if (this.isGoneAtFollow) this.leave()
  }

  /** Takes what the log has, and the end. */
  pump(): void {
    const reader = this.#reader
    if (this.isPaused || reader === null) return
    for (let entry = reader.read(); entry !== null; entry = reader.read()) this.chunks.push(entry)
    const end = reader.end()
    if (end === null) return
    if (end.error !== null) this.chunks.push(Buffer.from(this.#face?.encodeErrorFrame(end.error) ?? ''))
    this.#finish('delivered')
  }

  resume(): void {
    this.isPaused = false
    this.pump()
  }

  /** The client goes, as a transport tells it. */
  leave(result: 'client_gone' | 'slow_reader' = 'client_gone'): void {
    if (this.#onDone === null) this.handle?.cancel()
    else this.#finish(result)
  }

  #finish(result: Delivery['result']): void {
    const reader = this.#reader
    if (reader === null) return
    this.#reader = null
    reader.detach()
    const delivery = { result, bytes: this.text.length }
    this.deliveries.push(delivery)
    this.#onDone?.(delivery)
  }

  #note(call: string): void {
    if (this.isSettled()) this.late.push(call)
    if (this.breaksAt !== call) return
    this.breaksAt = null
    throw new Error(`the sink broke at ${call}`)
  }
}

/** One upstream call in the hands of the test. After `abort` it is silent, as the real one is. */
export class FakeCall implements UpstreamCall {
  readonly request: UpstreamRequest
  readonly timeouts: Timeouts
  readonly #handler: CallHandler
  bytesReceived = 0
  isReused = false
  attempts = 1
  tokens = 0
  aborts = 0
  hasHead = false
  /** Aborted, ended or failed. */
  isOver = false
  isEnded = false

  constructor(request: UpstreamRequest, handler: CallHandler, timeouts: Timeouts) {
    this.request = request
    this.timeouts = timeouts
    this.#handler = handler
  }

  abort(): void {
    if (!this.isOver) this.aborts += 1
    this.isOver = true
  }

  sawToken(): void {
    this.tokens += 1
  }

  get wire(): Wire {
    return this.request.provider.protocol as Wire
  }

  head(status = 200, headers: Readonly<Record<string, string>> = { 'content-type': 'text/event-stream' }): this {
    if (this.isOver || this.hasHead) return this
    this.hasHead = true
    this.#handler.onHead(status, headers)
    return this
  }

  send(...parts: readonly string[]): this {
    for (const part of parts) if (!this.isOver && this.hasHead) this.#handler.onBytes(Buffer.from(part))
    return this
  }

  end(): this {
    if (this.isOver || !this.hasHead) return this
    this.isOver = true
    this.isEnded = true
    this.#handler.onEnd()
    return this
  }

  fail(error: GatewayError): this {
    if (this.isOver) return this
    this.isOver = true
    this.isEnded = true
    this.#handler.onError(error)
    return this
  }

  cut(): this {
    return this.fail(new GatewayError(this.hasHead ? 'upstream_cut' : 'upstream_unreachable'))
  }

  timeOut(): this {
    return this.fail(new GatewayError('upstream_timeout'))
  }

  /** The whole stream and its end. */
  stream(): this {
    const { head, content, finish, marker } = STREAMS[this.wire]
    return this.head()
      .send(head, ...content, finish, marker)
      .end()
  }

  /** A whole answer and its end. */
  whole(body = WHOLES[this.wire]): this {
    return this.head(200, { 'content-type': 'application/json' }).send(body).end()
  }
}

type Work = 'decode' | 'encode' | 'aggregate' | 'transcode'
type HeldWork = { readonly work: Work; release(): void; refuse(): void }

/** Slots of targets are counted behind those of providers. */
const FIRST_TARGET = 1000

/** The limiter, with every taking and giving back counted: the cells themselves forgive what is given back twice. */
class CountingLimiter implements Limiter {
  readonly #limiter: LocalLimiter
  readonly #waiters = new Map<Waiter, Waiter>()
  slots = 0
  /** While set, tokens and provider slots are there only with it: as if another machine were asked. */
  asks: Promise<void> | null = null
  readonly providers = new Map<number, number>()
  reservations = 0

  constructor(limiter: LocalLimiter) {
    this.#limiter = limiter
  }

  takeRequest(keyIndex: number): void {
    this.#limiter.takeRequest(keyIndex)
  }

  enter(keyIndex: number, waiter: Waiter): boolean {
    const counting = {
      keyIndex,
      onEntered: () => {
        this.slots += 1
        waiter.onEntered()
      },
      onRefused: (error: GatewayError) => waiter.onRefused(error),
    }
    this.#waiters.set(waiter, counting)
    const isIn = this.#limiter.enter(keyIndex, counting)
    if (isIn) this.slots += 1
    return isIn
  }

  refusal(keyIndex: number) {
    return this.#limiter.refusal(keyIndex)
  }

  cancel(waiter: Waiter): void {
    this.#limiter.cancel(this.#waiters.get(waiter) ?? waiter)
  }

  leave(keyIndex: number): void {
    this.slots -= 1
    this.#limiter.leave(keyIndex)
  }

  reserveTokens(keyIndex: number, tokens: number): Promise<void> | null {
    this.#limiter.reserveTokens(keyIndex, tokens)
    this.reservations += 1
    return this.asks
  }

  settleTokens(keyIndex: number, reserved: number, used: number): void {
    this.reservations -= 1
    this.#limiter.settleTokens(keyIndex, reserved, used)
  }

  enterProvider(providerIndex: number): boolean | Promise<boolean> {
    const isIn = this.#limiter.enterProvider(providerIndex)
    if (isIn) this.#countProvider(providerIndex, 1)
    return this.asks === null ? isIn : this.asks.then(() => isIn)
  }

  leaveProvider(providerIndex: number): void {
    this.#countProvider(providerIndex, -1)
    this.#limiter.leaveProvider(providerIndex)
  }

  enterTarget(slot: number): boolean {
    const isIn = this.#limiter.enterTarget(slot)
    if (isIn) this.#countProvider(FIRST_TARGET + slot, 1)
    return isIn
  }

  leaveTarget(slot: number): void {
    this.#countProvider(FIRST_TARGET + slot, -1)
    this.#limiter.leaveTarget(slot)
  }

  targetLoad(slot: number): number {
    return this.#limiter.targetLoad(slot)
  }

  snapshot(keyIndex: number): LimitSnapshot {
    return this.#limiter.snapshot(keyIndex)
  }

  active(): number {
    return this.#limiter.active()
  }

  #countProvider(index: number, by: number): void {
    this.providers.set(index, (this.providers.get(index) ?? 0) + by)
  }
}

/** Metrics written down. */
export class FakeMetrics implements Metrics {
  started = 0
  readonly settled: ExchangeRecord[] = []
  readonly openStreams = new Map<Transport, number>()
  opened = 0
  readonly attempts: string[] = []
  readonly rejections: string[] = []
  readonly retries: string[] = []
  readonly interTokens: number[] = []
  slot(): number {
    return 0
  }
  exchangeStarted(): void {
    this.started += 1
  }
  jobCounts(): void {}
  jobRun(): void {}
  webhook(): void {}
  exchangeSettled(record: ExchangeRecord): void {
    this.settled.push(record)
  }
  streamOpened(transport: Transport): void {
    this.opened += 1
    this.openStreams.set(transport, (this.openStreams.get(transport) ?? 0) + 1)
  }
  streamClosed(transport: Transport): void {
    this.openStreams.set(transport, (this.openStreams.get(transport) ?? 0) - 1)
  }
  interToken(_slot: number, seconds: number): void {
    this.interTokens.push(seconds)
  }
  upstreamAttempt(_provider: string, result: string): void {
    this.attempts.push(result)
  }
  upstreamRetry(provider: string, kind: string): void {
    this.retries.push(`${provider} ${kind}`)
  }
  limitRejection(scope: string, limit: string): void {
    this.rejections.push(`${scope} ${limit}`)
  }
  offloadTask(): void {}
  offloadQueue(): void {}
  upstreamConnections(): void {}
  breakerState(): void {}
  eventLoopLag(): void {}
  redisState(): void {}
  redisCall(): void {}
}

export type RigOptions = {
  /** Of the gateway. */
  readonly concurrency?: number
  readonly queueMax?: number
  readonly requestsPerMinute?: number
  readonly tokensPerMinute?: number
  readonly providerSlots?: number
  readonly targetSlots?: number
  readonly maxResponseBytes?: number
  readonly maxReaderLagBytes?: number
  readonly keyModels?: readonly string[]
  readonly doneMarker?: boolean
  readonly errorDetails?: boolean
  /** Of the prompt library, by `language/name`. */
  readonly prompts?: Readonly<Record<string, string>>
  readonly breaker?: Partial<BreakerConfig>
  readonly retries?: Partial<RetryConfig>
}

export type Asking = {
  /** A wire, or a surface that has no upstream of its own. */
  readonly surface?: string
  readonly model?: string
  readonly stream?: boolean
  readonly body?: JsonObject
  readonly sink?: FakeSink
  readonly parameterHeaders?: Readonly<Record<string, string>>
}

const DIALECTS: ReadonlyMap<string, Dialect> = new Map(
  PROTOCOLS.flatMap(({ id, dialect }) => (dialect === null ? [] : [[id, dialect] as const])),
)

export function surfaceOf(wire: string): Surface {
  const surface = PROTOCOLS.find(({ id }) => id === wire)?.surface
  if (surface === null || surface === undefined) throw new Error(`no surface ${wire}`)
  return surface
}

/** Providers `north` and `south` speak one wire, `west` the other; the model `pair` falls back from north to south, `twins` has both. */
export class PipelineRig {
  readonly metrics = new FakeMetrics()
  readonly records: ExchangeRecord[] = []
  readonly calls: FakeCall[] = []
  readonly held: HeldWork[] = []
  readonly limiter: CountingLimiter
  readonly parts: PipelineParts
  readonly pipeline: DrainablePipeline
  /** Work that is held until it is released. */
  readonly holds = new Set<Work>()
  nowMs = 1000
  #serial = 0

  constructor(options: RigOptions = {}) {
    const config = createConfig(options)
    const { nowNs } = new ManualClock()
    this.limiter = new CountingLimiter(createLimiter(config, createLimiterCells(config), { nowNs }))
    this.parts = {
      config,
      limiter: this.limiter,
      offload: this.#createOffload(),
      router: new Router(config),
      retryBudget: new RetryBudget(config.routing.retries.budget),
      breakers: new Breakers(config.routing.breaker, () => this.nowMs),
      upstream: {
        call: (request, handler, timeouts) => {
          const call = new FakeCall(request, handler, timeouts)
          this.calls.push(call)
          return call
        },
      },
      metrics: this.metrics,
      log: {
        exchange: (record) => this.records.push(record),
        info() {},
        warn() {},
        error() {},
        flush: () => Promise.resolve(),
      },
      dialects: DIALECTS,
      prompts: { find: (name, language) => options.prompts?.[`${language}/${name}`] ?? null },
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
    const body = new Uint8Array(Buffer.from(JSON.stringify(fields)))
    sink.isSettled = () => this.records.some((record) => record.requestId === requestId)
    const request = {
      requestId,
      surface: surfaceOf(surface),
      key: KEY,
      body,
      parameterHeaders,
      acceptedAtMs: this.nowMs,
    }
    sink.handle = this.pipeline.start(request, sink)
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
    const inline = createOffload(createCodec(PROTOCOLS), {
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
      decode: (surfaceId, body) => perhaps('decode', () => inline.decode(surfaceId, body)),
      encode: (task) => perhaps('encode', () => inline.encode(task)),
      aggregate: (task) => perhaps('aggregate', () => inline.aggregate(task)),
      transcode: (task) => perhaps('transcode', () => inline.transcode(task)),
      close: () => inline.close(),
    }
  }
}

export const KEY: KeyIdentity = { index: 0, name: 'team-a', digest: 'd'.repeat(64) }
export const NORTH = 0
export const SOUTH = 1
export const WEST = 2

function createConfig(options: RigOptions): Config {
  const { doneMarker = true, providerSlots = PROVIDER_SLOTS } = options
  const provider = (name: string, protocol: Wire): ProviderConfig => ({
    name,
    profile: null,
    protocol,
    baseUrl: 'http://127.0.0.1:9/v1',
    apiKey: null,
    auth: { kind: 'none' },
    headers: {},
    limits: { concurrency: providerSlots },
    timeouts: { connectMs: 1000, firstTokenMs: 2000, betweenTokensMs: 3000, totalMs: 4000 },
    quirks: { ...fakeTarget(protocol).quirks, doneMarker },
    modelPatterns: [],
    knownModels: [],
    extraBody: {},
    keepAliveMs: 1000,
    maxConnections: null,
  })
  const model = (name: string, ...providers: readonly string[]): ModelConfig => ({
    name,
    targets: providers.slice(0, 1).map((each) => ({
      provider: each,
      model: 'up',
      weight: 1,
      concurrency: options.targetSlots ?? null,
      extraBody: {},
    })),
    fallbacks: providers.slice(1).map((each) => `at-${each}`),
    contextFallbacks: [],
    affinity: 'none',
    timeouts: {},
    hedge: null,
  })
  const twins = { targets: [...model('', 'north').targets, ...model('', 'south').targets] }
  const tokensPerMinute = options.tokensPerMinute ?? TOKEN_LIMIT
  return {
    server: {
      host: '127.0.0.1',
      port: 0,
      threads: 1,
      maxBodyBytes: 1_000_000,
      maxResponseBytes: options.maxResponseBytes ?? 1_000_000,
      maxReaderLagBytes: options.maxReaderLagBytes ?? 1_000_000,
      readerStallMs: 1000,
      keepaliveMs: KEEPALIVE_MS,
      drainMs: 1000,
      drainGraceMs: 0,
      tls: null,
      cors: { origins: [] },
      maxChatsPerSocket: 10,
    },
    offload: { minBytes: 1_000_000, workers: 1, maxQueue: 1, taskTimeoutMs: 1000 },
    keys: [
      {
        name: 'team-a',
        keySha256: '0'.repeat(64),
        models: options.keyModels ?? ['*'],
        limits: { requestsPerMinute: options.requestsPerMinute ?? null, tokensPerMinute, concurrency: null },
      },
    ],
    limits: {
      requestsPerMinute: null,
      tokensPerMinute: null,
      concurrency: options.concurrency ?? 10,
      shed: { lagMs: null },
      failedKeysPerMinute: null,
      queue: { max: options.queueMax ?? 10, timeoutMs: 60_000 },
      onRedisDown: 'local',
    },
    routing: { retries: { ...RETRIES, ...options.retries }, breaker: { ...BREAKER, ...options.breaker } },
    redis: { url: null },
    providers: [provider('north', OPENAI), provider('south', OPENAI), provider('west', ANTHROPIC)],
    models: [
      model('one', 'north'),
      model('pair', 'north', 'south'),
      model('mixed', 'north', 'west'),
      model('other', 'west'),
      { ...model('twins', 'north'), ...twins },
      { ...model('sticky', 'north'), ...twins, affinity: 'prefix' },
      { ...model('hedged', 'north'), ...twins, hedge: { afterMs: 500, percentile: null, maxExtra: 0.05 } },
      { ...model('usual', 'north'), ...twins, hedge: { afterMs: null, percentile: 90, maxExtra: 1 } },
      { ...model('small', 'north', 'west'), contextFallbacks: ['at-south'] },
      model('at-south', 'south'),
      model('at-west', 'west'),
    ],
    metrics: { port: null, token: null },
    prompts: { dir: '/nowhere', defaultLanguage: 'en' },
    jobs: JOBS,
    compat: {
      ...{ healthStatus: 'ok', apiPrefix: '/api', defaultModel: null, asyncByDefault: false },
      errorDetails: options.errorDetails ?? false,
    },
    log: { level: 'silent', file: null, format: 'json' },
    wellKnown: [],
    warnings: [],
    simulator: false,
  }
}

const JOBS: Config['jobs'] = {
  ...{ store: 'sqlite', path: '/nowhere/jobs.db', concurrency: 2, attempts: 3, timeoutMs: 1000, retentionMs: 1000 },
  ...{ leaseMs: 1000, maxPendingPerKey: 10, maxPending: 10 },
  webhook: {
    ...{ secret: null, previousSecret: null, allowInsecure: false, allowPrivateNetworks: false },
    timeoutMs: 1000,
  },
}

/** What must hold once everything that was asked has ended; the words of what does not. */
export function breaches(rig: PipelineRig, sinks: readonly FakeSink[]): string[] {
  const wrong: string[] = []
  const check = (isRight: boolean, what: string): void => {
    if (!isRight) wrong.push(what)
  }
  check(rig.records.length === sinks.length, `${rig.records.length} log lines for ${sinks.length} exchanges`)
  check(rig.metrics.started === sinks.length && rig.metrics.settled.length === sinks.length, 'started is not settled')
  for (const [transport, open] of rig.metrics.openStreams) check(open === 0, `${open} ${transport} streams open`)
  check(rig.pipeline.openCount() === 0, 'an exchange is open')
  check(rig.limiter.active() === 0 && rig.limiter.slots === 0, `${rig.limiter.slots} slots taken`)
  check(rig.limiter.reservations === 0, `${rig.limiter.reservations} reservations left`)
  for (const [index, taken] of rig.limiter.providers) check(taken === 0, `provider ${index}: ${taken} slots taken`)
  const spent = rig.records.reduce((sum, { usage }) => sum + usage.inputTokens + usage.outputTokens, 0)
  check(rig.tokensLeft === TOKEN_LIMIT - spent, `${TOKEN_LIMIT - rig.tokensLeft} tokens taken, ${spent} used`)
  for (const call of rig.calls) check(call.isOver, 'an upstream call is left running')
  check(rig.metrics.attempts.length === rig.calls.length, `${rig.metrics.attempts} for ${rig.calls.length} calls`)
  for (const sink of sinks) wrong.push(...sinkBreaches(sink))
  for (const { outcome, error } of rig.records) {
    if (outcome === 'complete') check(error === null, 'complete with an error')
  }
  return wrong
}

function sinkBreaches(sink: FakeSink): string[] {
  const wrong: string[] = []
  if (sink.late.length > 0) wrong.push(`after settle: ${sink.late}`)
  if (sink.answers.length > 1 || sink.deliveries.length > 1) wrong.push('answered twice')
  if (sink.answers.length > 0 && sink.heads.length > 0) wrong.push('a reply after the head of a stream')
  for (const { status } of sink.answers) if (status === 499 || status === 408) wrong.push(`told a client ${status}`)
  const isFailed = /"error":/.test(sink.text)
  if (isFailed && /^data: \[DONE\]|^event: message_stop/m.test(sink.text)) wrong.push('an end marker beside an error')
  return wrong
}
