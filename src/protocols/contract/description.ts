// The OpenAPI description of a surface, which each surface supplies. Status codes, error bodies and streams are not part of it: the
// document takes them from the surface's own encoders.
import { type JsonObject } from '../../model/json.js'

export type SurfaceDescription = {
  /** Name of the API, for people; routes are grouped by it. */
  readonly title: string
  /** One line on what a request does. */
  readonly summary: string
  /** JSON Schema of the body, made of the schemas that check it. */
  readonly body: object
  /** Bodies that `readFacts` accepts, by name. */
  readonly examples: Readonly<Record<string, JsonObject>>
  /** JSON Schema of a whole answer; null where every answer is the upstream's own. */
  readonly answer: object | null
  /** Bodies may also be forms with these members, of which files are some; `only`: they are nothing else, and none is an example. */
  readonly isForm?: true | 'only'
  /** Media type of answers that are neither JSON nor frames; absent for none. */
  readonly bytes?: string
  /** Laid over the operation at every depth: parameters, further answers, other security. */
  readonly operation?: JsonObject
}
