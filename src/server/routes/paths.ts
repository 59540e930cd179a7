// Which paths there are and what each of them does: chats, jobs, what is read. app.ts puts them on the engine.
import { type Surface } from '../../protocols/contract/protocol.js'
import { type Act } from '../http/http.js'
import { type JobIntake } from '../intake/job-intake.js'
import { type Choice, choicesByPath, defaultOf } from './chat-route.js'
import { answerJob, answerJobs, cancelJob } from './job-routes.js'
import { type RouteRow } from './openapi.js'
import {
  answerAlive,
  answerModel,
  answerModels,
  answerPing,
  answerProviders,
  answerReady,
  answerTags,
} from './plain-routes.js'

/** What of the server's options the paths are made of. */
export type PathOptions = {
  readonly surfaces: readonly Surface[]
  readonly compat: { readonly apiPrefix: string; readonly healthStatus: string }
  readonly isReady: () => boolean
  readonly jobDoor?: JobIntake
}

/** A surface that is recognised by a request header. */
export type Speaker = { readonly surface: Surface; readonly header: string }

/** What is served on a path. `surface`: in whose words what is wrong is answered; null for the plain ones. */
export type Path = {
  readonly path: string
  readonly surface?: Surface | null
  readonly get?: Act
  /** APIs in whose words `get` answers requests that bear their header; all others in those of `surface`. */
  readonly speakers?: readonly Speaker[]
  readonly remove?: Act
  /** Chats are posted there. */
  readonly choices?: readonly Choice[]
}

/** The rows of the routing table that a path has. */
export function rowsOf({ path, get, remove, choices = [] }: Path): RouteRow[] {
  return [
    ...choices.map(({ surface }) => ({ method: 'POST' as const, path, surface })),
    ...(get === undefined ? [] : [{ method: 'GET' as const, path, surface: null }]),
    ...(remove === undefined ? [] : [{ method: 'DELETE' as const, path, surface: null }]),
  ]
}

/** What chats are posted to, and beside it the jobs that they may become. */
export function chatPaths({ surfaces, compat, jobDoor }: PathOptions): Path[] {
  return [...choicesByPath(surfaces, compat.apiPrefix)].flatMap(([path, choices]): Path[] => {
    const surface = defaultOf(choices)
    if (jobDoor === undefined || jobDoor.surface.routes[0]?.path !== path) return [{ path, choices, surface }]
    const prefix = `${path}/`
    const one = { get: answerJob(jobDoor, prefix), remove: cancelJob(jobDoor, prefix) }
    return [
      { path, choices, surface, get: answerJobs(jobDoor) },
      { path: `${prefix}:id`, surface, ...one },
    ]
  })
}

/** The models, in the form of each API that lists them. */
export function modelPaths({ surfaces }: PathOptions): Path[] {
  const speakers = surfaces.flatMap((surface) =>
    surface.models === undefined ? [] : [{ surface, header: surface.models.header }],
  )
  return [
    { path: '/v1/models', get: answerModels, speakers },
    { path: '/v1/models/*', get: answerModel('/v1/models/'), speakers },
  ]
}

/** What is read below the prefix. */
export function prefixedPaths(options: PathOptions): Path[] {
  const prefix = options.compat.apiPrefix
  const surface = prefixedSurface(options)
  return [
    { path: `${prefix}/models`, surface, get: answerModels },
    { path: `${prefix}/tags`, surface, get: answerTags },
    { path: `${prefix}/ping`, surface, get: answerPing() },
  ]
}

/** In whose words paths below the prefix refuse that are no surface's. */
export function prefixedSurface({ surfaces }: PathOptions): Surface | null {
  return surfaces.find(({ routes }) => routes.some(({ isPrefixed }) => isPrefixed === true)) ?? null
}

/** Whether the process lives and is ready. */
export function healthPaths(options: PathOptions): Path[] {
  const alive = answerAlive('ok')
  return [
    { path: '/livez', get: alive },
    { path: '/readyz', get: answerReady(options.isReady) },
    { path: '/health', get: answerAlive(options.compat.healthStatus) },
    { path: '/healthz', get: alive },
    { path: '/v1/health', get: answerProviders('ok') },
    { path: '/ping', get: alive },
  ]
}
