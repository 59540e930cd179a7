// A request in the upstream's own words, as far as it differs from others: one target alone, a path below that provider's base
// URL, and the globs of the caller's key held against what the words themselves say.
import { GatewayError } from '../../errors.js'
import { type Dialect, type RawFacts } from '../../protocols/contract/protocol.js'
import { mayUseAll } from '../../routing/access.js'
import { type Route, type RouteQuery, type Router } from '../../routing/router.js'

export type RawRouting = {
  readonly raw: RawFacts
  readonly query: RouteQuery
  readonly router: Pick<Router, 'route'>
  readonly dialects: ReadonlyMap<string, Dialect>
}

/**
 * The one target that may be tried: another provider would not understand the words. A key for some models may send them only
 * to the chat path of such a model, for what else a path leads to nobody can tell.
 * @throws forbidden
 */
export function routeRaw({ raw, query, router, dialects }: RawRouting): Route {
  const { targets, ...route } = router.route(query)
  const target = targets[0]
  const only = { ...route, targets: targets.slice(0, 1), fallbacks: [], contextFallbacks: [] }
  if (target === undefined || mayUseAll(query.allowed)) return only
  const { provider } = target
  // What the body names goes to the provider as it is, whatever the name beside it was.
  const named =
    raw.model === null ? target : router.route({ ...query, model: raw.model, provider: provider.name }).targets[0]
  const dialect = dialects.get(provider.protocol)
  const path = pathBelow(provider.baseUrl, raw.path)
  const isChat = (model: string): boolean =>
    named !== undefined &&
    dialect !== undefined &&
    CHAT_KINDS.some((isStream) => dialect.path({ ...named.target, model }, isStream) === path)
  if (!isChat(raw.model ?? target.target.model)) {
    throw new GatewayError('forbidden', {
      message: 'This key is restricted to the chat path of its models.',
      param: 'path',
    })
  }
  // Of a body without a model the provider would choose one, unless the path names it.
  if (raw.model !== null || !isChat(OTHER_MODEL)) return only
  const message = "This key is restricted to certain models, so 'body.model' is required."
  throw new GatewayError('forbidden', { message, param: 'body.model' })
}

const CHAT_KINDS = [true, false]
/** A name that no path holds by chance. */
const OTHER_MODEL = 'another model'

/** The path without the base URL's own, which clients may write or leave out. */
export function pathBelow(baseUrl: string, path: string): string {
  const base = new URL(baseUrl).pathname.replace(/\/+$/, '')
  return base !== '' && path.startsWith(`${base}/`) ? path.slice(base.length) : path
}
