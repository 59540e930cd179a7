// What a client transport passes to the pipeline and what it gets back. server/ knows only these types of the pipeline.
import { type BrowserToken, type TokenClaims } from '../accounts/browser-tokens.js'
import { type JwtSigner } from '../accounts/jwt/jwt-bearers.js'
import { type Account } from '../accounts/types.js'
import { type SharingConfig } from '../config/types.js'
import { type GatewayError } from '../errors.js'
import { type ErrorData } from '../model/error.js'
import { type Surface } from '../protocols/contract/protocol.js'
import { type OwnMembers } from '../protocols/contract/stored.js'
import { type ResourceFacts } from '../protocols/endpoints/endpoint.js'
import { type StoredResponse } from '../responses/store.js'
import { type BorrowedLog } from '../streams/sharing/borrowed-log.js'
import { type ClientOrigin, type SharedRecord } from '../telemetry/records.js'
import { type HeaderList, type Sink } from './sink.js'

/** The request header by which a stream asks for its place in the queue: among the `parameterHeaders`, though it reaches no provider. */
export const QUEUE_HEADER = 'x-sluice-queue'

/** Raw credential headers of a request; empty strings where absent. */
export type Credentials = {
  readonly authorization: string
  readonly apiKey: string
  /** From another header that a vendor's own client library uses; absent if there is none. */
  readonly vendorKey?: string
}

/**
 * A known gateway key. `index` is the place of its limits, -1 on a gateway without keys. `owner` is what everything it leaves
 * behind belongs to (streams, jobs, answers), and what another configuration knows it by: the SHA-256 in hex of a key of the
 * configuration file, the id of one of the database. `name` is for people: another key may have it later.
 */
export type KeyIdentity = {
  readonly index: number
  readonly name: string | null
  readonly owner: string | null
  /** A key of the database, as it was when it was looked up; absent for all others. */
  readonly account?: Account
  /** Of a key of the database: SHA-256 of the secret that the request had, in hex. Absent where it had none. */
  readonly digest?: string
  /** It is used by a token; absent for the key itself. */
  readonly token?: BrowserToken | UsedJwt
}

/** A verified token of an identity provider. Its key has no secret. */
export type UsedJwt = TokenClaims & { readonly digest: null; readonly signer: JwtSigner }

export type ClientRequest = {
  readonly requestId: string
  readonly surface: Surface
  readonly key: KeyIdentity
  /** The whole body in its own ArrayBuffer of exact size; ownership passes to the pipeline. */
  readonly body: Uint8Array<ArrayBuffer>
  /** Lower-case header -> value, only those that some dialect names in `parameterHeaders`. */
  readonly parameterHeaders: Readonly<Record<string, string>>
  /** performance.now() when the head of the request was read. */
  readonly acceptedAtMs: number
  /** What its path specifies; absent or null if nothing. */
  readonly path?: PathFacts | null
  /** For the log; absent if unknown. */
  readonly origin?: ClientOrigin | null
  /** The request was counted when it was accepted, such as a job's: its run takes only a slot and tokens. */
  readonly isCounted?: boolean
  /** The content type of a body that is a form; absent or null if it is JSON. */
  readonly formType?: string | null
  /** Decides whether its answer is shared with other requests; absent or null: it is not. */
  readonly sharing?: ShareDesk | null
  /** Answers of the client's connection; absent or null: it has none. */
  readonly shelf?: ResponseShelf | null
  /** How its answer is called and stored, where that was decided before; absent or null: it is decided for it. */
  readonly own?: OwnAnswer | null
}

/** What an answer of the gateway's own is called, and how it is stored before its client has the end of it. */
export type OwnAnswer = {
  /** In every response object that the client gets. */
  readonly members: OwnMembers
  /**
   * Stores the whole answer, as bytes of JSON that it may keep; null when the client may have its end. Null itself: nothing is stored.
   * Never rejects.
   */
  readonly keep: ((answer: Uint8Array) => GatewayError | null | Promise<GatewayError | null>) | null
  /** Called when its stream begins, with the id of the kept stream; absent where it matters to nothing. */
  readonly began?: (streamId: string | null) => void
  /** Called once, when the exchange has settled; `error`: null for an answer that is complete. */
  readonly settled?: (error: ErrorData | null) => void
  /** The answer depends on this gateway's store, or goes into it: it is nobody else's. */
  readonly isPrivate: boolean
}

/** Answers that last as long as a connection. They are looked for there first; those that no store gets are put there. */
export type ResponseShelf = {
  get(id: string): StoredResponse | null
  put(response: StoredResponse): void
}

/** Where one request learns whether it runs, or is answered from what another one got. The transport makes it. */
export type ShareDesk = {
  /** It repeats a request that was lost, and may join that one: decided before it waits for a slot, which that one may hold. */
  readonly isRepeat: boolean
  /** Called when the request is decoded and may use its model, and again after `enter`. A promise where it waits for another request. */
  decide(subject: ShareSubject): ShareVerdict | Promise<ShareVerdict>
  /** The exchange has settled, or its client has left while it waited. Idempotent. */
  ended(): void
}

/** What decides whether two requests ask the same. */
export type ShareSubject = {
  readonly sink: Sink
  readonly isStream: boolean
  /** The model by the name that the client used. */
  readonly model: string
  /** That name, and the targets for which it stands at present. */
  readonly resolvedModel: string
  /** What the configured model allows; null for none. */
  readonly policy: SharingConfig | null
  /** False for a request that may have an effect of its own, or depends on more than its bytes. */
  readonly isRepeatable: boolean
  readonly prompt: string | null
  readonly body: Uint8Array<ArrayBuffer>
}

export type ShareVerdict =
  /** It runs, and nothing is shared. */
  | { readonly kind: 'alone' }
  /** It repeats none of those that run or ended lately: it takes a slot, and is then decided like any other. */
  | { readonly kind: 'enter' }
  /** It runs, and answers by this sink, from which others get the same. */
  | { readonly kind: 'lead'; readonly sink: Sink; readonly headers: HeaderList }
  /** It is answered from this log. */
  | {
      readonly kind: 'follow'
      readonly sink: Sink
      readonly log: BorrowedLog
      readonly headers: HeaderList
      readonly shared: SharedRecord
    }
  /** It is answered with the whole answer that another request got, an error of the provider included. */
  | {
      readonly kind: 'answer'
      readonly answer: SharedAnswer
      readonly headers: HeaderList
      readonly shared: SharedRecord
    }
  | { readonly kind: 'refuse'; readonly error: GatewayError }

export type SharedAnswer =
  | { readonly status: number; readonly contentType: string; readonly body: Uint8Array }
  | { readonly error: ErrorData }

/** What the path of a request specifies; it takes precedence over the body. */
export type PathFacts = {
  /** It streams. */
  readonly streams: boolean
  /** It goes only to this provider; null if the path names none. */
  readonly provider: string | null
  /** The model, on a path that names it. */
  readonly model?: string
  /** The caller's own key for that provider: sent only there, never shown, never logged. */
  readonly callerKey: string | null
  /** Its input tokens are counted, and nothing is run. */
  readonly counts?: true
  /** All that it asks of the caller's account at the provider; its body is not read. */
  readonly resource?: ResourceFacts
}

/** The parts of a request that remain after its body. */
export type AcceptedRequest = Omit<ClientRequest, 'body' | 'own'>

export type Rejection = {
  readonly requestId: string
  /** Null for a path that belongs to no surface. */
  readonly surface: Surface | null
  readonly key: KeyIdentity | null
  /** It had a key, known or not. */
  readonly hasKey: boolean
  readonly error: GatewayError
  readonly requestBytes: number
  readonly acceptedAtMs: number
  readonly origin?: ClientOrigin | null
  /** Absent: it begins a trace of its own, where there are any. */
  readonly parameterHeaders?: Readonly<Record<string, string>>
}

export type Pipeline = {
  /**
   * Looks a key up by SHA-256 in constant time, before any body is read.
   * @throws unauthenticated
   */
  authenticate(credentials: Credentials): KeyIdentity
  /**
   * The same key in this pipeline's configuration, for a client that was authenticated under an earlier one. A key of the database as
   * it is now.
   * @throws unauthenticated if the key no longer exists, or may do nothing any more
   */
  renew(key: KeyIdentity): KeyIdentity
  /** The state of the key's limits, as headers; empty if it has no limit. */
  limitHeaders(key: KeyIdentity): HeaderList
  /** Begins an exchange. Never throws; every end reaches the sink. */
  start(request: ClientRequest, sink: Sink): ExchangeHandle
  /** Answers a request that fails before it is an exchange (no key, no route, too large): same envelope, log and metrics. */
  reject(rejection: Rejection, sink: Sink): void
}

export type ExchangeHandle = {
  /** The client is gone or has cancelled its chat, before the stream began; afterwards the sink reports it by `onDone`. Idempotent. */
  cancel(): void
}
