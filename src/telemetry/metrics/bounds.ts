// The upper bounds of the buckets of all histograms, in seconds. Pure numbers, rising.

/** Time to first token and between tokens as OpenTelemetry's GenAI conventions advise, and 30, 60 for reasoning. */
export const TTFT_BOUNDS: readonly number[] = Object.freeze([
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60,
])
export const INTER_TOKEN_BOUNDS: readonly number[] = Object.freeze([
  0.001, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5,
])
/** Up to the longest an exchange may take by default (totalMs). */
export const DURATION_BOUNDS: readonly number[] = Object.freeze([
  0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600,
])
/** The gateway's own share: 50 microseconds to 250 ms. */
export const OVERHEAD_BOUNDS: readonly number[] = Object.freeze([
  0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
])
/** Codec work on one body: from a small one inline to the task timeout. */
export const OFFLOAD_BOUNDS: readonly number[] = Object.freeze([
  0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 10,
])
/** One call to Redis: from a healthy one beside us to one that is given up. */
export const REDIS_BOUNDS: readonly number[] = Object.freeze([
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1,
])
