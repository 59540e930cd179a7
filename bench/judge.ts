// Whether a run is worse than the baseline. Only ratios to a floor of the same run are kept and compared: absolute times are those
// of one machine on one day. Pure.
import { type Figure, keyOf } from './samples.js'

/** `noise`: half the range of a figure's rounds, as a share of the ratio. */
export type Ratio = { readonly ratio: number; readonly noise: number }

/** Ratios by the names of their figures. */
export type Baseline = {
  readonly versions: Readonly<Record<string, string>>
  readonly isQuick: boolean
  readonly ratios: Readonly<Record<string, Ratio>>
}

/** What is read of a run. */
export type Judged = Pick<Baseline, 'versions' | 'isQuick'> & {
  readonly scenarios: readonly string[]
  readonly figures: readonly Figure[]
}

export type Verdict = {
  readonly figure: string
  readonly verdict: 'worse' | 'better' | 'same' | 'new' | 'missing'
  readonly before: number | null
  readonly now: number | null
  /** Most that is not worse. */
  readonly allowed: number | null
}

/** Rounds that happen to agree say nothing of the next run. */
const LEAST_NOISE = 0.05
/** A run so noisy that it would excuse anything excuses no more than this. */
const MOST_NOISE = 0.3
/** Of a figure that was measured once. */
const UNKNOWN_NOISE = 0.2
/** The contenders that are ours; those that others made may change as they like. */
const OURS = /^sluice\b/

/** The baseline that a run would be; of scenarios that were not run, `before` stays. */
export function baselineOf(run: Judged, before: Baseline | null = null): Baseline {
  const { versions, isQuick } = run
  const kept = Object.entries(before?.ratios ?? {}).filter(([figure]) => !run.scenarios.includes(scenarioOf(figure)))
  return { versions, isQuick, ratios: Object.fromEntries([...kept, ...ratiosOf(run)]) }
}

/** Every figure of either; `missing` are only those whose scenario was run. */
export function judge(baseline: Baseline, run: Judged): Verdict[] {
  const now = ratiosOf(run)
  const verdicts = [...now].map(([figure, ratio]) => compare(figure, baseline.ratios[figure], ratio))
  for (const [figure, { ratio }] of Object.entries(baseline.ratios)) {
    if (now.has(figure) || !run.scenarios.includes(scenarioOf(figure))) continue
    verdicts.push({ figure, verdict: 'missing', before: ratio, now: null, allowed: null })
  }
  return verdicts
}

/** True for what must not be merged: a figure that got worse, or that is no longer measured. */
export function isFailure({ verdict }: Verdict): boolean {
  return verdict === 'worse' || verdict === 'missing'
}

/** `S1` of `S1 c=32 | sluice | CPU us/request`. */
function scenarioOf(figure: string): string {
  return figure.split(' ')[0] ?? ''
}

function ratiosOf({ figures }: Judged): Map<string, Ratio> {
  const ratios = new Map<string, Ratio>()
  for (const figure of figures) {
    const { contender, floor, ratio, rounds } = figure
    if (ratio === null || contender === floor || !OURS.test(contender)) continue
    const noise = rounds < 2 ? UNKNOWN_NOISE : (ratio.max - ratio.min) / 2 / ratio.median
    ratios.set(keyOf(figure), { ratio: ratio.median, noise })
  }
  return ratios
}

function compare(figure: string, before: Ratio | undefined, now: Ratio): Verdict {
  if (before === undefined) return { figure, verdict: 'new', before: null, now: now.ratio, allowed: null }
  const noise = Math.min(MOST_NOISE, Math.max(LEAST_NOISE, before.noise + now.noise))
  const allowed = before.ratio * (1 + noise)
  const verdict = now.ratio > allowed ? 'worse' : now.ratio < before.ratio * (1 - noise) ? 'better' : 'same'
  return { figure, verdict, before: before.ratio, now: now.ratio, allowed }
}
