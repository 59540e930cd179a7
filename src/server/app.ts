// The front end of one event loop: its apps and their listeners, what all its routes share, draining, closing. The routes
// are added by routes/add-routes.ts. It knows only the types of the pipeline and holds no state of an exchange.
import { type Config, type ServerConfig } from '../config/types.js'
import { type GatewayError } from '../errors.js'
import { type KeyIdentity, type Pipeline } from '../pipeline/client.js'
import { type Responses } from '../pipeline/context.js'
import { type KeptStreams } from '../streams/kept/registry.js'
import { type FloodKind, type Tracer } from '../telemetry/records.js'
import { BackgroundRuns } from './background/background-runs.js'
import { Bell } from './background/bell.js'
import { AddressTexts } from './caller/address-text.js'
import { TrustedProxies } from './caller/client-address.js'
import { HostNames } from './caller/host-names.js'
import {
  type AnswerBell,
  type BackgroundCaps,
  type BackgroundJobs,
  type FrontView,
  type JobPolicy,
  type ModelLookup,
  type ModelSource,
  type ProviderStatus,
  type Reservation,
  type Reserve,
  type ServerContext,
} from './context.js'
import { createApp, isRenewed } from './engine/app.js'
import { type Engine, loadEngine } from './engine/engine.js'
import { createHeaderPolicy } from './engine/fixed-headers.js'
import { type Binding, Listener, type OnAccepting } from './engine/listener.js'
import { HeadReader } from './engine/request-head.js'
import { createRequestIdSource } from './engine/request-id.js'
import { type OpenCount } from './engine/response.js'
import { TurnGuard } from './engine/turn-guard.js'
import { SCRATCH_BYTES } from './http/sink.js'
import { Inflater } from './inflate.js'
import { createKeeping, type KeepPolicy } from './kept/kept-sink.js'
import { type RouteRow } from './openapi/openapi.js'
import { addMetricsRoutes, addRoutes, type RouteOptions } from './routes/add-routes.js'
import { createSharing } from './sharing/open.js'
import { type SharingGround, type SharingPolicy } from './sharing/sharing.js'

/** Options that a reload may change. */
export type ViewOptions = {
  /** A reload changes only `readerStallMs`, `maxChatsPerSocket`, `maintenance`, `allowedHosts` and `cors` of these. */
  readonly config: ServerConfig
  readonly metrics: Config['metrics']
  /** Gateway keys are set, so the metrics are not public. */
  readonly hasKeys: boolean
  /** The try-it page is served; it is not unless given. */
  readonly hasTryPage?: boolean
  readonly pipeline: Pipeline
  readonly models: ModelSource
  readonly model: ModelLookup
  readonly providers: () => readonly ProviderStatus[]
  /** The languages of the prompt library. */
  readonly languages: () => readonly string[]
  /** The error that rejects a new request of this key before its body is read; by default none. */
  readonly refusal?: (key: KeyIdentity) => GatewayError | null
  /** Memory for arriving requests is not counted unless given. */
  readonly reserve?: Reserve
  /** Absent or null: no browser tokens are issued. */
  readonly tokens?: FrontView['tokens']
  /** Absent: no chat becomes a job by default. */
  readonly jobs?: JobPolicy
  /** Surfaces with a mode for WebSockets have them; by default they do. */
  readonly hasSocketMode?: boolean
  /** Absent or null: no stream is kept. */
  readonly keep?: KeepPolicy | null
  /** Absent: nothing runs without its client. */
  readonly backgroundCaps?: BackgroundCaps
  /** Absent or null: it runs in this process. */
  readonly backgroundJobs?: BackgroundJobs | null
  /** Absent: no answer is stored. */
  readonly responses?: Responses
  /** Absent: no answer is shared. */
  readonly share?: SharingPolicy
  /** Absent or null: traces are off. */
  readonly tracer?: Tracer | null
}

export type ServerOptions = ViewOptions &
  RouteOptions & {
    /** The loop that owns `metrics.port`; with several loops only one may. */
    readonly ownsMetricsPort: boolean
    /** Null where failed keys are not limited. */
    readonly failedKeys: ServerContext['failedKeys']
    /** Of this event loop; absent: no stream is kept. */
    readonly keptStreams?: KeptStreams
    /** For answers that run without their clients; absent: only this server rings it. */
    readonly bell?: AnswerBell
    /** Of this event loop; absent: no answer is shared. */
    readonly sharing?: SharingGround
    /** Lower-case request headers that some dialect takes as parameters. */
    readonly parameterHeaders: readonly string[]
    /** Of our own request ids; see createRequestIdSeed. */
    readonly requestIdSeed: string
    readonly engine?: Engine
    /** Called when descriptors are low and the listener is paused, and when it resumes. */
    readonly onAccepting?: OnAccepting
    /** Called for each connection that was closed for demanding too much of one turn. */
    readonly onFlood?: (kind: FloodKind, address: string) => void
  }

export type Server = {
  /** Name and version of the engine's build, for the start-up line. */
  readonly build: string
  /** Requests and sockets open on this event loop. */
  readonly open: Readonly<OpenCount>
  /** New requests are rejected. */
  readonly isRefusing: boolean
  /** The routing table, as in the API's document; without HEAD and OPTIONS, which follow from it. */
  readonly routes: readonly RouteRow[]
  /**
   * Resolves with the port, which matters when the configured one is 0.
   * @throws misconfigured when the address cannot be bound
   */
  listen(): Promise<number>
  /** Applies to new requests; running requests and chats keep the options they began with. */
  show(options: ViewOptions): void
  /**
   * What takes new connections under another certificate, once it is called; null where it is the same.
   * @throws misconfigured when the engine cannot use it, with nothing changed
   */
  prepareTls(tls: ServerConfig['tls']): (() => void) | null
  /** Whole answers close their connections from now on, so that clients go elsewhere for the next one. */
  sendAway(): void
  /** Accepts no new connections, and rejects new requests on the existing ones: 503 `draining`. */
  closeListener(): void
  /** Closes the WebSockets without chats. */
  closeIdle(): void
  /** Closes the WebSockets of these keys, as the upgrade with such a key would be. */
  closeOf(isRemoved: (key: KeyIdentity) => boolean): void
  /** Cuts everything open. */
  close(): void
}

/** Builds the app with all its routes; it does not listen yet. */
export function createServer(options: ServerOptions): Server {
  const { config, metrics } = options
  const engine = options.engine ?? loadEngine()
  const state: FrontState = { isClosing: false, isRefusing: false }
  const front = createFront(options, state)
  let { tls } = config
  const app = createApp(engine, tls)
  const routes = addRoutes(app, front, options)
  const bindings: Binding[] = [{ app, host: config.host, port: config.port, isExclusive: config.threads === 1 }]
  if (metrics.port !== null && options.ownsMetricsPort) {
    const own = engine.uws.App()
    addMetricsRoutes(own, front, options)
    bindings.unshift({ app: own, host: LOOPBACK, port: metrics.port, isExclusive: true })
  }
  /** Includes the apps of replaced certificates, whose connections are still open. */
  const apps = bindings.map((binding) => binding.app)
  const onAccepting = options.onAccepting ?? (() => {})
  const listeners = bindings.map((binding) => new Listener({ engine, binding, onAccepting }))
  return {
    build: engine.build,
    open: front.open,
    get isRefusing() {
      return state.isRefusing
    },
    routes,
    async listen() {
      let port = 0
      for (const listener of listeners) port = await listener.listen()
      return port
    },
    show(next) {
      front.view = createView(next, options)
    },
    prepareTls(next) {
      if (!isRenewed(tls, next)) return null
      const renewed = createApp(engine, next)
      addRoutes(renewed, front, options)
      return () => {
        tls = next
        apps.push(renewed)
        listeners.at(-1)?.moveTo(renewed)
      }
    },
    sendAway() {
      state.isClosing = true
    },
    closeListener() {
      state.isClosing = true
      state.isRefusing = true
      for (const listener of listeners) listener.close()
    },
    closeIdle() {
      for (const socket of [...front.webSockets.keys()]) {
        if (socket.chatCount === 0) socket.end(CLOSE_GOING_AWAY, 'draining')
      }
    },
    closeOf(isRemoved) {
      for (const [socket, { key }] of [...front.webSockets]) {
        if (isRemoved(key)) socket.end(CLOSE_UNAUTHENTICATED, 'unauthenticated')
      }
    },
    close() {
      for (const listener of listeners) listener.close()
      for (const socket of [...front.webSockets.keys()]) socket.end(CLOSE_GOING_AWAY, 'draining')
      for (const each of apps) each.close()
    },
  }
}

const LOOPBACK = '127.0.0.1'
/** RFC 6455, 7.4.1: the server is going away; clients reconnect elsewhere. */
const CLOSE_GOING_AWAY = 1001
/** 4000 and above are free for applications: the 401 of HTTP. */
const CLOSE_UNAUTHENTICATED = 4401

type FrontState = { isClosing: boolean; isRefusing: boolean }

function createFront(options: ServerOptions, state: FrontState): ServerContext {
  const addresses = new AddressTexts()
  return {
    view: createView(options, options),
    heads: new HeadReader(options.parameterHeaders),
    maxBodyBytes: options.config.maxBodyBytes,
    addresses,
    inflater: new Inflater(options.config.maxBodyBytes),
    createRequestId: createRequestIdSource(options.requestIdSeed),
    now: () => performance.now(),
    open: { requests: 0, sockets: 0 },
    guard: new TurnGuard(setImmediate, (kind, address) => options.onFlood?.(kind, addresses.of(address))),
    failedKeys: options.failedKeys,
    webSockets: new Map(),
    keptStreams: options.keptStreams ?? null,
    background: new BackgroundRuns(),
    bell: options.bell ?? new Bell(),
    scratch: Buffer.allocUnsafeSlow(SCRATCH_BYTES),
    isClosing: () => state.isClosing,
    isRefusing: () => state.isRefusing,
  }
}

/** What lives as long as the event loop. */
type LoopParts = Pick<ServerOptions, 'keptStreams' | 'sharing'>

function createView(options: ViewOptions, { keptStreams: streams, sharing }: LoopParts): FrontView {
  const { keep = null, share } = options
  const { config, metrics, hasKeys, pipeline, models, model, providers, languages, refusal } = options
  return {
    pipeline,
    policy: createHeaderPolicy(config.tls !== null, config.cors.origins),
    proxies: new TrustedProxies(config.trustedProxies),
    hosts: hasKeys ? null : new HostNames([config.host, ...config.allowedHosts]),
    readerStallMs: config.readerStallMs,
    maxChatsPerSocket: config.maxChatsPerSocket,
    hasSocketMode: options.hasSocketMode ?? true,
    models,
    model,
    providers,
    languages,
    hasKeys,
    hasTryPage: options.hasTryPage ?? false,
    metricsToken: metrics.token,
    isInMaintenance: config.maintenance !== false,
    refusal: refusal ?? (() => null),
    reserve: options.reserve ?? (() => UNCOUNTED),
    jobs: options.jobs ?? NO_JOBS,
    tokens: options.tokens ?? null,
    backgroundCaps: options.backgroundCaps ?? NO_BACKGROUND,
    backgroundJobs: options.backgroundJobs ?? null,
    keepaliveMs: config.keepaliveMs,
    tracer: options.tracer ?? null,
    responses: options.responses ?? { ids: NO_IDS, desk: null },
    keeping: keep === null || streams === undefined ? null : createKeeping(streams, keep),
    sharing: sharing === undefined || share === undefined ? null : createSharing(sharing, share),
  }
}

const NO_BACKGROUND: BackgroundCaps = Object.freeze({ concurrency: 0, maxPending: 0, maxPendingPerKey: 0 })
const NO_IDS = Object.freeze({ create: () => '' })
const UNCOUNTED: Reservation = Object.freeze({ grow: () => null, release: () => undefined })

const NO_JOBS: JobPolicy = Object.freeze({
  isAsyncByDefault: false,
  webhook: Object.freeze({ allowInsecure: false, allowPrivateNetworks: false }),
  caps: Object.freeze({ perKey: 0, all: 0, stored: Object.freeze({ perKey: 0, all: 0 }) }),
  maxAnswerBytes: 0,
  countRequest: () => null,
  checkTokens: () => undefined,
  checkRoute: () => undefined,
})
