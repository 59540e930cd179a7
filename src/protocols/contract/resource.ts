// The routes of what clients keep at a provider, in the account of their key: files, batches. A surface with such routes is used with the
// caller's own key alone, since the account of the operator's key is everybody's. Ids and answers are the provider's own.
import { type JsonObject } from '../../model/json.js'
import { type ResourceMethod } from '../endpoints/endpoint.js'

/** One route beside that of the surface, which creates. */
export type ResourceRoute = {
  readonly method: ResourceMethod
  /** What follows the surface's own path: empty, or `/{id}`, possibly with a verb after it. */
  readonly rest: '' | `/{id}${string}`
  /** The answer is the content of a file: bytes, whatever its media type is. */
  readonly isFile?: true
  /** For the API's document. */
  readonly summary: string
  /** Parameters of the query, for the API's document; the provider checks them. */
  readonly query?: readonly string[]
}

/** The request header that names the provider of the caller's key. */
export const PROVIDER_HEADER = 'x-sluice-provider'

/** The same for the API's document. */
export const PROVIDER_PARAMETER: JsonObject = Object.freeze({
  name: PROVIDER_HEADER,
  in: 'header',
  required: true,
  description: 'The provider of your own key, which is sent as X-API-Key',
  schema: { type: 'string', minLength: 1 },
})
