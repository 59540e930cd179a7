// What providers offer besides chats, as data: an endpoint has a path, a form of bodies and answers, and perhaps a translation to the
// wires of other providers. A surface with an endpoint takes the way of every request; only the codec and the relay look at this.
//
//   same wire:   the client's bytes with the name of the model    upstream's answer: JSON whole, frames or bytes as they come
//   otherwise:   decodeRequest -> encodeRequest                   decodeResponse -> encodeResponse       (embeddings)
import { type EmbeddingsRequest, type EmbeddingsResponse } from '../../model/embeddings.js'
import { type EndpointId } from '../../model/endpoint.js'
import { type JsonObject } from '../../model/json.js'
import { type Target } from '../../model/target.js'
import { type FormFacts } from './form.js'

/** A body for the upstream, and the parameters that it cannot carry, by their canonical or client's name. */
export type TranslatedRequest = { readonly body: JsonObject; readonly dropped: readonly string[] }

/** Something that only some providers accept: a request that needs it goes only to those. */
export type EndpointNeed = 'tokens'

/** What the core needs to know of a request besides the general facts. */
export type EndpointFacts = {
  readonly id: EndpointId
  readonly wire: string
  readonly isText: boolean
  readonly isRepeatable: boolean
  /** It asks for frames or bytes, which have other time limits than a whole answer. */
  readonly asksStream: boolean
  readonly needs: readonly EndpointNeed[]
  /** Set if its body is a form. */
  readonly form?: FormFacts
  /** Images that it asks for; absent if it asks for none. */
  readonly images?: number
  /** Its body is audio, of which each second may have a price. */
  readonly hearsAudio?: true
  /** It costs no tokens, whatever the provider reports. */
  readonly isFree?: true
  /** Set if it reads or changes what is kept in the account of the caller's own key. */
  readonly resource?: ResourceFacts
}

export type ResourceMethod = 'GET' | 'POST' | 'DELETE'

/** A request for what an account at a provider holds. */
export type ResourceFacts = {
  readonly method: ResourceMethod
  /** Below the endpoint's own path, with its query; empty for that path itself. */
  readonly rest: string
  /** The answer is the content of a file. */
  readonly isFile: boolean
}

/** The provider half of an endpoint, by protocol. */
export type EndpointDialect = {
  readonly wire: string
  /** Path and query below the provider's base URL. `rest`: that of a request for a resource. */
  path(target: Target, rest?: string): string
  readonly lacks: readonly EndpointNeed[]
  readonly embeddings?: EmbeddingsDialect
  readonly counting?: CountingDialect
}

export type EndpointDialects = Readonly<Partial<Record<EndpointId, EndpointDialect>>>

export type EmbeddingsSurface = {
  /** @throws invalid_request with `param` */
  decodeRequest(body: JsonObject): EmbeddingsRequest
  /** What the answer depends on of a request. */
  readEcho(body: JsonObject): JsonObject
  /** `echo`: from `readEcho`, and `inputTokens`, the estimate for a provider that counts none. */
  encodeResponse(response: EmbeddingsResponse, echo: JsonObject): JsonObject
  /** Set if a provider of the same wire may answer in another form than it was asked for: whether this answer, by its text, is right. */
  isAsAsked?(answer: Buffer, echo: JsonObject): boolean
  /** One that is not, in the form that was asked for; all else of it stays. */
  asAsked?(answer: JsonObject): JsonObject
}

export type EmbeddingsDialect = {
  /** Inputs that the wire lacks never reach it: see `lacks`. */
  encodeRequest(request: EmbeddingsRequest, target: Target): TranslatedRequest
  /** @throws upstream_malformed */
  decodeResponse(body: JsonObject): EmbeddingsResponse
}

/** How a provider counts the input tokens of a chat. */
export type CountingDialect = {
  /** Set if a client's own body on the same wire may name what only an account may use. @throws invalid_request */
  checkReferences?(chat: JsonObject): void
  /** Its body, from that of a chat for the same target. */
  encodeRequest(chat: JsonObject, target: Target): JsonObject
  /** Null if the answer has no count. */
  decodeResponse(body: JsonObject): number | null
}

/** The request for a count of a chat's input tokens. `wire`: the protocol of its surface. */
export function countingFacts(wire: string): EndpointFacts {
  const plain = { isText: false, isRepeatable: false, asksStream: false, needs: [] }
  return { id: 'input_tokens', wire, ...plain, isFree: true }
}

/** The request for a resource: it runs no model, so it costs no tokens, and it names none. */
export function resourceFacts(
  { id, wire }: Pick<EndpointFacts, 'id' | 'wire'>,
  resource: ResourceFacts,
): EndpointFacts {
  const plain = { isText: false, isRepeatable: false, needs: [] }
  return { id, wire, ...plain, asksStream: resource.isFile, isFree: true, resource }
}

/** Whether a provider of these endpoints accepts the request, as it is or translated. */
export function accepts(dialects: EndpointDialects | undefined, { id, wire, needs }: EndpointFacts): boolean {
  const dialect = dialects?.[id]
  if (dialect === undefined || needs.some((need) => dialect.lacks.includes(need))) return false
  return dialect.wire === wire || dialect.embeddings !== undefined || dialect.counting !== undefined
}
