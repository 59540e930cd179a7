// The route of one path for chats. Usually a path has one surface; if several share it, the request's Accept header or a parameter of its
// query selects one. That is decided first, so that even the first error is in the form of that surface. Paths that name the model share
// one path of the engine, since a model's name may have slashes: the verb after it selects the route.
import { GatewayError } from '../../errors.js'
import { type PathPrefix } from '../../protocols/contract/listing.js'
import { type Surface, type SurfaceRoute } from '../../protocols/contract/protocol.js'
import { type ServerContext } from '../context.js'
import { callerKeyOf, PROVIDER_PART } from '../http/credentials.js'
import { type Act, createRoute, type EngineRoute } from '../http/http.js'
import { createResource } from './resource-routes.js'

/** One surface on a path, by one of its routes, selected by the route's `accept` or `query` if it has one. */
export type Choice = { readonly surface: Surface; readonly route: SurfaceRoute; readonly path: string }
/** The placeholder for the name of a model, before a colon and a verb. */
const MODEL_PART = '{model}'
/** The longest name of a model: the limit of labels and log lines that contain it. */
const MAX_MODEL_LENGTH = 256

/** The paths of all surfaces, as the engine has them, with their choices. */
export function choicesByPath(
  surfaces: readonly Surface[],
  prefixes: Prefixes,
): ReadonlyMap<string, readonly Choice[]> {
  const paths = new Map<string, Choice[]>()
  for (const surface of surfaces) {
    for (const route of surface.routes) {
      const whole = wholePath(route, prefixes)
      const served = namesModel(route) ? `${whole.slice(0, whole.indexOf(MODEL_PART))}*` : whole
      paths.set(served, [...(paths.get(served) ?? []), { surface, route, path: whole }])
    }
  }
  return paths
}

/** The configured value of each prefix. */
export type Prefixes = Readonly<Record<PathPrefix, string>>

/** A path with the prefix that precedes it, if one does. */
export function wholePath({ path, prefix }: { path: string; prefix?: PathPrefix }, prefixes: Prefixes): string {
  return prefix === undefined ? path : prefixes[prefix] + path
}

/** The default surface of a path, which also answers wrong methods. */
export function defaultOf(choices: readonly Choice[]): Surface | null {
  return unasked(choices)?.surface ?? null
}

function unasked(choices: readonly Choice[]): Choice | undefined {
  return choices.find(({ route }) => route.accept === undefined && route.query === undefined) ?? choices[0]
}

/** Whether its path names the model. */
export function namesModel({ path }: Pick<SurfaceRoute, 'path'>): boolean {
  return path.includes(MODEL_PART)
}

/** Whether the path of a request is that of a route, as it is written there. */
export function isPathOf(path: string, asked: string): boolean {
  const [before = '', after] = path.split(MODEL_PART)
  return after === undefined ? path === asked : asked.startsWith(before) && asked.endsWith(after)
}

/** POST of a path. `refuse` answers a verb that no route has. */
export function createChatRoute(front: ServerContext, choices: readonly Choice[], acts: ChatActs): EngineRoute {
  const { takeChat, refuse } = acts
  const byVerb = new Map<string, Choice[]>()
  for (const choice of choices) {
    const verb = verbOf(choice)
    if (verb !== null) byVerb.set(verb, [...(byVerb.get(verb) ?? []), choice])
  }
  if (byVerb.size === 0) return createChoice(front, choices, takeChat)
  const enters = new Map([...byVerb].map(([verb, some]) => [verb, createChoice(front, some, takeChat)]))
  const unknown = createRoute(front, defaultOf(choices), refuse)
  return (res, req) => {
    const url = decodePath(req.getUrl())
    const enter = enters.get(url.slice(url.lastIndexOf(':') + 1)) ?? unknown
    enter(res, req)
  }
}

export type ChatActs = { readonly takeChat: Act; readonly refuse: Act }

/** What follows the model's name and a colon; null for a path without either. */
function verbOf({ route }: Choice): string | null {
  return namesModel(route) ? route.path.slice(route.path.indexOf(MODEL_PART) + MODEL_PART.length + 1) : null
}

/** Header and query are read only where there is a choice. */
function createChoice(front: ServerContext, choices: readonly Choice[], takeChat: Act): EngineRoute {
  const enterOf = ({ surface, route, path }: Choice) => createRoute(front, surface, takeChatOn(route, path, takeChat))
  const usual = unasked(choices)
  const byDefault = usual === undefined ? createRoute(front, null, takeChat) : enterOf(usual)
  const asked = choices.filter(({ route }) => route.accept !== undefined || route.query !== undefined)
  if (asked.length === 0) return byDefault
  const named = asked.map((choice) => ({ route: choice.route, enter: enterOf(choice) }))
  return (res, req) => {
    const header = req.getHeader('accept')
    const isAsked = ({ accept, query }: SurfaceRoute): boolean =>
      accept === undefined ? req.getQuery(query?.name ?? '') === query?.value : namesType(header, accept)
    const enter = named.find(({ route }) => isAsked(route))?.enter ?? byDefault
    enter(res, req)
  }
}

/** POST on one route of a surface: what its path specifies is passed with the request. `path`: the route's, with its prefix. */
function takeChatOn(route: SurfaceRoute, path: string, takeChat: Act): Act {
  const streams = route.streams === true
  const namesProvider = route.path.includes(PROVIDER_PART)
  const names = namesModel(route)
  if (route.ownKey === true) return createResource(takeChat)
  if (!streams && !namesProvider && !names && route.counts !== true) return takeChat
  const counts = route.counts === true ? { counts: true as const } : {}
  return (exchange, req) => {
    const provider = namesProvider ? (req.getParameter(0) ?? '') : null
    const callerKey = namesProvider ? callerKeyOf(exchange) : null
    const model = names ? { model: readModelIn(req.getUrl(), path) } : {}
    exchange.path = { streams, provider, callerKey, ...model, ...counts }
    takeChat(exchange, req)
  }
}

/**
 * The model that the path of a request names; `path` is that of its route, which it fits.
 * @throws invalid_request for a name that is empty or too long
 */
export function readModelIn(asked: string, path: string): string {
  const [before = '', after = ''] = path.split(MODEL_PART)
  const name = decodePath(asked).slice(before.length, -after.length)
  if (name !== '' && name.length <= MAX_MODEL_LENGTH) return name
  const message = `The path must name a model in 1 to ${MAX_MODEL_LENGTH} characters.`
  throw new GatewayError('invalid_request', { message })
}

/** Percent-decodes; text that does not decode is not a model's name and stays unchanged. */
export function decodePath(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** True if the header has this very type in its list; a range such as `*` is not a request for it. RFC 9110, section 12.5.1. */
export function namesType(header: string, type: string): boolean {
  return header.split(',').some((entry) => entry.split(';')[0]?.trim().toLowerCase() === type)
}
