// Of the targets of a model, those whose provider has the endpoint that a request asks for. Where none has, the error names the
// configured providers that have.
import { type ProviderConfig } from '../../config/types.js'
import { GatewayError } from '../../errors.js'
import { type Dialect } from '../../protocols/contract/protocol.js'
import { accepts, type EndpointFacts } from '../../protocols/endpoints/endpoint.js'
import { type Route } from '../../routing/router.js'

/** All that decides which provider has what. */
export type EndpointWorld = {
  readonly config: { readonly providers: readonly ProviderConfig[] }
  readonly dialects: ReadonlyMap<string, Dialect>
}

/** The route without targets that lack the endpoint. @throws invalid_request if no target is left */
export function routeEndpoint(route: Route, endpoint: EndpointFacts, world: EndpointWorld): Route {
  const left = narrow(route, endpoint, world)
  if (left.targets.length > 0 || left.fallbacks.length > 0) return left
  throw notOffered(route, endpoint, world)
}

/** Whether a target of the route, or of its fallbacks, serves the endpoint. */
export function canServe(route: Route, endpoint: EndpointFacts, world: EndpointWorld): boolean {
  const { targets, fallbacks } = narrow(route, endpoint, world)
  return targets.length > 0 || fallbacks.length > 0
}

function narrow(route: Route, endpoint: EndpointFacts, world: EndpointWorld): Route {
  const narrowed = (routes: readonly Route[]): Route[] =>
    routes.map((each) => narrow(each, endpoint, world)).filter(({ targets }) => targets.length > 0)
  return {
    ...route,
    targets: route.targets.filter(({ provider }) => offers(provider, endpoint, world)),
    fallbacks: narrowed(route.fallbacks),
    contextFallbacks: narrowed(route.contextFallbacks),
  }
}

/** Whether a provider has what is asked, by its configuration or profile and by its wire. */
export function offers(
  { protocol, endpoints = null, resources = [] }: ProviderConfig,
  asked: EndpointFacts,
  { dialects }: EndpointWorld,
): boolean {
  const isOffered =
    asked.resource === undefined ? (endpoints?.includes(asked.id) ?? true) : resources.includes(asked.id)
  return isOffered && accepts(dialects.get(protocol)?.endpoints, asked)
}

function notOffered(route: Route, endpoint: EndpointFacts, world: EndpointWorld): GatewayError {
  const asked = [...new Set(route.targets.map(({ provider }) => provider.name))].join(', ')
  const having = world.config.providers.filter((provider) => offers(provider, endpoint, world)).map(({ name }) => name)
  const what = `/v1/${endpoint.id}${endpoint.needs.includes('tokens') ? ' with input as tokens' : ''}`
  const others = having.length === 0 ? 'no configured provider does' : `these do: ${having.join(', ')}`
  const message = `The provider of this model (${asked}) does not offer ${what}; ${others}.`
  return new GatewayError('invalid_request', { message, param: 'model' })
}
