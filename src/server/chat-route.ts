// The route of one path that chats are posted to. Mostly one surface has a path; where several share it, the request's Accept
// header tells which is meant. Decided before anything else, so that even the first refusal is in that surface's words.
import { type Surface } from '../protocols/protocol.js'
import { type Front } from './front.js'
import { type Act, createRoute, type EngineRoute } from './http.js'

/** One surface on a path. `accept`: the media type that asks for it; null for the one that needs no asking. */
export type Choice = { readonly surface: Surface; readonly accept: string | null }

/** The paths of all surfaces and who is there, `prefix` before those that stand below it. */
export function choicesByPath(surfaces: readonly Surface[], prefix: string): ReadonlyMap<string, readonly Choice[]> {
  const paths = new Map<string, Choice[]>()
  for (const surface of surfaces) {
    for (const { path, isPrefixed, accept = null } of surface.routes) {
      const whole = isPrefixed === true ? prefix + path : path
      paths.set(whole, [...(paths.get(whole) ?? []), { surface, accept }])
    }
  }
  return paths
}

/** The surface of a path for requests that ask for none: it answers wrong methods, too. */
export function defaultOf(choices: readonly Choice[]): Surface | null {
  return (choices.find(({ accept }) => accept === null) ?? choices[0])?.surface ?? null
}

/** POST of a path. The header is read only where there is a choice. */
export function createChatRoute(front: Front, choices: readonly Choice[], takeChat: Act): EngineRoute {
  const byDefault = createRoute(front, defaultOf(choices), takeChat)
  const named = choices.flatMap(({ surface, accept }) =>
    accept === null ? [] : [{ accept, route: createRoute(front, surface, takeChat) }],
  )
  if (named.length === 0) return byDefault
  return (res, req) => {
    const header = req.getHeader('accept')
    const found = named.find(({ accept }) => namesType(header, accept))
    const route = found === undefined ? byDefault : found.route
    route(res, req)
  }
}

/** True if the header has this very type in its list; a range such as `*` is no wish. RFC 9110, section 12.5.1. */
export function namesType(header: string, type: string): boolean {
  return header.split(',').some((entry) => entry.split(';')[0]?.trim().toLowerCase() === type)
}
