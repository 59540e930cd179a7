// What all routes of one event loop share. Most of it is fixed for the life of the process; a reload swaps the view.
import { GatewayError } from '../errors.js'
import { type JobApi, type JobCaps, type StoredCaps } from '../jobs/store.js'
import { type GuardPolicy } from '../jobs/webhook/guard.js'
import { type ErrorData } from '../model/error.js'
import { type JsonObject } from '../model/json.js'
import {
  type ExchangeHandle,
  type KeyIdentity,
  type PathFacts,
  type Pipeline,
  type ShareDesk,
} from '../pipeline/client.js'
import { type Responses } from '../pipeline/context.js'
import { type Sink } from '../pipeline/sink.js'
import { type DecodedBody } from '../protocols/contract/envelope.js'
import { type DecodedRequest } from '../protocols/contract/request-task.js'
import { type LinkTokens } from '../streams/access/link-token.js'
import { type ReadableLog } from '../streams/kept/readable-log.js'
import { type KeptCounters, type KeptStreams } from '../streams/kept/registry.js'
import { type Tracer } from '../telemetry/records.js'
import { type AddressTexts } from './caller/address-text.js'
import { type TrustedProxies } from './caller/client-address.js'
import { type FailedKeys } from './caller/failed-keys.js'
import { type HostNames } from './caller/host-names.js'
import { type HeaderPolicy } from './engine/fixed-headers.js'
import { type HeadReader } from './engine/request-head.js'
import { type OpenCount } from './engine/response.js'
import { type TurnGuard } from './engine/turn-guard.js'
import { type Inflater } from './inflate.js'

/** The options of jobs that apply when they arrive. */
export type JobPolicy = {
  readonly isAsyncByDefault: boolean
  readonly webhook: GuardPolicy
  /** The maximum number of waiting jobs, and of bytes in the store. */
  readonly caps: JobCaps & { readonly stored: StoredCaps }
  /** The largest answer that is kept for repeated requests. */
  readonly maxAnswerBytes: number
  /** Takes one request of the key's and the gateway's limit. @throws rate_limited, overloaded */
  readonly countRequest: (key: KeyIdentity) => Promise<void> | null
  /** @throws rate_limited, not retryable, for a request that needs more tokens than a limit ever grants */
  readonly checkTokens: (key: KeyIdentity, request: Pick<DecodedBody, 'facts' | 'estimatedTokens'>) => void
  /** Whether it could be sent anywhere now. @throws model_not_found, forbidden, invalid_request */
  readonly checkRoute: (key: KeyIdentity, decoded: Pick<DecodedRequest, 'facts' | 'selector'>) => void
}

export type ProviderStatus = {
  readonly name: string
  readonly configured: boolean
  /** The worst state of its targets: `closed` (healthy), `half-open` or `open`. */
  readonly breaker: string
}
/** What a browser token permits. */
export type TokenClaims = Omit<NonNullable<KeyIdentity['token']>, 'digest'>
export type TokenIssuer = {
  /** `digest`: of the secret of its key. Null as long as there is no secret to sign with. @throws invalid_request where it is too long */
  issue(digest: Buffer, claims: TokenClaims): string | null
}
export type ModelSource = (key: KeyIdentity) => readonly JsonObject[]
/** One model by the name that a chat would use. @throws model_not_found, forbidden */
export type ModelLookup = (key: KeyIdentity, id: string) => JsonObject

/** One configuration as the routes see it. A request keeps the view it began with. */
export type FrontView = {
  readonly pipeline: Pipeline
  readonly policy: HeaderPolicy
  /** The proxies that are trusted to forward a client's address. */
  readonly proxies: TrustedProxies
  /** The names under which it may be reached; null where gateway keys are set, which no page of others has. */
  readonly hosts: HostNames | null
  readonly readerStallMs: number
  readonly maxChatsPerSocket: number
  /** Clients of surfaces with a mode for WebSockets may open them. */
  readonly hasSocketMode: boolean
  readonly models: ModelSource
  readonly model: ModelLookup
  readonly providers: () => readonly ProviderStatus[]
  /** The languages of the prompt library. */
  readonly languages: () => readonly string[]
  /** Gateway keys are set, so the metrics are not public. */
  readonly hasKeys: boolean
  /** The try-it page is served. */
  readonly hasTryPage: boolean
  /** Bearer token required for the metrics, instead of a gateway key; null for none. */
  readonly metricsToken: string | null
  /** No new requests until a reload ends it: the gateway is not ready. */
  readonly isInMaintenance: boolean
  /** The error that rejects a new request of this key before its body is read; null to accept it. */
  readonly refusal: (key: KeyIdentity) => GatewayError | null
  readonly reserve: Reserve
  readonly jobs: JobPolicy
  /** Null: no browser tokens are issued. */
  readonly tokens: TokenIssuer | null
  /** Answers by their ids. */
  readonly responses: Responses
  readonly backgroundCaps: BackgroundCaps
  /** Where answers without clients wait as jobs; null: in the memory of this process. */
  readonly backgroundJobs: BackgroundJobs | null
  readonly keepaliveMs: number
  /** Null: traces are off. */
  readonly tracer: Tracer | null
  /** Null: no stream is kept. */
  readonly keeping: Keeping | null
  /** Null: no answer is shared. */
  readonly sharing: Sharing | null
}

export type BackgroundJobs = Pick<JobApi, 'accept' | 'remove'>

/** How many answers may run without their clients, on one event loop. */
export type BackgroundCaps = {
  /** At once. */
  readonly concurrency: number
  /** Running or waiting: of all, and of one key. */
  readonly maxPending: number
  readonly maxPendingPerKey: number
}

/** An answer that runs, or will run, without its client. */
export type BackgroundAnswer = {
  readonly id: string
  readonly owner: string
  /** Resolves when it is over. Never rejects. */
  run(): Promise<void>
  /** False if it has ended already. */
  cancel(): Promise<boolean>
  /** Ends it, and leaves the store as it is. */
  forget(): void
}

/** Tells those who wait for an answer that something has become of it. A hint: what runs on another event loop or node rings no bell here. */
export type AnswerBell = {
  ring(id: string): void
  /** Calls `wake` once, when it rings; returns how to call it off. */
  wait(id: string, wake: () => void): () => void
}

export type BackgroundAnswers = {
  /** @throws rate_limited for too many of one key, overloaded for too many of all */
  add(run: BackgroundAnswer, caps: BackgroundCaps): void
  /** Begins as soon as there is room; once it has been stored. */
  enqueue(run: BackgroundAnswer, caps: BackgroundCaps): void
  /** Null alike if there is none, and if it is not the owner's. */
  find(owner: string, id: string): BackgroundAnswer | null
  /** It has ended, or will not begin. Idempotent. */
  remove(run: BackgroundAnswer): void
}

/** How requests are answered from what others get or got. */
export type Sharing = {
  /** Models share their answers, so each request may be of use to others. */
  readonly isForAll: boolean
  /** Null for a request of which nothing is shared. */
  open(request: SharingRequest): SharingDesk | null
  /** For a request whose Idempotency-Key is free in this process; from here on it is taken. */
  openKeyed(request: SharingRequest, keyed: KeyedAsking): SharingDesk
  /** For one whose key an earlier request has; `mismatch`: that one is another. Null if the key is free in this process. */
  findKeyed(
    request: SharingRequest,
    keyed: Pick<KeyedAsking, 'idempotencyKey' | 'bodyDigest'>,
  ): FoundKeyed | Promise<FoundKeyed>
}
export type FoundKeyed = SharingDesk | 'mismatch' | null
export type SharingDesk = ShareDesk & {
  /** The exchange, to be cancelled when nobody waits for it any more. */
  hold(handle: ExchangeHandle): void
  /** The client has left before it was followed as a stream. True: the exchange goes on without it. */
  clientLeft(): boolean
}
/** What the transport knows of a request. */
export type SharingRequest = {
  readonly requestId: string
  readonly surfaceId: string
  readonly key: KeyIdentity
  readonly path: PathFacts | null
  readonly parameterHeaders: Readonly<Record<string, string>>
  /** Its client library says that it repeats one. */
  readonly isRetry: boolean
  /** The header of the request; empty where absent. */
  readonly cacheControl: string
  /** Its stream is kept for its client. */
  readonly isKept: boolean
  /** The client wants the number of each frame in it. */
  readonly hasIds: boolean
  /** The sink of the client's connection. */
  readonly clientSink: Sink
  /** The client has left, or has all of its answer. */
  readonly isOver: () => boolean
}
export type KeyedAsking = {
  readonly idempotencyKey: string
  /** Of all that the client may not change under one key. */
  readonly bodyDigest: string
  /** It is a stream that is kept: the key is not free while it runs. */
  readonly onStream: () => void
  /** It is over, and no answer is stored for its key. */
  readonly onEnd: () => void
}

/** How streams are kept so that their clients may come back to them, and how those find them. */
export type Keeping = {
  /** A stream wherever it lives. Null alike if there is none with this id and if it is not the owner's. */
  reach(id: string, owner: string): ReadableLog | null | Promise<ReadableLog | null>
  /** Lets clients without a key read. */
  readonly links: LinkTokens
  readonly counters: Pick<KeptCounters, 'streamReader'>
  /** Also those whose request did not ask. */
  readonly isAlways: boolean
  /** A sink before the client's own, by which its stream is kept. */
  keep(sink: Sink, asking: KeepAsking): HoldingSink
}
export type KeepAsking = {
  readonly key: KeyIdentity
  readonly surfaceId: string
  readonly requestId: string
  /** The client wants the number of each frame in it. */
  readonly hasIds: boolean
  /** It knows how to come back to its stream; by default if it gets the numbers. */
  readonly canReturn?: boolean
  /** It goes on to its end, whoever reads it. */
  readonly isLasting?: boolean
  /** Called in place of sending headers, when the stream begins, unless it is not kept. */
  readonly onKept?: (log: ReadableLog) => void
}
/** It stops its exchange by itself when the stream is abandoned. */
export type HoldingSink = Sink & {
  hold(handle: ExchangeHandle): void
  /** Ends a stream that has begun, with its upstream; `error`: what its readers get. */
  stop(error?: ErrorData): void
}

/** Memory that a request takes while it arrives. */
export type Reservation = {
  /** Reserves up to this many bytes in total; returns an error if there is no room for them. */
  grow(bytes: number): GatewayError | null
  /** Releases the reservation. Idempotent. */
  release(): void
}
/** An empty reservation on the account of a key. */
export type Reserve = (key: KeyIdentity) => Reservation

export type OpenSocket = { readonly chatCount: number; end(code: number, reason: string): void }

export type ServerContext = {
  /** Replaced by a reload: read it once per request. */
  view: FrontView
  readonly heads: HeadReader
  readonly maxBodyBytes: number
  readonly inflater: Inflater
  readonly addresses: AddressTexts
  readonly createRequestId: () => string
  readonly now: () => number
  readonly open: OpenCount
  readonly guard: TurnGuard
  /** Null where failed keys are not limited. */
  readonly failedKeys: Pick<FailedKeys, 'isQuiet' | 'check' | 'note'> | null
  /** Open WebSockets with their keys, to be closed when the gateway shuts down or a key ends. */
  readonly webSockets: Map<OpenSocket, { readonly key: KeyIdentity }>
  /** Runs without clients, of this event loop. */
  readonly background: BackgroundAnswers
  readonly bell: AnswerBell
  /** Of this event loop; null: no stream is kept. */
  readonly keptStreams: KeptStreams | null
  readonly scratch: Buffer
  readonly isClosing: () => boolean
  /** New requests are no longer accepted. */
  readonly isRefusing: () => boolean
}

const DRAINING = GatewayError.shared('draining')

/** The error for a new request, before its body is read: draining, overloaded, rate_limited. Null to accept it. */
export function refuseEarly(front: ServerContext, view: FrontView, key: KeyIdentity): GatewayError | null {
  return front.isRefusing() ? DRAINING : view.refusal(key)
}
