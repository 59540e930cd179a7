// A protocol is one wire API in two halves. Its surface talks to clients, its dialect to upstreams; N surfaces and
// M dialects meet only in the canonical model. Everything here is pure: no clock, no socket, no randomness.
//
//   same protocol on both sides:  bytes -> editRequest -> bytes            upstream frames -> observer -> same frames
//   otherwise:                    surface.decodeRequest -> dialect.encodeRequest    decoder -> events -> encoder
import { type EndpointId } from '../../model/endpoint.js'
import { type ErrorData } from '../../model/error.js'
import { type FinishReason, type ResponseMeta, type StreamEvent } from '../../model/event.js'
import { type JsonObject } from '../../model/json.js'
import { type ChatRequest, type MediaPart } from '../../model/request.js'
import { type ChatResponse } from '../../model/response.js'
import { type Target } from '../../model/target.js'
import { type UsageReport } from '../../model/usage.js'
import { type EmbeddingsSurface, type EndpointDialects, type EndpointFacts } from '../endpoints/endpoint.js'
import { type RarePart } from '../fit/answer.js'
import { type SurfaceDescription } from './description.js'
import { type FixedDocument, type ModelListing, type PathPrefix } from './listing.js'
import { type ResourceRoute } from './resource.js'
import { type SocketMode } from './socket-mode.js'
import { type OwnMembers, type StateFacts, type StoredAnswers } from './stored.js'

export type Protocol = {
  /** Folder name under src/protocols, such as `openai-chat`; a folder with several request formats has an id for each. */
  readonly id: string
  /** Null for a wire that only upstreams use. */
  readonly surface: Surface | null
  /** Null for a wire that only clients use. */
  readonly dialect: Dialect | null
}

/** The client half: one format of requests and answers. Stateless; all state of a stream is in its encoder. */
export type Surface = {
  readonly id: string
  readonly routes: readonly SurfaceRoute[]
  /** How a streamed answer is framed, and so its content type. */
  readonly framing: SurfaceFraming
  /** The dialect whose bodies these are, if that is not the one with this surface's own id: a second form of one API. */
  readonly wire?: string
  /** How payloads of that dialect's stream are framed for a client, where the framing is not the dialect's. */
  readonly payloads?: PayloadFrames
  /** Its answers tell how long they took: `elapsedMs` of encoders and whole answers. */
  readonly isTimed?: true
  /** The query parameter in which this API's clients may send their key; absent if only headers are read. */
  readonly keyParameter?: string
  /** The header in which this API's clients expect the request id, lower-case; absent for `x-request-id`. */
  readonly requestIdHeader?: string
  /** Set if its clients have their own format of model lists. */
  readonly models?: ModelListing
  readonly documents?: readonly FixedDocument[]
  /**
   * One keepalive in this surface's own form, safe between any two frames (`json`: only before the first). A comment has no blank
   * line, which some clients take for the end of an empty event after an `id:` line, unless the API's own clients need one.
   */
  readonly keepaliveFrame: string
  /** Top-level members that hold the prompt, in the order in which providers read and cache it. */
  readonly promptMembers: readonly string[]
  /**
   * The lists that make up a large body, each with a stand-in that `readFacts` accepts: what is inside them changes no fact, so they
   * may pass unread (skim.ts). Absent if every body is read in full.
   */
  readonly bulkMembers?: Readonly<JsonObject>
  /**
   * Validates a parsed body and reads what the core needs to know of it, cheaply: within one protocol nothing more is decoded.
   * @throws invalid_request with `param`, the dotted path of the first wrong field
   */
  readFacts(body: JsonObject): RequestFacts
  /**
   * Decodes a body that readFacts has accepted into the canonical request. `prompt`: the text of the library prompt that its
   * facts name, if they name one and it exists.
   * @throws invalid_request with `param`
   */
  decodeRequest(body: JsonObject, prompt?: string | null): ChatRequest
  /**
   * Set if answers repeat parts of their request, or depend on them: those parts, from a body that readFacts has accepted. Plain data;
   * it reaches `createEncoder` and `encodeResponse` as `echo`, with the gateway's own members as `own` where it has `stored`.
   */
  readEcho?(body: JsonObject): JsonObject
  /** Whether its answers have a place for this part; absent if for none. Others never reach its encoders: see fit/answer.ts. */
  hasPlaceFor?(part: RarePart): boolean
  /** One per stream; `emit` gets whole frames in the surface's framing, in order, synchronously. */
  createEncoder(emit: (frame: string) => void, options: EncoderOptions): StreamEncoder
  /** `target`: the one that answered, for surfaces that show it. `echo`: from `readEcho`. */
  encodeResponse(
    response: ChatResponse,
    target?: Pick<Target, 'provider' | 'protocol'>,
    echo?: JsonObject | null,
  ): JsonObject
  /** The answer of a route that only counts; set if there is one. */
  encodeCount?(inputTokens: number): JsonObject
  /** The envelope of every failure before an answer has begun; its status is `error.status` unless the vendor's table has another. */
  encodeError(error: ErrorData, requestId: string, subject?: ErrorSubject): ErrorAnswer
  /** The in-band error frame of a stream that has begun; never followed by an end marker. `hasFrames`: frames were sent before it. */
  encodeErrorFrame(error: ErrorData, requestId: string, hasFrames?: boolean): string
  /**
   * Set if clients get streams in the upstream's own frames, whatever its protocol, and refusals with the upstream's own body:
   * the form of the gateway's own frames among those, by framing.
   */
  readonly upstreamFrames?: Readonly<Record<Framing, FrameForm>>
  /** Set if its requests are no chats: what they ask instead. Nothing of them is then translated as a chat. */
  readonly endpoint?: SurfaceEndpoint
  /** Set if it is about what is kept in the account of the caller's own key: its routes beside the one that creates. */
  readonly resources?: readonly ResourceRoute[]
  /** The end of its streams depends on all frames before it, not only on the last ones. */
  readonly hasStatefulEnd?: true
  /** Set if its answers are stored, under ids of the gateway. */
  readonly stored?: StoredAnswers
  /** Set if its clients may speak on a WebSocket: how. */
  readonly socketMode?: SocketMode
  /** For the API's document, for all routes of this surface; built on demand. */
  readonly describe?: () => SurfaceDescription
}

/** Texts before the first payload, before each further one, and at the end. */
export type PayloadFrames = { readonly first: string; readonly next: string; readonly end: string }

/** The client half of an endpoint; a member of its surface. */
export type SurfaceEndpoint = {
  readonly id: EndpointId
  /** Requests and answers have one form on all providers of this wire. */
  readonly wire: string
  /** The answer consists of text that the model generates, so its tokens are reserved, and estimated if they are not reported. */
  readonly isText: boolean
  /** A repeated request asks for nothing else, and costs nothing but its tokens: its answer may be shared. */
  readonly isRepeatable: boolean
  /** Usage of a whole answer in this surface's form; null if it has none. */
  readUsage(body: Buffer): UsageReport | null
  /** One per stream of frames. `isDelimited`: HTTP marks the end of the body, which is then enough where frames need not. */
  createObserver(isDelimited: boolean): StreamObserver
  readonly embeddings?: EmbeddingsSurface
  /** Set if its bodies may be forms. @throws invalid_request with `param` */
  readForm?(body: Uint8Array, contentType: string): FormRequest
}

/** What a form asks. `selector`: a field that may select another model. */
export type FormRequest = { readonly facts: RequestFacts; readonly estimatedTokens: number; readonly selector?: string }

/** The gateway's own frames, in one form. */
export type FrameForm = Pick<Surface, 'keepaliveFrame' | 'encodeErrorFrame'>

/** One route of a surface. Several surfaces may share a path, if `accept` distinguishes them. */
export type SurfaceRoute = {
  readonly method: 'POST'
  /**
   * A segment `{provider}` pins the request to that provider; `x-api-key` may then be the caller's own key for it. A last segment
   * `{model}:verb` names the model, which may have slashes.
   */
  readonly path: string
  /** The prefix that precedes `path`, if one does. */
  readonly prefix?: PathPrefix
  /** Only for requests whose `Accept` has this media type, lower-case. */
  readonly accept?: string
  /** Only for requests with this query parameter. */
  readonly query?: { readonly name: string; readonly value: string }
  /** Always streams, regardless of the body. */
  readonly streams?: true
  /** Only with the caller's own key for a provider, which a header names. */
  readonly ownKey?: true
  /** Answers with the number of input tokens, by estimate, and runs nothing: `encodeCount` has its form. */
  readonly counts?: true
  /**
   * Its clients may open a WebSocket on the same path, where the surface has a `socketMode` and it is on; else GET is answered with 426,
   * after which they send POST.
   */
  readonly isTriedByWebSocket?: true
}
export type Framing = 'sse' | 'ndjson'
/** `json`: all frames of a stream together are one JSON document. */
export type SurfaceFraming = Framing | 'json'
/** Facts of the request that an error envelope may contain. */
export type ErrorSubject = {
  /** The requested model; null if unknown. */
  readonly model: string | null
  /** The request had a key, valid or not. */
  readonly hasKey: boolean
}
export type ErrorAnswer = { readonly status: number; readonly body: JsonObject }

/** What routing, limits and the choice of a relay need to know about a request, without its content. */
export type RequestFacts = {
  /** Empty if the client left it out, where the surface allows that: the configured default. */
  readonly model: string
  /** As in the body, or this surface's default. */
  readonly stream: boolean
  readonly includeUsage: boolean
  /** The client's own cap on output tokens, if any. */
  readonly maxOutputTokens: number | null
  /** The number of requested answers, each of up to `maxOutputTokens`; absent for one. */
  readonly answers?: number
  /** OpenAI `provider` field: pins the request to that provider; null elsewhere. */
  readonly provider: string | null
  /** The system prompt of the prompt library that this request names; null for none. */
  readonly prompt: PromptQuery | null
  /** Set if path and body are already in the upstream's own format; then the fields above are read from them. */
  readonly raw?: RawFacts
  /** Set if the request is no chat. */
  readonly endpoint?: EndpointFacts
  /** The upstream's account is the caller's: set by the pipeline. Otherwise all keys share it, and what is stored there is nobody's. */
  readonly isOwnAccount?: true
  /** Set by surfaces whose answers are stored. */
  readonly state?: StateFacts
  /** The end user on whose behalf it asks, for the log; absent if it names none. */
  readonly endUser?: string
  /** The class of service that it asks for, in lower case; absent for the usual one. */
  readonly serviceTier?: string
}

/** What the core must know about a request in the upstream's own format. Its bytes are the top-level member `body`. */
export type RawFacts = {
  /** Below the provider's base URL; cannot lead out of it. May begin with the base URL's own path. */
  readonly path: string
  /** The model in the upstream's own body, if there is one. */
  readonly model: string | null
  /** It requests a stream; the answer's content type shows whether it gets one. */
  readonly asksStream: boolean
}

/** `language` as the client wrote it; empty for the library's default. */
export type PromptQuery = { readonly name: string; readonly language: string }

export type EncoderOptions = {
  /** Emit usage in the stream (OpenAI: an extra last chunk). */
  readonly includeUsage: boolean
  /** A framing other than the surface's own, for a surface that reuses this one's chunks. */
  readonly framing?: Framing
  /** From `readEcho`; null or absent if there is none. */
  readonly echo?: JsonObject | null
  /** Time since the request was accepted, for the surfaces that tell it; absent if unknown. */
  readonly elapsedMs?: () => number
}

/**
 * Set if an error frame belongs to the stream before it, by its numbers and ids: then it is used in place of the surface's own once
 * frames have been sent. Called for each reader of the stream; always the same.
 */
export type ErrorFrameEncoder = { encodeErrorFrame?(error: ErrorData): string }

/** Takes events in the order of their law. After `finish` it has emitted the surface's end marker; an `error` event emits nothing. */
export type StreamEncoder = ErrorFrameEncoder & { push(event: StreamEvent): void }

/** The provider half. Stateless, like Surface. */
export type Dialect = {
  readonly id: string
  /** How the upstream frames its stream. */
  readonly framing: Framing
  /** Request headers this wire always needs, lower-case names (Anthropic `anthropic-version`). */
  readonly headers: Readonly<Record<string, string>>
  /** Client headers that are parameters of this wire and are passed on within the protocol (Anthropic `anthropic-beta`). */
  readonly parameterHeaders: readonly string[]
  /** Path and query below the provider's base URL, beginning with `/`. */
  path(target: Target, stream: boolean): string
  /** Whether the target accepts this image or document; files that it stores only in the caller's own account. Others never reach `encodeRequest`: see fit/content.ts. */
  carries(part: MediaPart, target: Target, isOwnAccount?: boolean): boolean
  /** From the fitted request; every parameter that the target cannot carry is named in `dropped`, by its canonical or client's name. */
  encodeRequest(request: ChatRequest, target: Target): EncodedRequest
  /** Same protocol: the few top-level members to set or remove in the client's own bytes, all else of which passes unchanged. */
  editRequest(facts: RequestFacts, body: JsonObject, target: Target): EditedRequest
  /** Members to set in a body that is about to be sent, so that no answer has more output tokens. @throws budget_exceeded for a cap that is too small */
  limitOutput(body: JsonObject, cap: number, target: Target): ReadonlyMap<string, EditValue>
  /**
   * Whether editRequest may read or change something inside the bulk members of its own protocol's surface, for which `head` has
   * stand-ins. `mentions`: the bytes have a string of that content, such as a member's name. Absent if it never does.
   */
  editsBulk?(head: JsonObject, target: Target, mentions: (name: string) => boolean): boolean
  /** One per stream. `emit` is called synchronously from push and end. */
  createDecoder(emit: (event: StreamEvent) => void, options: DecoderOptions): StreamDecoder
  /** One per stream passed through. */
  createObserver(options: ObserverOptions): StreamObserver
  /** Decodes a whole answer, not a stream. `target`: the one that answered, if it is known. @throws upstream_malformed */
  decodeResponse(body: JsonObject, fallback: ResponseMeta, target?: Pick<Target, 'provider'>): ChatResponse
  /** Usage of a whole answer, read without decoding the rest; null if there is none. */
  readUsage(body: Buffer): UsageReport | null
  /** The finish reason of a whole answer, the same as from decodeResponse; null if the body has none. */
  readFinish(body: Buffer): FinishReason | null
  /**
   * Reads an upstream's error answer (status >= 400). Status, type and code are kept; the message of a body without JSON is its beginning.
   * 429 and 5xx map to rate_limited / upstream_overloaded / upstream_rejected as the vendor means them.
   */
  decodeError(status: number, body: Uint8Array): ErrorData
  /** True for a refusal because the model cannot think at all: without thinking it may succeed. Absent if the wire has no thinking. */
  refusesThinking?(error: ErrorData): boolean
  /** Whether a model that thinks does so unseen: its stream has no sign of it before the usage. Absent if none does. */
  hidesThinking?(target: Target): boolean
  /** What its providers offer besides chats, unless their profile says less; absent for nothing. */
  readonly endpoints?: EndpointDialects
}

export type EncodedRequest = { readonly body: JsonObject; readonly dropped: readonly string[] }
/** `edits`: top-level member -> its new value, or `undefined` to remove it. */
export type EditedRequest = { readonly edits: ReadonlyMap<string, EditValue>; readonly dropped: readonly string[] }
export type EditValue = JsonObject[string] | undefined

export type DecoderOptions = {
  /** Used if the upstream sends no id, model or time. */
  readonly fallback: ResponseMeta
  readonly target: Target
}

/** Bytes of one frame's payload in (SSE: the data lines joined, NDJSON: one line), events out. */
export type StreamDecoder = {
  /** `data` is a view, valid only during the call. A frame that is not a JSON object ends the stream as `error` upstream_malformed. */
  push(data: Buffer): void
  /** The upstream ended its body: emits `finish` if the end marker was seen, else `error` upstream_cut. Emits nothing after either. */
  end(): void
}

export type ObserverOptions = {
  /** Mark the chunk with only usage for removal: the gateway requested it, the client did not. */
  readonly stripUsage: boolean
  readonly target: Target
  /** Members of the answer that the gateway decides, for a surface with `stored`; null or absent for none. */
  readonly own?: OwnMembers | null
}

/** What a frame that passes through is, as bits of a small integer: no allocation on the hot path. */
export const FRAME_OTHER = 0
/** Carries the first or a further piece of content: text, reasoning or tool arguments. */
export const FRAME_CONTENT = 1
/** Is (or holds) the end marker: the answer is complete. */
export const FRAME_END = 2
/** Must not reach the client. */
export const FRAME_STRIP = 4
/** Is an in-band error of the upstream; `observer.error` has it. */
export const FRAME_ERROR = 8
/** Is not a JSON object, nor anything allowed between such frames: part of the answer is lost. */
export const FRAME_BROKEN = 16
/** Reaches the client with another payload: `observer.edited`. */
export const FRAME_EDITED = 32
/** Ends the answer with a failure. */
export const FRAME_FAILED = FRAME_ERROR | FRAME_BROKEN
/** Frames after such a frame are ignored. */
export const FRAME_LAST = FRAME_END | FRAME_FAILED

/** Observes passing frames: finds content, usage, the end marker and errors, with as little parsing as possible. */
export type StreamObserver = ErrorFrameEncoder & {
  /** Returns FRAME_* bits. `data` is a view, valid only during the call. */
  observe(data: Buffer): number
  /** Usage reported by the provider so far. */
  readonly usage: UsageReport | null
  readonly error: ErrorData | null
  /** The payload of the last frame with FRAME_EDITED; the relay owns it. */
  readonly edited?: Buffer | null
  /** Characters or bytes of content seen, for an estimate if the provider reports no usage. */
  readonly contentBytes: number
  /** Why the model stopped, as the decoder would decode it; null until the provider reports it. */
  readonly finish: FinishReason | null
  /** No error, and the end marker was seen, or the finish reason if the upstream sends no end marker. */
  isComplete(): boolean
}
