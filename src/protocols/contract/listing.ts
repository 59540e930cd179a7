// What a surface serves beside its chats: the models in its own form, and documents. Types only.
import { type JsonObject } from '../../model/json.js'

/** The options of `compat` with the path prefix of an API. */
export type PathPrefix = 'apiPrefix' | 'ollamaPrefix'

/** A document that clients of an API read before they ask, the same for everybody. `title`: what it is, for the API's document. */
export type FixedDocument = {
  readonly path: string
  readonly prefix?: PathPrefix
  readonly title: string
  readonly body: Readonly<JsonObject>
}

/** How an API lists models. The models come in the list form of the plain route: `{id, object, created, owned_by}`. */
export type ModelListing = {
  /** The path of this API's own list, if it has one; each model is below it, unless it is `asked` for. */
  readonly path?: string
  /** The prefix that precedes these paths, if one does. */
  readonly prefix?: PathPrefix
  /** Set if one model is asked for by a body that is posted. `readName` throws invalid_request for one that names none. */
  readonly asked?: {
    readonly path: string
    readName(body: JsonObject): string
    encodeModel(model: JsonObject): JsonObject
  }
  /** The request header that only its clients send on the paths of the plain lists, lower-case; absent if they do not use them. */
  readonly header?: string
  encodeModel(model: JsonObject): JsonObject
  /**
   * One page.
   * @throws invalid_request for an invalid parameter
   */
  encodeList(models: readonly JsonObject[], read: ReadParameter): JsonObject
}

/** A query parameter, percent-decoded; empty if absent. */
export type ReadParameter = (name: string) => string
