// The two faces of a relay: what the attempt calls it by, and where its work goes. Types alone; choose.ts chooses, the files beside it do.
import { type ErrorData } from '../../model/error.js'
import { type FinishReason, type ResponseMeta } from '../../model/event.js'
import { type Target } from '../../model/target.js'
import { type UsageReport } from '../../model/usage.js'
import { type Dialect, type Framing, type Surface } from '../../protocols/contract/protocol.js'
import { type Conceal } from '../../upstream/conceal.js'

/** What a relay has seen of tokens, as far as accounting is concerned. */
export type Meter = {
  /** What the provider said of usage so far. */
  readonly usage: UsageReport | null
  /** Bytes of content that came, for an estimate. */
  readonly contentBytes: number
  /** Why the model stopped; null as long as the provider has not said so. */
  readonly finish: FinishReason | null
}

/** Bytes of the upstream's answer in; what becomes of them goes to the outlet. May throw GatewayError: the attempt fails. */
export type Relay = {
  /** Goes on counting. */
  readonly meter: Meter
  push(chunk: Buffer): void
  /** The upstream ended its body, without an error of the transport. */
  end(): void
}

/** Where a relay's work goes; the attempt implements it. */
export type RelayOutlet = {
  /** Whole frames in the client's framing. Those before the first content are held back, so that a failure can still be an HTTP status. */
  append(frames: Uint8Array, hasContent: boolean): void
  /** Content came that is not yet for the client's eyes (it will get a whole answer). */
  progress(): void
  /** The end marker was seen: the answer is complete. */
  complete(): void
  /** The whole body of the upstream's answer, or all frames of its stream, to be made into one answer. */
  whole(bytes: Uint8Array, kind: WholeKind): void
  fail(error: ErrorData): void
}

/** `frames`: the upstream's own frames, to be aggregated. `translate`: a whole answer in another protocol. `forward`: as it is. */
export type WholeKind = MadeKind | 'forward'
export type MadeKind = 'frames' | 'translate'

export type RawOptions = {
  readonly framing: Framing
  /** The bytes without secrets of the provider's; the same object where there is none in them. */
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
  /** HTTP says where the body ends; else it ends with the connection, whole or not. */
  readonly isDelimited: boolean
  readonly includeUsage: boolean
  /** The upstream's own words go to the client as they are: how they are framed, where they stream. */
  readonly raw: RawOptions | null
  /** Of a whole answer that becomes a stream. */
  readonly conceal: Conceal
  readonly maxResponseBytes: number
}
