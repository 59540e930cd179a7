// Chunks come up through a relay, by plain synchronous calls. Which one is chosen once per attempt, from two facts: does the
// client speak the upstream's protocol, and which of the two sides streams.
//
//                      upstream streams                  upstream answers whole
//   client streams     same: passthrough                 replay (decode, then events)
//                      else: transcode
//   client does not    collect, then aggregate           forward (same) | translate (else)
import { type ErrorData } from '../model/error.js'
import { type ResponseMeta } from '../model/event.js'
import { type Target } from '../model/target.js'
import { type Dialect, type Surface } from '../protocols/protocol.js'
import { type Meter } from './exchange.js'
import { CollectRelay } from './relay-collect.js'
import { PassthroughRelay } from './relay-passthrough.js'
import { ReplayRelay } from './relay-replay.js'
import { TranscodeRelay } from './relay-transcode.js'
import { WholeRelay } from './relay-whole.js'

/** Bytes of the upstream's answer in; what becomes of them goes to the outlet. May throw GatewayError: the attempt fails. */
export type Relay = Meter & {
  push(chunk: Buffer): void
  /** The upstream ended its body, without an error of the transport. */
  end(): void
}

/** Where a relay's work goes; the attempt implements it. */
export type Outlet = {
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
export type WholeKind = 'frames' | 'translate' | 'forward'

export type RelayOptions = {
  readonly surface: Surface
  readonly dialect: Dialect
  readonly target: Target
  readonly outlet: Outlet
  readonly fallback: ResponseMeta
  readonly clientStreams: boolean
  readonly upstreamStreams: boolean
  readonly includeUsage: boolean
  readonly maxResponseBytes: number
}

export function createRelay(options: RelayOptions): Relay {
  const isSameProtocol = options.surface.id === options.dialect.id
  if (options.upstreamStreams) {
    if (!options.clientStreams) return new CollectRelay(options)
    return isSameProtocol ? new PassthroughRelay(options) : new TranscodeRelay(options)
  }
  if (options.clientStreams) return new ReplayRelay(options)
  return new WholeRelay(options, isSameProtocol ? 'forward' : 'translate')
}
