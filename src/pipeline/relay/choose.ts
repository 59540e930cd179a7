// Selects the relay, through which chunks pass by plain synchronous calls. Chosen once per attempt, from two facts: whether client and
// upstream speak the same protocol, and which of the two sides streams.
//
//                      upstream streams                  upstream answers whole
//   client streams     same: passthrough, or reframe     replay (decode, then events)
//                      or the surface takes any frames: passthrough
//                      else: transcode
//   client uses the upstream's own format                raw, whatever it requested | forward
//   or its endpoint is no chat: the same;                 bytes, if the answer is neither frames nor JSON
//   client does not    collect, then aggregate           forward (same) | translate (else)

import { wireOf } from '../../protocols/contract/wire-of.js'
import { BytesRelay } from './bytes.js'
import { CollectRelay } from './collect.js'
import { PassthroughRelay } from './passthrough.js'
import { RawRelay } from './raw.js'
import { ReframeRelay } from './reframe.js'
import { ReplayRelay } from './replay.js'
import { TranscodeRelay } from './transcode.js'
import { type Relay, type RelayOptions } from './types.js'
import { WholeRelay } from './whole.js'

/** The relay of one attempt, as the table above has it. */
export function createRelay(options: RelayOptions): Relay {
  const { surface, dialect } = options
  const isSameProtocol = wireOf(surface) === dialect.id
  if (options.raw !== null) {
    if (!options.upstreamStreams) return new WholeRelay(options, 'forward')
    return options.raw.isBytes === true ? new BytesRelay(options) : new RawRelay(options, options.raw)
  }
  if (surface.endpoint !== undefined) return new WholeRelay(options, 'translate')
  if (options.upstreamStreams) {
    if (!options.clientStreams) return new CollectRelay(options)
    if (isSameProtocol && surface.payloads !== undefined) return new ReframeRelay(options, surface.payloads)
    return isSameProtocol || surface.upstreamFrames !== undefined
      ? new PassthroughRelay(options)
      : new TranscodeRelay(options)
  }
  if (options.clientStreams) return new ReplayRelay(options)
  return new WholeRelay(options, isSameProtocol ? 'forward' : 'translate')
}
