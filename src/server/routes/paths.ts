// The table of paths: what each of them does, and its OpenAPI operation. add-routes.ts adds them to the engine.
import { GatewayError } from '../../errors.js'
import { type JsonObject } from '../../model/json.js'
import { type PathPrefix } from '../../protocols/contract/listing.js'
import { type Surface } from '../../protocols/contract/protocol.js'
import { type ResourceRoute } from '../../protocols/contract/resource.js'
import { type ServerContext } from '../context.js'
import { type Act } from '../http/http.js'
import { type JobIntake } from '../intake/job-intake.js'
import { STREAM_PATH } from '../kept/stream-headers.js'
import { readStream, stopStream } from '../kept/stream-routes.js'
import { type RouteRow } from '../openapi/openapi.js'
import { documentOperation, listOperations, PLAIN_OPERATIONS } from '../openapi/plain-operations.js'
import { resourceOperation } from '../openapi/resource-operations.js'
import { type Choice, choicesByPath, defaultOf, namesModel, type Prefixes, wholePath } from './chat-route.js'
import { answerJob, answerJobs, cancelJob } from './job-routes.js'
import {
  answerAlive,
  answerAskedModel,
  answerDocument,
  answerMetrics,
  answerModel,
  answerModels,
  answerOpenApi,
  answerPing,
  answerProviders,
  answerReady,
  answerTags,
  answerUsage,
  type UsageSource,
} from './plain-routes.js'
import { askResource } from './resource-routes.js'
import { answerInputItems, answerResponse, cancelResponse, deleteResponse } from './response-routes.js'
import { answerToken } from './token-routes.js'

/** The server's options that the paths depend on. */
export type PathOptions = {
  readonly surfaces: readonly Surface[]
  readonly compat: Prefixes & { readonly healthStatus: string }
  readonly isReady: () => boolean
  /** Keys of the account database are those that were known before it was away; absent: never. */
  readonly isDegraded?: () => boolean
  /** No jobs, and no idempotency keys, unless given. */
  readonly jobDoor?: JobIntake
  /** Absent: there is no account database, and no path for what keys spend. */
  readonly usage?: UsageSource
  /** There is a path for browser tokens; absent: there is none. */
  readonly issuesTokens?: boolean
}

/** A surface that is recognised by a request header. */
export type Speaker = { readonly surface: Surface; readonly header: string }

/** The surfaces whose clients send a header of their own with every request. */
export function speakersAmong(surfaces: readonly Surface[]): Speaker[] {
  return surfaces.flatMap((surface) =>
    surface.models?.header === undefined ? [] : [{ surface, header: surface.models.header }],
  )
}

/** A method of a plain path: what it does, and its OpenAPI operation. */
export type PlainRoute = { readonly act: Act; readonly operation: JsonObject }

/** What is served on a path. `surface`: the API in whose form errors are answered; null for the plain ones. */
export type Path = {
  readonly path: string
  readonly surface?: Surface | null
  readonly get?: PlainRoute
  /** APIs in whose form `get` answers requests with their header; all others in the form of `surface`. */
  readonly speakers?: readonly Speaker[]
  /** APIs whose clients mean something else by this path, which there is not: 404 in their form. */
  readonly strangers?: readonly Speaker[]
  readonly remove?: PlainRoute
  /** Posted there, but no chat. */
  readonly post?: PlainRoute
  /** Chats are posted there. */
  readonly choices?: readonly Choice[]
}

/** The rows of the routing table that a path has. */
export function rowsOf({ path, get, remove, post, choices = [] }: Path): RouteRow[] {
  return [
    ...choices.map(({ surface, route, path }) => {
      const row = { method: 'POST' as const, path, surface }
      return route.counts === true ? { ...row, counts: route.counts } : row
    }),
    ...plainRows('GET', path, get),
    ...plainRows('DELETE', path, remove),
    ...plainRows('POST', path, post),
  ]
}

function plainRows(method: 'GET' | 'DELETE' | 'POST', path: string, route: PlainRoute | undefined): RouteRow[] {
  return route === undefined ? [] : [{ method, path, surface: null, operation: route.operation }]
}

/** The paths for chats and for the jobs that they may become. */
export function chatPaths({ surfaces, compat, jobDoor }: PathOptions): Path[] {
  const strangers = speakersAmong(surfaces)
  return [...choicesByPath(surfaces, compat)].flatMap(([path, choices]): Path[] => {
    const surface = defaultOf(choices)
    // Beside the lists of models.
    if (choices.some(({ route }) => namesModel(route))) return []
    if (surface?.resources !== undefined) {
      return resourcePaths(path, { surface, choices, strangers, resources: surface.resources })
    }
    if (choices.some(({ route }) => route.isTriedByWebSocket === true)) {
      return [{ path, choices, surface, get: plain(refuseUpgrade, 'turnsWebSocket') }]
    }
    if (jobDoor === undefined || jobDoor.surface.routes[0]?.path !== path) return [{ path, choices, surface }]
    const prefix = `${path}/`
    const get = plain(answerJob(jobDoor, prefix), 'job')
    const remove = plain(cancelJob(jobDoor, prefix), 'cancelledJob')
    return [
      { path, choices, surface, get: plain(answerJobs(jobDoor), 'jobs') },
      { path: `${prefix}:id`, surface, get, remove },
    ]
  })
}

type ResourceSurface = Required<Pick<Path, 'choices' | 'strangers'>> & {
  readonly surface: Surface
  readonly resources: readonly ResourceRoute[]
}

/** What clients keep in their own accounts at providers. `base`: where they create. */
function resourcePaths(base: string, { surface, choices, strangers, resources }: ResourceSurface): Path[] {
  const rests = new Set(resources.map(({ rest }) => rest))
  return [...rests].map((rest) => {
    const routeOf = (asked: ResourceRoute['method']): PlainRoute | undefined => {
      const found = resources.find((route) => route.rest === rest && route.method === asked)
      return found && { act: askResource(found), operation: resourceOperation(surface, found) }
    }
    const [get, post, remove] = [routeOf('GET'), routeOf('POST'), routeOf('DELETE')]
    return {
      ...{ path: base + rest.replace('{id}', ':id'), surface, strangers },
      ...(rest === '' ? { choices } : {}),
      ...(get && { get }),
      ...(post && { post }),
      ...(remove && { remove }),
    }
  })
}

/** The answers of each surface that stores them, by their ids. */
export function storedPaths({ surfaces }: PathOptions, front: Pick<ServerContext, 'background' | 'bell'>): Path[] {
  return surfaces.flatMap((surface): Path[] => {
    const { stored } = surface
    if (stored === undefined) return []
    const one = `${stored.path}/:id`
    const get = plain(answerResponse(stored, front.bell), 'storedResponse')
    const remove = plain(deleteResponse(stored, front.background), 'deletedResponse')
    return [
      { path: one, surface, get, remove },
      { path: `${one}/cancel`, surface, post: plain(cancelResponse(stored, front.background), 'cancelledResponse') },
      { path: `${one}/input_items`, surface, get: plain(answerInputItems(stored), 'inputItems') },
    ]
  })
}

/** The streams that clients may come back to. */
export function streamPaths({ surfaces }: PathOptions): Path[] {
  const get = plain(readStream(surfaces), 'stream')
  return [{ path: `${STREAM_PATH}:id`, get, remove: plain(stopStream, 'stoppedStream') }]
}

/** The models, in the form of each API that lists them. */
export function modelPaths({ surfaces, compat }: PathOptions): Path[] {
  const speakers = speakersAmong(surfaces)
  const chats = choicesByPath(surfaces, compat)
  const chatsOn = (path: string): Pick<Path, 'choices'> => {
    const choices = chats.get(path)
    return choices === undefined ? {} : { choices }
  }
  const own = surfaces.flatMap((surface): Path[] => {
    const { models } = surface
    if (models?.path === undefined) return []
    const { list, each } = listOperations(models)
    const path = wholePath({ ...models, path: models.path }, compat)
    const listed = { path, surface, get: { act: answerModels, operation: list } }
    const { asked } = models
    if (asked !== undefined) {
      const shown = { act: answerAskedModel(asked), operation: each }
      return [listed, { path: wholePath({ ...models, path: asked.path }, compat), surface, post: shown }]
    }
    const below = `${path}/*`
    return [listed, { path: below, surface, get: { act: answerModel(`${path}/`), operation: each }, ...chatsOn(below) }]
  })
  return [
    { path: '/v1/models', get: plain(answerModels, 'modelsInOwnForm'), speakers },
    { path: '/v1/models/*', get: plain(answerModel('/v1/models/'), 'model'), speakers, ...chatsOn('/v1/models/*') },
    ...own,
  ]
}

/** What the caller's key has spent, where there is an account database. */
export function usagePaths({ surfaces, usage }: PathOptions): Path[] {
  if (usage === undefined) return []
  return [{ path: '/v1/usage', get: plain(answerUsage(usage), 'usage'), speakers: speakersAmong(surfaces) }]
}

/** Where browser tokens are issued, if there are any. */
export function tokenPaths({ issuesTokens = false }: PathOptions): Path[] {
  return issuesTokens ? [{ path: '/v1/tokens', post: plain(answerToken, 'token') }] : []
}

/** The documents that clients of an API read before they ask. */
export function documentPaths({ surfaces, compat }: PathOptions): Path[] {
  return surfaces.flatMap((surface) =>
    (surface.documents ?? []).map((document) => {
      const get = { act: answerDocument(document.body), operation: documentOperation(document) }
      return { path: wholePath(document, compat), surface, get }
    }),
  )
}

/** The plain paths below the prefix. */
export function prefixedPaths(options: PathOptions): Path[] {
  const prefix = options.compat.apiPrefix
  const surface = prefixedSurface(options, 'apiPrefix')
  return [
    { path: `${prefix}/models`, surface, get: plain(answerModels, 'models') },
    { path: `${prefix}/tags`, surface, get: plain(answerTags, 'tags') },
    { path: `${prefix}/ping`, surface, get: plain(answerPing(), 'ping') },
  ]
}

/** The API in whose form plain paths below a prefix answer errors. */
export function prefixedSurface({ surfaces }: PathOptions, prefix: PathPrefix): Surface | null {
  return surfaces.find(({ routes }) => routes.some((route) => route.prefix === prefix)) ?? null
}

const never = (): boolean => false

/** Whether the process lives and is ready. */
export function healthPaths(options: PathOptions): Path[] {
  const alive = plain(answerAlive('ok'), 'alive')
  return [
    { path: '/livez', get: alive },
    { path: '/readyz', get: plain(answerReady(options.isReady, options.isDegraded ?? never), 'ready') },
    { path: '/health', get: plain(answerAlive(options.compat.healthStatus), 'aliveInWords') },
    { path: '/healthz', get: alive },
    { path: '/v1/health', get: plain(answerProviders('ok'), 'providers') },
    { path: '/ping', get: alive },
  ]
}

/** The WebSocket paths; a request without an upgrade is answered with 426. */
export function webSocketPaths(): Path[] {
  return [
    { path: '/v1/ws', get: plain(refuseWithoutUpgrade, 'webSocket') },
    { path: '/v1/ws/large', get: plain(refuseWithoutUpgrade, 'largeWebSocket') },
  ]
}

/** `isApart`: on a separate listener. */
export function metricsPath(render: () => Promise<string>, isApart: boolean): Path {
  return { path: '/metrics', get: plain(answerMetrics(render, isApart), 'metrics') }
}

/** The document of the API, which `create` makes. */
export function documentPath(create: (hasKeys: boolean) => JsonObject): Path {
  return { path: '/openapi.json', get: plain(answerOpenApi(create), 'document') }
}

const UPGRADE_REQUIRED = 426
/** RFC 9110, 15.5.22, and RFC 6455, 4.4. */
const UPGRADE_HEADERS = [['upgrade', 'websocket'] as const, ['sec-websocket-version', '13'] as const]

const refuseWithoutUpgrade: Act = (exchange) => {
  const error = new GatewayError('invalid_request', {
    status: UPGRADE_REQUIRED,
    message: 'This route accepts WebSocket upgrades only.',
  })
  exchange.reject(error, UPGRADE_HEADERS)
}

/**
 * For clients that try a WebSocket before they send POST: on 426 they fall back at once, while 404, 405, 429 and 503 are retried several
 * times (llxprt-code#3047, codex-lb#1886). So it is the answer where WebSocket mode is off, and where there is no room for a socket.
 */
export const SEND_POST = GatewayError.shared('invalid_request', {
  status: UPGRADE_REQUIRED,
  message: 'No WebSocket is available on this route at present: send POST.',
})

const refuseUpgrade: Act = (exchange) => {
  exchange.reject(
    new GatewayError('invalid_request', {
      status: UPGRADE_REQUIRED,
      message: 'GET opens a WebSocket here; without an upgrade send POST. Stored answers are found by id.',
    }),
    UPGRADE_HEADERS,
  )
}

function plain(act: Act, operation: keyof typeof PLAIN_OPERATIONS): PlainRoute {
  return { act, operation: PLAIN_OPERATIONS[operation] }
}
