// The interfaces of a relay: the calls of the attempt, and the outlet for its results. Types only; choose.ts selects a relay.
import { type ErrorData } from '../../model/error.js'
import { type FinishReason, type ResponseMeta } from '../../model/event.js'
import { type JsonObject } from '../../model/json.js'
import { type Target } from '../../model/target.js'
import { type Usage, type UsageReport } from '../../model/usage.js'
import {
  type Dialect,
  type ErrorFrameEncoder,
  type Framing,
  type Surface,
  type SurfaceEndpoint,
} from '../../protocols/contract/protocol.js'
import { type OwnMembers } from '../../protocols/contract/stored.js'
import { type Conceal } from '../../upstream/conceal.js'

/** What a relay has observed, for accounting and for an error frame that belongs to the stream before it. */
export type Meter = ErrorFrameEncoder & {
  /** Usage reported by the provider so far. */
  readonly usage: UsageReport | null
  /** Bytes of content that have arrived, for an estimate. */
  readonly contentBytes: number
  /** Why the model stopped; null until the provider reports it. */
  readonly finish: FinishReason | null
}

/** Takes bytes of the upstream's answer and passes the results to the outlet. May throw GatewayError, which fails the attempt. */
export type Relay = {
  /** Goes on counting. */
  readonly meter: Meter
  push(chunk: Buffer): void
  /** The upstream ended its body, without an error of the transport. */
  end(): void
  /** The frames that end the client's stream here, at a cap on its output; nothing may be pushed afterwards. Absent if its frames pass unchanged. */
  close?(usage: Usage): string[]
}

/** Takes a relay's results; the attempt implements it. */
export type RelayOutlet = {
  /** Whole frames in the client's framing. Those before the first content are held back, so that a failure can still be an HTTP status. */
  append(frames: Uint8Array, hasContent: boolean): void
  /** Content has arrived that the client does not see yet (it will get a whole answer). */
  progress(): void
  /** The names of parts that the client's form has no place for; before the end of the answer. */
  leftOut(names: readonly string[]): void
  /**
   * The end marker was seen: the answer is complete. `last`: the frame with the end marker, which has not been appended; only with
   * `holdsEnd`.
   */
  complete(last?: Uint8Array): void
  /** The whole body of the upstream's answer, or all frames of its stream, to be made into one answer. */
  whole(bytes: Uint8Array, kind: WholeKind): void
  fail(error: ErrorData): void
}

/** `frames`: the upstream's own frames, to be aggregated. `translate`: a whole answer in another protocol. `forward`: unchanged. */
export type WholeKind = MadeKind | 'forward'
export type MadeKind = 'frames' | 'translate'

/** How an answer that passes unchanged reaches the client: frame by frame, or as the bytes come. */
export type Passing = Framing | 'bytes'

export type RawOptions = {
  readonly framing: Framing
  /** Bytes without frames: `framing` has no meaning. */
  readonly isBytes?: boolean
  /** What the answers look like; absent where nothing is known of the request. */
  readonly endpoint?: SurfaceEndpoint
  /** The bytes without the provider's secrets; the same object if they contain none. */
  readonly conceal: (bytes: Buffer) => Buffer
}

export type RelayOptions = {
  readonly surface: Surface
  readonly dialect: Dialect
  readonly target: Target
  readonly outlet: RelayOutlet
  readonly fallback: ResponseMeta
  readonly clientStreams: boolean
  readonly upstreamStreams: boolean
  /** HTTP marks the end of the body; otherwise it ends with the connection, complete or not. */
  readonly isDelimited: boolean
  readonly includeUsage: boolean
  /** What the surface's answer needs of the request; null if it needs nothing. */
  readonly echo: JsonObject | null
  /** Members of the answer that the gateway decides; null for none. */
  readonly own: OwnMembers | null
  /** The last frame waits until the answer is stored. */
  readonly holdsEnd: boolean
  /** Time since the request was accepted; absent if the surface does not tell it. */
  readonly elapsedMs?: () => number
  /** How the upstream's own frames are forwarded to the client; null if they are not. */
  readonly raw: RawOptions | null
  /** For a whole answer that becomes a stream. */
  readonly conceal: Conceal
  readonly maxResponseBytes: number
}
