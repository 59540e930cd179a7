// The front end of one event loop: all routes on one engine app, listening, draining, closing. It knows the pipeline by
// its types alone and holds no state of an exchange.
import { randomBytes } from 'node:crypto'
import { type Config, type ServerConfig } from '../config/types.js'
import { GatewayError } from '../errors.js'
import { type Pipeline } from '../pipeline/client.js'
import { type Surface, type SurfaceRoute } from '../protocols/protocol.js'
import { type Engine, type ListenSocket, loadEngine, type TemplatedApp } from './engine.js'
import { createHeaderPolicy } from './headers.js'
import { type Act, createRoute, type Front, PROVIDER_PART, takeChatOn } from './http.js'
import { SCRATCH_BYTES } from './http-sink.js'
import {
  answerAlive,
  answerMetrics,
  answerModel,
  answerModels,
  answerOptions,
  answerPing,
  answerProviders,
  answerReady,
  type ModelSource,
  type ProviderStatus,
  refuseMethod,
  refusePath,
} from './plain-routes.js'
import { createRequestIdSource } from './request-id.js'
import { type OpenCount } from './response.js'
import { HeadReader } from './strictness.js'
import { createWebSocket } from './websocket.js'

export type ServerOptions = {
  readonly config: ServerConfig
  readonly metrics: Config['metrics']
  /** The loop that owns `metrics.port`; with several loops only one may. */
  readonly ownsMetricsPort: boolean
  /** Gateway keys are set, so metrics are not for everybody. */
  readonly hasKeys: boolean
  readonly surfaces: readonly Surface[]
  /** The surface that chats on a WebSocket speak. */
  readonly webSocketSurface: Surface
  /** Lower-case request headers that some dialect takes as parameters. */
  readonly parameterHeaders: readonly string[]
  readonly pipeline: Pipeline
  readonly models: ModelSource
  readonly providers: readonly ProviderStatus[]
  readonly isReady: () => boolean
  readonly renderMetrics: () => Promise<string>
  /** The word in the health answers. */
  readonly healthStatus?: string
  readonly engine?: Engine
}

export type Server = {
  /** Name and version of the engine's build, for the start-up line. */
  readonly build: string
  /** Requests and sockets open on this event loop. */
  readonly open: Readonly<OpenCount>
  /**
   * Resolves with the port, which matters when the configured one is 0.
   * @throws misconfigured when the address cannot be bound
   */
  listen(): Promise<number>
  /** Takes no new connections; whole answers close theirs from now on. */
  closeListener(): void
  /** Cuts whatever is open. */
  close(): void
}

type Binding = {
  readonly app: TemplatedApp
  readonly host: string
  readonly port: number
  readonly isExclusive: boolean
}

/** Builds the app with all its routes; it listens when told. */
export function createServer(options: ServerOptions): Server {
  const { config, metrics } = options
  const engine = options.engine ?? loadEngine()
  const state = { isClosing: false }
  const front = createFront(options, () => state.isClosing)
  const app = createApp(engine, config)
  addRoutes(app, front, options)
  const bindings: Binding[] = [{ app, host: config.host, port: config.port, isExclusive: config.threads === 1 }]
  if (metrics.port !== null && options.ownsMetricsPort) {
    bindings.unshift({
      app: createMetricsApp(engine, front, options),
      host: LOOPBACK,
      port: metrics.port,
      isExclusive: true,
    })
  }
  const sockets: ListenSocket[] = []
  return {
    build: engine.build,
    open: front.open,
    async listen() {
      let port = 0
      for (const binding of bindings) {
        const socket = await bind(engine, binding)
        sockets.push(socket)
        port = engine.uws.us_socket_local_port(socket)
      }
      return port
    },
    closeListener() {
      state.isClosing = true
      for (const socket of sockets.splice(0)) engine.uws.us_listen_socket_close(socket)
    },
    close() {
      sockets.length = 0
      for (const socket of [...front.webSockets]) socket.end(CLOSE_GOING_AWAY, 'draining')
      for (const binding of bindings) binding.app.close()
    },
  }
}

const LOOPBACK = '127.0.0.1'
/** RFC 6455, 7.4.1: the server goes down; clients come back elsewhere. */
const CLOSE_GOING_AWAY = 1001
/** Bytes of randomness that tell event loops and restarts apart in request ids. */
const ID_SEED_BYTES = 6

function createFront(options: ServerOptions, isClosing: () => boolean): Front {
  const { config, pipeline } = options
  return {
    pipeline,
    heads: new HeadReader(options.parameterHeaders),
    policy: createHeaderPolicy(config.tls !== null, config.cors.origins),
    maxBodyBytes: config.maxBodyBytes,
    readerStallMs: config.readerStallMs,
    createRequestId: createRequestIdSource(randomBytes(ID_SEED_BYTES).toString('base64url')),
    now: () => performance.now(),
    open: { requests: 0, sockets: 0 },
    webSockets: new Set(),
    scratch: Buffer.allocUnsafeSlow(SCRATCH_BYTES),
    isClosing,
  }
}

function createApp(engine: Engine, config: ServerConfig): TemplatedApp {
  const { tls } = config
  if (tls === null) return engine.uws.App()
  const passphrase = tls.passphrase === null ? {} : { passphrase: tls.passphrase }
  try {
    return engine.uws.SSLApp({ cert_file_name: tls.certFile, key_file_name: tls.keyFile, ...passphrase })
  } catch (cause) {
    throw new GatewayError('misconfigured', {
      message: `TLS cannot be set up with ${tls.certFile} and ${tls.keyFile}.`,
      cause,
    })
  }
}

/** A path that is read, or one of a surface, that is posted to. */
type Path = { readonly path: string } & (
  | { readonly get: Act }
  | { readonly surface: Surface; readonly route: SurfaceRoute }
)

function addRoutes(app: TemplatedApp, front: Front, options: ServerOptions): void {
  const { metrics } = options
  const needsUpgrade: Act = () => {
    throw new GatewayError('invalid_request', { status: 426, message: 'This route takes WebSocket upgrades only.' })
  }
  app.ws('/v1/ws', createWebSocket(front, { surface: options.webSocketSurface, ...options.config }))
  const paths: Path[] = [
    ...options.surfaces.flatMap((surface) => surface.routes.map((route) => ({ path: route.path, surface, route }))),
    { path: '/v1/ws', get: needsUpgrade },
    { path: '/v1/models', get: answerModels(options.models) },
    { path: '/v1/models/*', get: answerModel(options.models, '/v1/models/') },
    ...healthPaths(options),
  ]
  if (metrics.port === null) {
    const { renderMetrics: render, hasKeys } = options
    paths.push({ path: '/metrics', get: answerMetrics({ render, token: metrics.token, needsKey: hasKeys }) })
  }
  for (const path of paths) addPath(app, front, path)
  addRest(app, front)
}

function healthPaths(options: ServerOptions): Path[] {
  const status = options.healthStatus ?? 'ok'
  const alive = answerAlive(status)
  const ping = answerPing()
  return [
    { path: '/livez', get: answerAlive('ok') },
    { path: '/readyz', get: answerReady(options.isReady) },
    { path: '/health', get: alive },
    { path: '/healthz', get: alive },
    { path: '/v1/health', get: answerProviders('ok', options.providers) },
    { path: '/ping', get: answerAlive('ok') },
    { path: '/api/ping', get: ping },
  ]
}

function addPath(app: TemplatedApp, front: Front, route: Path): void {
  // The engine tries literal paths before those with a part that may be anything.
  const path = route.path.replace(PROVIDER_PART, ':provider')
  const surface = 'surface' in route ? route.surface : null
  const allow = 'surface' in route ? 'POST, OPTIONS' : 'GET, HEAD, OPTIONS'
  if ('get' in route) {
    app.get(path, createRoute(front, null, route.get))
    app.head(path, createRoute(front, null, route.get))
  } else app.post(path, createRoute(front, surface, takeChatOn(route.route)))
  app.options(path, createRoute(front, surface, answerOptions(front.policy, allow)))
  app.any(path, createRoute(front, surface, refuseMethod(allow)))
}

/** Without it the engine closes the connection of a path that nobody serves, with no answer. */
function addRest(app: TemplatedApp, front: Front): void {
  app.options('/*', createRoute(front, null, answerOptions(front.policy, 'GET, HEAD, POST, OPTIONS')))
  app.any('/*', createRoute(front, null, refusePath))
}

function createMetricsApp(engine: Engine, front: Front, options: ServerOptions): TemplatedApp {
  const app = engine.uws.App()
  const { renderMetrics: render, metrics } = options
  addPath(app, front, { path: '/metrics', get: answerMetrics({ render, token: metrics.token, needsKey: false }) })
  addRest(app, front)
  return app
}

/** The engine's `listen` with host and options, which its types leave out. */
type Listen = (host: string, port: number, options: number, done: (socket: ListenSocket | false) => void) => unknown

function bind(engine: Engine, { app, host, port, isExclusive }: Binding): Promise<ListenSocket> {
  return new Promise((resolve, reject) => {
    const listen: Listen = (app.listen as unknown as Listen).bind(app)
    listen(host, port, isExclusive ? engine.uws.LIBUS_LISTEN_EXCLUSIVE_PORT : 0, (socket) => {
      if (socket !== false) return resolve(socket)
      const message = `Cannot listen on ${host}:${port}: the port is in use, or the address is not this machine's.`
      reject(new GatewayError('misconfigured', { message }))
    })
  })
}
