// Where a request to the caller's own account goes: to the provider that it names, which may be a well-known one that is not configured.
// There is no default, since a key that is sent to another vendor is known there.
import { type WellKnownProvider } from '../../config/types.js'
import { GatewayError } from '../../errors.js'
import { PROVIDER_HEADER } from '../../protocols/contract/resource.js'
import { type EndpointFacts } from '../../protocols/endpoints/endpoint.js'
import { mayUseAll } from '../../routing/access.js'
import { type Route, type RouteQuery, type Router } from '../../routing/router.js'
import { type EndpointWorld, offers } from './endpoint-route.js'

export type ResourceRouting = {
  readonly endpoint: EndpointFacts
  readonly query: RouteQuery
  readonly router: Pick<Router, 'route'>
  readonly world: EndpointWorld & { readonly config: { readonly wellKnown?: readonly WellKnownProvider[] } }
}

/** Longest part of a client's text that an error message quotes. */
const MAX_SHOWN_NAME = 100

/**
 * The named provider, without a model.
 * @throws forbidden for a key that is restricted to certain models, which a batch could leave
 * @throws invalid_request if no provider is named, or one without the endpoint
 */
export function routeResource({ endpoint, query, router, world }: ResourceRouting): Route {
  const what = `/v1/${endpoint.id}`
  if (!mayUseAll(query.allowed)) {
    throw new GatewayError('forbidden', { message: `This key is restricted to certain models and cannot use ${what}.` })
  }
  const { providers, wellKnown = [] } = world.config
  const all = [...providers, ...wellKnown.map(({ provider }) => provider)]
  const having = all.filter((provider) => offers(provider, endpoint, world)).map(({ name }) => name)
  const name = query.provider ?? ''
  if (having.includes(name)) return router.route({ ...query, byPath: { hasKey: true } })
  const these = `${having.length === 0 ? 'none' : [...new Set(having)].join(', ')}.`
  const shown = name.slice(0, MAX_SHOWN_NAME)
  const isKnown = all.some((provider) => provider.name === name)
  const problem = isKnown ? `${shown} does not offer ${what}` : `Unsupported provider: ${shown}`
  const message =
    name === ''
      ? `The header ${PROVIDER_HEADER} must name the provider of your key. With ${what}: ${these}`
      : `${problem}. Providers with ${what}: ${these}`
  throw new GatewayError('invalid_request', { message, param: PROVIDER_HEADER })
}
