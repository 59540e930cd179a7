// Which traces are recorded, by the names and rules of OpenTelemetry's SDKs (OTEL_TRACES_SAMPLER). A caller's own decision is followed
// where the sampler is based on the parent, so that a trace is recorded by all who take part in it or by none. Pure.

export type SamplerConfig = {
  /** A caller's decision is followed. */
  readonly isParentBased: boolean
  /** Share of all other traces, 0 to 1. */
  readonly ratio: number
}

/** The largest 32-bit number. */
const MAX_UINT32 = 0xffff_ffff
const HEX_DIGITS_OF_32_BITS = 8

/** `parent`: the caller's decision; null for a new trace. */
export function isSampled({ isParentBased, ratio }: SamplerConfig, traceId: string, parent: boolean | null): boolean {
  if (isParentBased && parent !== null) return parent
  if (ratio >= 1) return true
  return ratio > 0 && foldOf(traceId) < Math.floor(ratio * MAX_UINT32)
}

/** The same number as OpenTelemetry's SDK for JavaScript makes of an id, so that both select the same traces. */
function foldOf(traceId: string): number {
  let folded = 0
  for (let at = 0; at < traceId.length; at += HEX_DIGITS_OF_32_BITS) {
    folded = (folded ^ Number.parseInt(traceId.slice(at, at + HEX_DIGITS_OF_32_BITS), 16)) >>> 0
  }
  return folded
}
