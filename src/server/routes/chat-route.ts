// The route of one path for chats. Usually a path has one surface; if several share it, the request's Accept header selects one. That
// is decided first, so that even the first error is in the form of that surface.
import { type Surface, type SurfaceRoute } from '../../protocols/contract/protocol.js'
import { type ServerContext } from '../context.js'
import { callerKeyOf } from '../http/credentials.js'
import { type Act, createRoute, type EngineRoute } from '../http/http.js'

/** One surface on a path, by one of its routes, selected by the route's `accept` if it has one. */
export type Choice = { readonly surface: Surface; readonly route: SurfaceRoute }
/** The placeholder for the name of a provider in a route. */
export const PROVIDER_PART = '{provider}'

/** The paths of all surfaces with their choices; `prefix` precedes the prefixed ones. */
export function choicesByPath(surfaces: readonly Surface[], prefix: string): ReadonlyMap<string, readonly Choice[]> {
  const paths = new Map<string, Choice[]>()
  for (const surface of surfaces) {
    for (const route of surface.routes) {
      const whole = route.isPrefixed === true ? prefix + route.path : route.path
      paths.set(whole, [...(paths.get(whole) ?? []), { surface, route }])
    }
  }
  return paths
}

/** The default surface of a path, which also answers wrong methods. */
export function defaultOf(choices: readonly Choice[]): Surface | null {
  return unasked(choices)?.surface ?? null
}

function unasked(choices: readonly Choice[]): Choice | undefined {
  return choices.find(({ route }) => route.accept === undefined) ?? choices[0]
}

/** POST of a path. The header is read only where there is a choice. */
export function createChatRoute(front: ServerContext, choices: readonly Choice[], takeChat: Act): EngineRoute {
  const byDefault = createRoute(front, defaultOf(choices), takeChatOn(unasked(choices)?.route ?? null, takeChat))
  const named = choices.flatMap(({ surface, route }) => {
    const { accept } = route
    return accept === undefined ? [] : [{ accept, enter: createRoute(front, surface, takeChatOn(route, takeChat)) }]
  })
  if (named.length === 0) return byDefault
  return (res, req) => {
    const header = req.getHeader('accept')
    const enter = named.find(({ accept }) => namesType(header, accept))?.enter ?? byDefault
    enter(res, req)
  }
}

/** POST on one route of a surface: what its path specifies is passed with the request. */
function takeChatOn(route: SurfaceRoute | null, takeChat: Act): Act {
  const streams = route?.streams === true
  const namesProvider = route?.path.includes(PROVIDER_PART) === true
  const counts = route?.counts === true
  if (!streams && !namesProvider && !counts) return takeChat
  return (exchange, req) => {
    const provider = namesProvider ? (req.getParameter(0) ?? '') : null
    const callerKey = namesProvider ? callerKeyOf(exchange) : null
    exchange.path = counts ? { streams, provider, callerKey, counts } : { streams, provider, callerKey }
    takeChat(exchange, req)
  }
}

/** True if the header has this very type in its list; a range such as `*` is not a request for it. RFC 9110, section 12.5.1. */
export function namesType(header: string, type: string): boolean {
  return header.split(',').some((entry) => entry.split(';')[0]?.trim().toLowerCase() === type)
}
