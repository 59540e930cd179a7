// A pipeline whose requests share their answers: all real but its two ends, its memory and its clock. Clients leave as the transport
// tells it.
import { type SharingConfig } from '../../src/config/types.js'
import { type JsonObject } from '../../src/model/json.js'
import { type KeyIdentity, type PathFacts } from '../../src/pipeline/client.js'
import { type KeyedAsking, type SharingDesk, type SharingRequest } from '../../src/server/context.js'
import { type KeepPolicy, KeptSink } from '../../src/server/kept/kept-sink.js'
import { createSharing } from '../../src/server/sharing/open.js'
import { type Run, type SharingGround } from '../../src/server/sharing/sharing.js'
import { LinkTokens } from '../../src/streams/access/link-token.js'
import { type ReaderHow } from '../../src/streams/kept/readable-log.js'
import { KeptStreams, type ReaderResult } from '../../src/streams/kept/registry.js'
import { ExactCache } from '../../src/streams/sharing/exact-cache.js'
import { Graces } from '../../src/streams/sharing/graces.js'
import { RunIndex } from '../../src/streams/sharing/run-index.js'
import { type CacheResult } from '../../src/telemetry/records.js'
import { type FakeLoops } from './fake-loops.js'
import { FakeSink } from './fake-sink.js'
import { createFakeTimers } from './fake-timers.js'
import { type Teardown } from './gateway.js'
import { PipelineRig, turn } from './pipeline.js'
import { KEY, type RigOptions } from './pipeline-config.js'
import { OPENAI, STREAMS, surfaceOf } from './pipeline-wires.js'

export const GRACE_MS = 5000
export const KEEP_MS = 100_000

export type SharingRigOptions = RigOptions & {
  /** Null: no stream is kept for its client. */
  readonly keeps?: boolean
  readonly maxCacheBytes?: number
  /** Of all kept and shared streams. */
  readonly roomBytes?: number
  readonly maxStreamBytes?: number
  /** One of several event loops; by default there is one. */
  readonly place?: LoopPlace
}

/** Event loops that know of each other's runs. */
export type LoopPlace = { readonly loops: FakeLoops; readonly loopIndex: number }

export type SharedAsking = {
  readonly content?: string
  readonly stream?: boolean
  readonly model?: string
  readonly surface?: string
  readonly key?: KeyIdentity
  readonly path?: PathFacts
  readonly body?: JsonObject
  readonly parameterHeaders?: Readonly<Record<string, string>>
  readonly cacheControl?: string
  readonly retryCount?: string
  /** With `x-sluice-resume: 1`. */
  readonly asks?: boolean
  readonly idempotencyKey?: string
}

/** Equal streams are one. */
export const COALESCE = { coalesce: true, cache: null }
/** By then a shared stream without readers is given up. */
export const SEAM_MS = 100
export const RETRY = { retryCount: '1' }
export const SHOWS_PLACE = { parameterHeaders: { 'x-sluice-queue': '1' } }

export const FOREIGN_KEY: KeyIdentity = { ...KEY, owner: 'f'.repeat(64) }

/** One client of the rig. */
export class SharedClient {
  readonly sink = new FakeSink()
  readonly requestId: string
  desk: SharingDesk | null = null
  isGone = false
  readonly keyEvents: string[] = []

  constructor(requestId: string) {
    this.requestId = requestId
  }

  /** Its connection is lost. */
  async leave(): Promise<void> {
    this.isGone = true
    this.sink.isGoneAtFollow = true
    this.sink.leave()
    await turn()
  }

  get text(): string {
    return this.sink.text
  }

  /** Of its answer, whole or streamed. */
  header(name: string): string | undefined {
    const headers = this.sink.heads[0]?.headers ?? this.sink.answers[0]?.headers ?? []
    return headers.find(([each]) => each === name)?.[1]
  }

  get isDone(): boolean {
    return this.sink.deliveries[0]?.result === 'delivered' || this.sink.answers.length > 0
  }
}

export class SharingRig {
  readonly pipe: PipelineRig
  readonly timers = createFakeTimers()
  readonly ground: SharingGround
  /** In memory; tests may put another one in its place. */
  readonly cache: ExactCache
  readonly readers: string[] = []
  readonly cacheResults: CacheResult[] = []
  readonly #policy: { keep: KeepPolicy | null; share: KeepPolicy; hasSharedModels: boolean }
  #roomBytes: number
  readonly #loopIndex: number
  #serial = 0

  /** `sharing`: of every model; null for none. */
  constructor(t: Teardown, sharing: SharingConfig | null, options: SharingRigOptions = {}) {
    this.pipe = new PipelineRig({ providerSlots: 100, ...options, ...(sharing === null ? {} : { sharing }) })
    // Whatever is open has a timer.
    t.teardown(() => this.pipe.pipeline.endAll())
    this.#roomBytes = options.roomBytes ?? Number.POSITIVE_INFINITY
    const counters = {
      keptStreams() {},
      streamNotKept() {},
      streamReader: (how: ReaderHow, result: ReaderResult) => void this.readers.push(`${how} ${result}`),
    }
    const { timers } = this
    const maxCacheBytes = options.maxCacheBytes ?? 1_000_000
    const { loops = null, loopIndex = 0 } = options.place ?? {}
    this.#loopIndex = loopIndex
    const streams = new KeptStreams({ loopIndex, timers, counters })
    const index = new RunIndex<Run>(timers.nowMs, (name, isHeld) => this.ground.peers?.announce(name, isHeld))
    this.cache = new ExactCache({ maxBytes: () => maxCacheBytes, nowMs: timers.nowMs, onChange() {} })
    this.ground = {
      timers,
      streams,
      index,
      peers: loops === null ? null : loops.join(loopIndex, { index, streams, timers }),
      graces: new Graces((delayMs, act) => timers.after(delayMs, act)),
      cache: this.cache,
      counters: { cacheAnswer: (result) => void this.cacheResults.push(result) },
    }
    const maxStreamBytes = options.maxStreamBytes ?? 1_000_000
    const memory = { graceMs: GRACE_MS, keepMs: KEEP_MS, maxStreamBytes, maxLagBytes: 1_000_000 }
    const links = new LinkTokens({ secret: 'a secret of this test', owners: [], nowMs: timers.nowMs })
    const share: KeepPolicy = { ...memory, resume: 'ask', links, reserve: () => this.#createBudget() }
    this.#policy = { keep: options.keeps === false ? null : share, share, hasSharedModels: sharing !== null }
  }

  /** Upstream requests so far. */
  get calls(): number {
    return this.pipe.calls.length
  }

  /** A client asks; it goes as far as it can. Null: its key is another request's. */
  async ask(asking: SharedAsking = {}): Promise<SharedClient> {
    const client = this.startAsk(asking)
    await turn()
    return client
  }

  /** The same for one with a key, of which other loops may have to be asked. @throws mismatch */
  async askKeyed(asking: SharedAsking): Promise<SharedClient> {
    const { client, request, body, bodyDigest } = this.#prepare(asking)
    const keyed = { idempotencyKey: asking.idempotencyKey ?? '', bodyDigest }
    const sharing = createSharing(this.ground, this.#policy)
    const earlier = (await sharing?.findKeyed(request, keyed)) ?? null
    if (earlier === 'mismatch') throw new Error('mismatch')
    client.desk = earlier ?? this.#open(client, request, keyed)
    this.#start(client, request, body)
    return client
  }

  /** The same, without a turn of the event loop. */
  startAsk(asking: SharedAsking): SharedClient {
    const { client, request, body, bodyDigest } = this.#prepare(asking)
    client.desk = this.#open(client, request, { idempotencyKey: asking.idempotencyKey ?? '', bodyDigest })
    this.#start(client, request, body)
    return client
  }

  /** The decision about a request alone, without its exchange. */
  decide(asking: SharedAsking) {
    const { client, request, body } = this.#prepare(asking)
    const desk = createSharing(this.ground, this.#policy)?.open(request) ?? null
    if (desk === null) throw new Error('nothing of it is shared')
    const sink = request.isKept ? this.#keep(client, request) : client.sink
    const verdict = desk.decide({
      ...{ sink, isStream: true, model: 'one', resolvedModel: 'one', policy: null, isRepeatable: true, prompt: null },
      body,
    })
    return { desk, verdict }
  }

  #prepare(asking: SharedAsking) {
    const { content = 'Hi', stream = true, model = 'one', surface = OPENAI, key = KEY, path = null } = asking
    const { cacheControl = '', retryCount = '', asks = false, idempotencyKey = '', parameterHeaders = {} } = asking
    const client = new SharedClient(`req-${this.#loopIndex}-${++this.#serial}`)
    const isKept = this.#policy.keep !== null && (asks || idempotencyKey !== '')
    const options = stream ? { stream_options: { include_usage: true } } : {}
    const fields = { model, stream, ...options, max_tokens: 100, messages: [{ role: 'user', content }], ...asking.body }
    const body = new Uint8Array(Buffer.from(JSON.stringify(fields)))
    const request: SharingRequest = {
      ...{ requestId: client.requestId, surfaceId: surface, key, path, parameterHeaders, cacheControl },
      ...{
        isRetry: /^[1-9]/.test(retryCount),
        isKept,
        hasIds: isKept,
        clientSink: client.sink,
        isOver: () => client.isGone,
      },
    }
    return { client, request, body, bodyDigest: JSON.stringify(fields) }
  }

  #start(client: SharedClient, request: SharingRequest, body: Uint8Array<ArrayBuffer>): void {
    const { requestId, surfaceId, key, parameterHeaders, path, isKept } = request
    const kept = isKept ? this.#keep(client, request) : null
    const handle = this.pipe.pipeline.start(
      {
        ...{ requestId, surface: surfaceOf(surfaceId), key, body, parameterHeaders, path },
        ...{ acceptedAtMs: this.pipe.nowMs, sharing: client.desk },
      },
      kept ?? client.sink,
    )
    kept?.hold(handle)
    client.desk?.hold(handle)
    client.sink.handle = {
      cancel: () => {
        if (client.desk?.clientLeft() !== true) handle.cancel()
      },
    }
  }

  #open(client: SharedClient, request: SharingRequest, keyed: Pick<KeyedAsking, 'idempotencyKey' | 'bodyDigest'>) {
    const sharing = createSharing(this.ground, this.#policy)
    if (keyed.idempotencyKey === '') return sharing?.open(request) ?? null
    const earlier = sharing?.findKeyed(request, keyed) ?? null
    if (earlier instanceof Promise) throw new Error('another loop is asked')
    if (earlier === 'mismatch') throw new Error('mismatch')
    const events = { onStream: () => client.keyEvents.push('stream'), onEnd: () => client.keyEvents.push('end') }
    return earlier ?? (request.isKept ? (sharing?.openKeyed(request, { ...keyed, ...events }) ?? null) : null)
  }

  #keep(client: SharedClient, { key, surfaceId, requestId, hasIds }: SharingRequest): KeptSink {
    const { keep } = this.#policy
    if (keep === null) throw new Error('nothing is kept')
    const { streams } = this.ground
    return new KeptSink(client.sink, {
      asking: { key, surfaceId, requestId, hasIds },
      streams,
      policy: keep,
    })
  }

  #createBudget() {
    let claimed = 0
    const claim = (bytes: number) => {
      const more = bytes - claimed
      if (more > this.#roomBytes) return 'gateway' as const
      this.#roomBytes -= Math.max(0, more)
      claimed = Math.max(claimed, bytes)
      return null
    }
    const shrink = (bytes: number) => {
      this.#roomBytes += Math.max(0, claimed - bytes)
      claimed = Math.min(claimed, bytes)
    }
    return { claim, shrink, release: () => shrink(0) }
  }
}

/** The whole stream as a client that asks for usage gets it, without ids. */
export const WHOLE_STREAM = [
  STREAMS[OPENAI].head,
  ...STREAMS[OPENAI].content,
  STREAMS[OPENAI].finish,
  STREAMS[OPENAI].marker,
].join('')

/** The record of a client's exchange. */
export const recordOf = (rig: SharingRig, { requestId }: SharedClient) =>
  rig.pipe.records.find((one) => one.requestId === requestId)

export const withoutIds = (text: string) => text.replace(/^id: \d+\n/gm, '')

/** A request whose client was lost in mid-stream. */
export async function loseInMidStream(rig: SharingRig, asking: SharedAsking = {}) {
  const { head, content } = STREAMS[OPENAI]
  const client = await rig.ask({ asks: true, ...asking })
  rig.pipe.call.head().send(head, content[0])
  await turn()
  await client.leave()
  return client
}
