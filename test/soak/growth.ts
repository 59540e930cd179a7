// Whether a row of measurements grows, told from its noise: Theil and Sen's slope, the median of all slopes between two
// points, with the bounds that their order gives it (Hollander and Wolfe, "Nonparametric Statistical Methods", 9.3).

/** One measurement. */
export type Point = readonly [atMs: number, value: number]

/** Over the whole of the time, as shares of the median value. */
export type Growth = {
  readonly share: number
  /** It has grown by at least so much, or is a rare accident of the noise. */
  readonly atLeast: number
}

/** One-sided, 95 %. */
const Z = 1.645

/** Nothing is known of fewer than three points: 0. */
export function growthOf(points: readonly Point[]): Growth {
  const first = points[0]
  const last = points.at(-1)
  const n = points.length
  if (first === undefined || last === undefined || n < 3) return { share: 0, atLeast: 0 }
  const slopes = points
    .flatMap(([fromMs, from], i) => points.slice(i + 1).map(([toMs, to]) => (to - from) / (toMs - fromMs)))
    .sort((a, b) => a - b)
  const spread = Z * Math.sqrt((n * (n - 1) * (2 * n + 5)) / 18)
  const lowest = slopes[Math.max(0, Math.floor((slopes.length - spread) / 2))] ?? 0
  const scale = (last[0] - first[0]) / median(points.map(([, value]) => value))
  return { share: median(slopes) * scale, atLeast: lowest * scale }
}

/** The middle one, or the lower of two in the middle; 0 of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? 0
}
