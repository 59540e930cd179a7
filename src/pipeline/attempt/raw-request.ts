// How a request in the upstream's own format differs from others: it has a single target and a path below that provider's base URL,
// and the globs of the caller's key are checked against the model in the body.
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
 * The only target that may be tried: another provider would not understand the format. A key for some models may use only the chat
 * path of such a model, since the meaning of other paths is unknown.
 * @throws forbidden
 */
export function routeRaw({ raw, query, router, dialects }: RawRouting): Route {
  const { targets, ...route } = router.route(query)
  const target = targets[0]
  const only = { ...route, targets: targets.slice(0, 1), fallbacks: [], contextFallbacks: [] }
  if (target === undefined || mayUseAll(query.allowed)) return only
  const { provider } = target
  // The model in the body is sent to the provider unchanged, whatever name is beside it.
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
  // For a body without a model the provider would choose one, unless the path names it.
  if (raw.model !== null || !isChat(OTHER_MODEL)) return only
  const message = "This key is restricted to certain models, so 'body.model' is required."
  throw new GatewayError('forbidden', { message, param: 'body.model' })
}

const CHAT_KINDS = [true, false]
/** A name that no path contains by chance. */
const OTHER_MODEL = 'another model'

/** The path without the base URL's own, which clients may write or leave out. */
export function pathBelow(baseUrl: string, path: string): string {
  const base = new URL(baseUrl).pathname.replace(/\/+$/, '')
  return base !== '' && path.startsWith(`${base}/`) ? path.slice(base.length) : path
}
