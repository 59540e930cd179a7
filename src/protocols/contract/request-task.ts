// A request on its way through the codec: what is known of it once it is decoded, what is needed to encode it for a target, and what
// comes of that. Plain data and bytes, which cross a thread unchanged but for the parsed body.
import { type JsonObject } from '../../model/json.js'
import { type Target } from '../../model/target.js'
import { type Member } from '../../wire/body/members.js'
import { type Attachment } from '../fit/attach.js'
import { type RequestFacts } from './protocol.js'

/** What the pipeline knows about a request before it has a target. */
export type DecodedRequest = {
  readonly facts: RequestFacts
  readonly members: readonly Member[]
  readonly estimatedTokens: number
  /** Path of a member that may select a different model than the facts say; absent for none. */
  readonly selector?: string
  /** The parsed body if all of it was parsed on this thread; null if a worker parsed it, as it is never transferred. */
  readonly json: JsonObject | null
  /** What was read of a body that was skimmed, with stand-ins for its bulk, which is not checked yet (skim.ts); else null. */
  readonly head: RequestHead | null
}

export type EncodeTask = {
  readonly surfaceId: string
  /** The client's bytes. */
  readonly body: Uint8Array<ArrayBuffer>
  /** From `decodeBody`; null parses the body again. */
  readonly json: JsonObject | null
  /** From `skimBody`; the bulk is checked before it is used. */
  readonly head: RequestHead | null
  readonly facts: RequestFacts
  readonly members: readonly Member[]
  readonly target: Target
  /** The text of the library prompt that the facts name; null for none. */
  readonly prompt: string | null
  /** The content fetched from its URLs so far; empty if nothing is fetched. */
  readonly attachments?: readonly Attachment[] | null
  /** The most output tokens that each answer may have, because no more can be paid; null or absent for no such cap. */
  readonly outputCap?: number | null
  /** Request a stream from the upstream, whatever the client requested. */
  readonly upstreamStream: boolean
}

export type EncodedBody = {
  /** Path and query below the provider's base URL. */
  readonly path: string
  /** The client's own bytes, the same object, if nothing had to change. */
  readonly body: Uint8Array<ArrayBuffer>
  /** What to send in place of `body`, which is empty then: views of the client's bytes, and texts between them. */
  readonly pieces?: readonly Uint8Array[]
  /** Fields that the target cannot carry. */
  readonly dropped: readonly string[]
  /** URLs to fetch before the body can be built; in that case there is no body yet. */
  readonly wanted?: readonly string[]
  /** What the surface's answer needs of the request; absent if it needs nothing. */
  readonly echo?: JsonObject
}

/** What was read of a skimmed request, and what is known of the rest. */
export type RequestHead = {
  /** All members, a stand-in for each one of the bulk. */
  readonly json: JsonObject
  /** @see BodyShape */
  readonly shortTexts: readonly number[]
}
