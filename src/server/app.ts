// The front end of one event loop: all routes on one engine app, listening, draining, closing. It knows the pipeline by
// its types alone and holds no state of an exchange.
import { type CompatConfig, type Config, type ServerConfig } from '../config/types.js'
import { type GatewayError } from '../errors.js'
import { type KeyIdentity, type Pipeline } from '../pipeline/client.js'
import { type Surface } from '../protocols/contract/protocol.js'
import { type FloodKind } from '../telemetry/records.js'
import { AddressTexts } from './caller/address-text.js'
import { TrustedProxies } from './caller/client-address.js'
import {
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
import { type Engine, loadEngine, type TemplatedApp } from './engine/engine.js'
import { createHeaderPolicy } from './engine/fixed-headers.js'
import { type Binding, Listener, type OnAccepting } from './engine/listener.js'
import { HeadReader } from './engine/request-head.js'
import { createRequestIdSource } from './engine/request-id.js'
import { type OpenCount } from './engine/response.js'
import { TurnGuard } from './engine/turn-guard.js'
import { type Act, createRoute, createTakeChat, type EngineRoute } from './http/http.js'
import { SCRATCH_BYTES } from './http/sink.js'
import { Inflater } from './inflate.js'
import { createTakeBody, type JobIntake } from './intake/job-intake.js'
import { createChatRoute, PROVIDER_PART } from './routes/chat-route.js'
import { createOpenApi, type RouteRow } from './routes/openapi.js'
import {
  chatPaths,
  documentPath,
  healthPaths,
  metricsPath,
  modelPaths,
  type Path,
  prefixedPaths,
  prefixedSurface,
  rowsOf,
  webSocketPaths,
} from './routes/paths.js'
import { answerOptions, refuseMethod, refusePath } from './routes/plain-routes.js'
import { createWebSocket } from './websocket/websocket.js'

/** What a reload may change. */
export type ViewOptions = {
  /** Of these, `readerStallMs`, `maxChatsPerSocket`, `maintenance` and `cors`; the rest is that of the start. */
  readonly config: ServerConfig
  readonly metrics: Config['metrics']
  /** Gateway keys are set, so metrics are not for everybody. */
  readonly hasKeys: boolean
  readonly pipeline: Pipeline
  readonly models: ModelSource
  readonly model: ModelLookup
  readonly providers: () => readonly ProviderStatus[]
  /** Languages that the prompt library has. */
  readonly languages: () => readonly string[]
  /** Why a new request of this key is turned away before its body is read; nothing does unless given. */
  readonly refusal?: (key: KeyIdentity) => GatewayError | null
  /** Memory for arriving requests is not counted unless given. */
  readonly reserve?: Reserve
  /** Nothing becomes a job by itself unless given. */
  readonly jobs?: JobPolicy
}

export type ServerOptions = ViewOptions & {
  /** The loop that owns `metrics.port`; with several loops only one may. */
  readonly ownsMetricsPort: boolean
  readonly surfaces: readonly Surface[]
  /** The surface that chats on a WebSocket speak. */
  readonly webSocketSurface: Surface
  /** Null where failed keys are not limited. */
  readonly failedKeys: ServerContext['failedKeys']
  /** Lower-case request headers that some dialect takes as parameters. */
  readonly parameterHeaders: readonly string[]
  /** Of our own request ids; see createRequestIdSeed. */
  readonly requestIdSeed: string
  readonly isReady: () => boolean
  /** Of this package, for the API's document. */
  readonly version: () => string
  readonly renderMetrics: () => Promise<string>
  readonly compat: Pick<CompatConfig, 'apiPrefix' | 'healthStatus'>
  readonly engine?: Engine
  /** Told when descriptors run out and no connections are taken, and when they are again. */
  readonly onAccepting?: OnAccepting
  /** Told of connections that were closed for asking too much of one turn. */
  readonly onFlood?: (kind: FloodKind, address: string) => void
  /** No jobs, and no idempotency keys, unless given. */
  readonly jobDoor?: JobIntake
}

export type Server = {
  /** Name and version of the engine's build, for the start-up line. */
  readonly build: string
  /** Requests and sockets open on this event loop. */
  readonly open: Readonly<OpenCount>
  /** The routing table, as the API's document has it; HEAD and OPTIONS go without saying. */
  readonly routes: readonly RouteRow[]
  /**
   * Resolves with the port, which matters when the configured one is 0.
   * @throws misconfigured when the address cannot be bound
   */
  listen(): Promise<number>
  /** From the next request on these; requests under way, and chats, keep what they began with. */
  show(options: ViewOptions): void
  /**
   * What takes new connections under another certificate, once it is called; null where it is the same.
   * @throws misconfigured when the engine cannot use it, with nothing changed
   */
  prepareTls(tls: ServerConfig['tls']): (() => void) | null
  /** Whole answers close their connections from now on, so that clients go elsewhere for the next one. */
  sendAway(): void
  /** Takes no new connections, and on those there are no new requests: 503 `draining`. */
  closeListener(): void
  /** Closes the WebSockets that carry no chat. */
  closeIdle(): void
  /** Cuts whatever is open. */
  close(): void
}

/** Builds the app with all its routes; it listens when told. */
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
    bindings.unshift({
      app: createMetricsApp(engine, front, options),
      host: LOOPBACK,
      port: metrics.port,
      isExclusive: true,
    })
  }
  /** Those whose certificate was renewed among them: their connections live on. */
  const apps = bindings.map((binding) => binding.app)
  const onAccepting = options.onAccepting ?? (() => {})
  const listeners = bindings.map((binding) => new Listener({ engine, binding, onAccepting }))
  return {
    build: engine.build,
    open: front.open,
    routes,
    async listen() {
      let port = 0
      for (const listener of listeners) port = await listener.listen()
      return port
    },
    show(next) {
      front.view = createView(next)
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
      for (const socket of [...front.webSockets]) {
        if (socket.chatCount === 0) socket.end(CLOSE_GOING_AWAY, 'draining')
      }
    },
    close() {
      for (const listener of listeners) listener.close()
      for (const socket of [...front.webSockets]) socket.end(CLOSE_GOING_AWAY, 'draining')
      for (const each of apps) each.close()
    },
  }
}

const LOOPBACK = '127.0.0.1'
/** RFC 6455, 7.4.1: the server goes down; clients come back elsewhere. */
const CLOSE_GOING_AWAY = 1001

type FrontState = { isClosing: boolean; isRefusing: boolean }

function createFront(options: ServerOptions, state: FrontState): ServerContext {
  const addresses = new AddressTexts()
  return {
    view: createView(options),
    heads: new HeadReader(options.parameterHeaders),
    maxBodyBytes: options.config.maxBodyBytes,
    addresses,
    inflater: new Inflater(options.config.maxBodyBytes),
    createRequestId: createRequestIdSource(options.requestIdSeed),
    now: () => performance.now(),
    open: { requests: 0, sockets: 0 },
    guard: new TurnGuard(setImmediate, (kind, address) => options.onFlood?.(kind, addresses.of(address))),
    failedKeys: options.failedKeys,
    webSockets: new Set(),
    scratch: Buffer.allocUnsafeSlow(SCRATCH_BYTES),
    isClosing: () => state.isClosing,
    isRefusing: () => state.isRefusing,
  }
}

function createView(options: ViewOptions): FrontView {
  const { config, metrics, hasKeys, pipeline, models, model, providers, languages, refusal } = options
  return {
    pipeline,
    policy: createHeaderPolicy(config.tls !== null, config.cors.origins),
    proxies: new TrustedProxies(config.trustedProxies),
    readerStallMs: config.readerStallMs,
    maxChatsPerSocket: config.maxChatsPerSocket,
    models,
    model,
    providers,
    languages,
    hasKeys,
    metricsToken: metrics.token,
    isInMaintenance: config.maintenance !== false,
    refusal: refusal ?? (() => null),
    reserve: options.reserve ?? (() => UNCOUNTED),
    jobs: options.jobs ?? NO_JOBS,
  }
}

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

function addRoutes(app: TemplatedApp, front: ServerContext, options: ServerOptions): RouteRow[] {
  const { metrics } = options
  const { apiPrefix } = options.compat
  const { maxBodyBytes, maxMessageBytes, maxReaderLagBytes } = options.config
  const socket = { surface: options.webSocketSurface, maxReaderLagBytes }
  const ordinaryBytes = Math.min(maxMessageBytes, maxBodyBytes)
  app.ws('/v1/ws', createWebSocket(front, { ...socket, maxMessageBytes: ordinaryBytes }))
  app.ws('/v1/ws/large', createWebSocket(front, { ...socket, maxMessageBytes: maxBodyBytes }))
  const paths: Path[] = [
    ...chatPaths(options),
    ...prefixedPaths(options),
    ...webSocketPaths(),
    ...modelPaths(options),
    ...healthPaths(options),
    documentPath((hasKeys) => createOpenApi({ version: options.version(), hasKeys, routes })),
  ]
  if (metrics.port === null) paths.push(metricsPath(options.renderMetrics, false))
  const served = new Map<string, Path>()
  // With an empty prefix two have one path: the first one counts.
  for (const path of paths) if (!served.has(path.path)) served.set(path.path, path)
  const routes = [...served.values()].flatMap(rowsOf)
  const takeChat = createTakeChat(options.jobDoor === undefined ? null : createTakeBody(options.jobDoor))
  for (const path of served.values()) addPath(app, front, path, takeChat)
  if (apiPrefix !== '') addRest(app, front, { routes, below: apiPrefix, surface: prefixedSurface(options) })
  addRest(app, front, { routes, ...EVERYWHERE })
  return routes
}

function addPath(app: TemplatedApp, front: ServerContext, route: Path, takeChat: Act): void {
  const { surface = null, get, remove, choices } = route
  // The engine tries literal paths before those with a part that may be anything.
  const path = route.path.replace(PROVIDER_PART, ':provider')
  const methods = [get && 'GET, HEAD', choices && 'POST', remove && 'DELETE', 'OPTIONS']
  const allow = methods.filter((method) => method !== undefined).join(', ')
  if (get !== undefined) {
    const enter = createReadRoute(front, route, get.act)
    app.get(path, enter)
    app.head(path, enter)
  }
  if (choices !== undefined) app.post(path, createChatRoute(front, choices, takeChat))
  if (remove !== undefined) app.del(path, createRoute(front, surface, remove.act))
  app.options(path, createRoute(front, surface, answerOptions(allow)))
  app.any(path, createRoute(front, surface, refuseMethod(allow)))
}

/** GET of a path: whose words it is answered in is settled first, so that even the first refusal is in them. */
function createReadRoute(front: ServerContext, { surface = null, speakers = [] }: Path, get: Act): EngineRoute {
  const byDefault = createRoute(front, surface, get)
  if (speakers.length === 0) return byDefault
  const named = speakers.map(({ header, surface }) => ({ header, enter: createRoute(front, surface, get) }))
  return (res, req) => (named.find(({ header }) => req.getHeader(header) !== '')?.enter ?? byDefault)(res, req)
}

const EVERYWHERE = Object.freeze({ below: '', surface: null })

type Rest = { readonly routes: readonly RouteRow[]; readonly below: string; readonly surface: Surface | null }

/** Without it the engine closes the connection of a path that nobody serves, with no answer. */
function addRest(app: TemplatedApp, front: ServerContext, { routes, below, surface }: Rest): void {
  app.options(`${below}/*`, createRoute(front, surface, answerOptions('GET, HEAD, POST, OPTIONS')))
  app.any(`${below}/*`, createRoute(front, surface, refusePath(routes)))
}

function createMetricsApp(engine: Engine, front: ServerContext, options: ServerOptions): TemplatedApp {
  const app = engine.uws.App()
  addPath(app, front, metricsPath(options.renderMetrics, true), createTakeChat(null))
  addRest(app, front, { routes: [], ...EVERYWHERE })
  return app
}
