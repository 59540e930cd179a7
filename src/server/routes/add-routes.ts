// Adds all routes to an engine app: chats and WebSockets, jobs, plain routes, and an answer for every other path. paths.ts lists the
// paths.
import { type Config, type ServerConfig } from '../../config/types.js'
import { type Surface } from '../../protocols/contract/protocol.js'
import { createTakeBackground, unixSec } from '../background/accept-background.js'
import { type ServerContext } from '../context.js'
import { type TemplatedApp } from '../engine/engine.js'
import { type ReadBrowserFile } from '../http/browser-file.js'
import { PROVIDER_PART } from '../http/credentials.js'
import { type Act, createRoute, createTakeChat, type EngineRoute, type TakeBody } from '../http/http.js'
import { createTakeBody } from '../intake/job-intake.js'
import { createOpenApi, type RouteRow } from '../openapi/openapi.js'
import { createJsonCodec, createMsgpackCodec } from '../websocket/codec.js'
import { Lanes } from '../websocket/lanes.js'
import { talkChats } from '../websocket/messages.js'
import { type DecodeBody } from '../websocket/warm-up.js'
import { createWebSocket, type WebSocketOptions } from '../websocket/websocket.js'
import { type ChatActs, createChatRoute } from './chat-route.js'
import {
  chatPaths,
  documentPath,
  documentPaths,
  healthPaths,
  metricsPath,
  modelPaths,
  type Path,
  type PathOptions,
  prefixedPaths,
  prefixedSurface,
  rowsOf,
  SEND_POST,
  type Speaker,
  speakersAmong,
  storedPaths,
  streamPaths,
  tokenPaths,
  usagePaths,
  webSocketPaths,
} from './paths.js'
import { answerOptions, refuseMethod, refusePath, refuseStranger } from './plain-routes.js'
import { answerRoot, answerTryPage, TRY_PATH } from './try-page.js'

/** The server's options that the routes need. */
export type RouteOptions = PathOptions & {
  readonly config: Pick<ServerConfig, 'maxBodyBytes' | 'maxMessageBytes' | 'maxReaderLagBytes'>
  readonly metrics: Pick<Config['metrics'], 'port'>
  /** The surface that chats on a WebSocket speak, unless they name another. */
  readonly webSocketSurface: Surface
  /** What they may name. */
  readonly webSocketApis: ReadonlyMap<string, Surface>
  /** Parses and validates a body that becomes no exchange. */
  readonly decode: DecodeBody
  /** Largest message on a WebSocket of a surface's own mode; as large as a body by default. */
  readonly maxTurnBytes?: number
  /** How long such a WebSocket may last; an hour by default. */
  readonly maxSocketAgeMs?: number
  /** Of this package, for the API's document. */
  readonly version: () => string
  readonly renderMetrics: () => Promise<string>
  /** What browsers load; absent: there are no pages. */
  readonly readBrowserFile?: ReadBrowserFile
}

/** Adds all routes of the public listener; returns the routing table. */
export function addRoutes(app: TemplatedApp, front: ServerContext, options: RouteOptions): RouteRow[] {
  const { metrics } = options
  const { maxBodyBytes, maxMessageBytes, maxReaderLagBytes } = options.config
  const { webSocketSurface: surface, webSocketApis: apis, surfaces } = options
  const socket: Omit<WebSocketOptions, 'maxMessageBytes'> = {
    ...{ surface, maxReaderLagBytes, codecs: [createJsonCodec(), createMsgpackCodec()] },
    idleTimeoutSec: CHATS_IDLE_SEC,
    talk: (ws) => talkChats({ front, surface, apis, surfaces, ws }),
  }
  const ordinaryBytes = Math.min(maxMessageBytes, maxBodyBytes)
  app.ws('/v1/ws', createWebSocket(front, { ...socket, maxMessageBytes: ordinaryBytes }))
  app.ws('/v1/ws/large', createWebSocket(front, { ...socket, maxMessageBytes: maxBodyBytes }))
  for (const each of surfaces) addSocketMode(app, front, each, options)
  const paths: Path[] = [
    ...chatPaths(options),
    ...prefixedPaths(options),
    ...storedPaths(options, front),
    ...streamPaths(options),
    ...webSocketPaths(),
    ...modelPaths(options),
    ...usagePaths(options),
    ...tokenPaths(options),
    ...documentPaths(options),
    ...healthPaths(options),
    documentPath((hasKeys) => createOpenApi({ version: options.version(), hasKeys, routes })),
  ]
  if (metrics.port === null) paths.push(metricsPath(options.renderMetrics, false))
  const served = new Map<string, Path>()
  // With a prefix that is empty, or the same as another, two rows have the same path: the first one counts.
  for (const path of paths) if (!served.has(path.path)) served.set(path.path, path)
  const routes = [...served.values()].flatMap(rowsOf)
  const takeChat = createTakeChat(createTake(front, options.jobDoor))
  const acts = { takeChat, refuse: refusePath(routes) }
  for (const path of served.values()) addPath(app, front, path, acts)
  if (options.readBrowserFile !== undefined) {
    // For people, so the API's document does not have them.
    const get = { act: answerTryPage(options.readBrowserFile), operation: {} }
    for (const path of [TRY_PATH, `${TRY_PATH}/:file`]) addPath(app, front, { path, get }, acts)
  }
  // Unknown paths below each prefix get the error of its API.
  const prefixes = new Set(options.surfaces.flatMap(({ routes }) => routes.flatMap(({ prefix }) => prefix ?? [])))
  for (const prefix of prefixes) {
    const below = options.compat[prefix]
    if (below !== '') addRest(app, front, { routes, below, surface: prefixedSurface(options, prefix) })
  }
  const speakers = speakersAmong(options.surfaces)
  if (options.readBrowserFile !== undefined)
    app.get('/', elsewhere(front, { routes, surface: null, speakers }, answerRoot))
  addRest(app, front, { routes, ...EVERYWHERE, speakers })
  return routes
}

/** Bodies that do not simply start an exchange. */
function createTake(front: ServerContext, jobDoor: RouteOptions['jobDoor']): TakeBody | null {
  if (jobDoor === undefined) return null
  return createTakeBackground({ front, decode: jobDoor.decode, unixSec }, createTakeBody(jobDoor))
}

/** The engine pings 16 s before the end: a socket that is silent is closed after two minutes. */
const CHATS_IDLE_SEC = 120
/** So the engine pings after 24 s: proxies between clients of this mode and the vendor are used to one at least every 30 s. */
const LANES_IDLE_SEC = 40
/** The vendor's limit. */
const MAX_AGE_MS = 60 * 60 * 1000

/** WebSockets on the paths of a surface whose clients speak on them. */
function addSocketMode(app: TemplatedApp, front: ServerContext, surface: Surface, options: RouteOptions): void {
  const { socketMode: mode, stored, routes } = surface
  if (mode === undefined || stored === undefined) return
  const { maxBodyBytes, maxReaderLagBytes } = options.config
  const { decode, maxTurnBytes = maxBodyBytes, maxSocketAgeMs = MAX_AGE_MS } = options
  const lanes = { surface, mode, stored, decode, maxShelfBytes: maxBodyBytes, maxAgeMs: maxSocketAgeMs }
  const behavior = createWebSocket(front, {
    ...{ surface, maxReaderLagBytes, codecs: [{ ...createJsonCodec(), name: mode.subprotocol }] },
    maxMessageBytes: Math.min(maxTurnBytes, maxBodyBytes),
    idleTimeoutSec: LANES_IDLE_SEC,
    talk: (ws, socket) => new Lanes(front, lanes, ws, socket),
    elsewhere: { error: SEND_POST, isOff: (view) => !view.hasSocketMode },
  })
  for (const { path, isTriedByWebSocket } of routes) if (isTriedByWebSocket === true) app.ws(path, behavior)
}

/** Adds all routes of the separate metrics listener. */
export function addMetricsRoutes(app: TemplatedApp, front: ServerContext, options: RouteOptions): void {
  const acts = { takeChat: createTakeChat(null), refuse: refusePath([]) }
  addPath(app, front, metricsPath(options.renderMetrics, true), acts)
  addRest(app, front, { routes: [], ...EVERYWHERE })
}

function addPath(app: TemplatedApp, front: ServerContext, route: Path, acts: ChatActs): void {
  const { surface = null, get, remove, post, choices, strangers = [] } = route
  const apart = (enter: EngineRoute): EngineRoute =>
    byHeader(
      strangers.map(({ header, surface }) => ({ header, enter: createRoute(front, surface, refuseStranger(header)) })),
      enter,
    )
  // The engine tries literal paths before those with a part that may be anything.
  const path = route.path.replace(PROVIDER_PART, ':provider')
  const methods = [get && 'GET, HEAD', (choices ?? post) && 'POST', remove && 'DELETE', 'OPTIONS']
  const allow = methods.filter((method) => method !== undefined).join(', ')
  if (get !== undefined) {
    const enter = apart(createReadRoute(front, route, get.act))
    app.get(path, enter)
    app.head(path, enter)
  }
  if (choices !== undefined) app.post(path, apart(createChatRoute(front, choices, acts)))
  if (post !== undefined) app.post(path, apart(createRoute(front, surface, post.act)))
  if (remove !== undefined) app.del(path, apart(createRoute(front, surface, remove.act)))
  app.options(path, createRoute(front, surface, answerOptions(allow)))
  app.any(path, createRoute(front, surface, refuseMethod(allow)))
}

/** GET of a path: the API of the answer is decided first, so that even the first error is in its form. */
function createReadRoute(front: ServerContext, { surface = null, speakers = [] }: Path, get: Act): EngineRoute {
  const named = speakers.map(({ header, surface }) => ({ header, enter: createRoute(front, surface, get) }))
  return byHeader(named, createRoute(front, surface, get))
}

/** Clients that send one of the headers have a route of their own. */
function byHeader(named: readonly { header: string; enter: EngineRoute }[], byDefault: EngineRoute): EngineRoute {
  if (named.length === 0) return byDefault
  return (res, req) => (named.find(({ header }) => req.getHeader(header) !== '')?.enter ?? byDefault)(res, req)
}

const EVERYWHERE = Object.freeze({ below: '', surface: null })

type Rest = {
  readonly routes: readonly RouteRow[]
  readonly below: string
  readonly surface: Surface | null
  readonly speakers?: readonly Speaker[]
}

/** Without it the engine closes the connection of an unknown path without an answer. */
function addRest(app: TemplatedApp, front: ServerContext, rest: Rest): void {
  const { below, surface } = rest
  app.options(`${below}/*`, createRoute(front, surface, answerOptions('GET, HEAD, POST, OPTIONS')))
  app.any(`${below}/*`, elsewhere(front, rest))
}

/** The refusal of a path that is not served, in the form of the caller's API. `wrap`: what else is answered there. */
function elsewhere(front: ServerContext, rest: Omit<Rest, 'below'>, wrap = (refuse: Act): Act => refuse): EngineRoute {
  const { routes, surface, speakers = [] } = rest
  const act = wrap(refusePath(routes))
  const named = speakers.map(({ header, surface }) => ({ header, enter: createRoute(front, surface, act) }))
  return byHeader(named, createRoute(front, surface, act))
}
