// OpenAPI operations of the routes of what clients keep at a provider, in their own account.
import { type JsonObject } from '../../model/json.js'
import { type Surface } from '../../protocols/contract/protocol.js'
import { PROVIDER_HEADER, PROVIDER_PARAMETER, type ResourceRoute } from '../../protocols/contract/resource.js'
import { EVERY_HEADER, EXCHANGE_HEADERS } from './openapi-components.js'
import { json, queryParameter, refusal, UNAUTHENTICATED } from './operation-parts.js'

/** The operation of one route of a surface with resources. */
export function resourceOperation({ describe }: Pick<Surface, 'describe'>, route: ResourceRoute): JsonObject {
  const { summary, query = [], isFile = false } = route
  const answer = json('The answer of the provider', {}, [...EVERY_HEADER, ...EXCHANGE_HEADERS])
  const file = { ...answer, content: { 'application/octet-stream': { schema: {} } } }
  return {
    tags: [describe?.().title ?? ''],
    summary,
    parameters: [PROVIDER_PARAMETER, ...query.map((name) => queryParameter(name, { type: 'string' }))],
    responses: {
      '200': isFile ? file : answer,
      '400': refusal(
        `The header ${PROVIDER_HEADER} must name the provider of your key.`,
        'invalid_request',
        PROVIDER_HEADER,
      ),
      '401': UNAUTHENTICATED,
      '403': refusal('Send your own key for the provider as X-API-Key.', 'forbidden', 'X-API-Key'),
      ...(route.rest === '' ? {} : { '404': { description: 'The provider has nothing with this id' } }),
      default: { description: 'The provider rejected the request; its status is passed on' },
    },
  }
}
