// How a scenario measures: contenders take turns, round by round; the first round is a warm-up and thrown away; a sample in
// which anything failed does not count.
import { type Contender } from './contenders.js'
import { type Samples } from './samples.js'

const QUICK_SHARE = 0.2

/** What a scenario gets from the run it is part of. */
export type Bench = {
  readonly rounds: number
  /** Short: fewer rounds, a part of the load. */
  readonly isQuick: boolean
  readonly samples: Samples
  /** A line for whoever waits. */
  say(text: string): void
  /** A line below the table, such as what could not be measured here. */
  note(text: string): void
}

/** Adds one sample. `floor`: default the bare pipe; null for a figure that is no cost. */
export type Add = (unit: string, value: number, floor?: string | null) => void

export type Turn = { readonly add: Add; readonly isWarmUp: boolean; readonly round: number }

type Named = Pick<Contender, 'name'>

/** Lets `measure` look at each entrant in each round. */
export async function interleave<Entrant extends Named>(
  bench: Bench,
  plan: { readonly scenario: string; readonly entrants: readonly Entrant[]; readonly rounds?: number },
  measure: (entrant: Entrant, turn: Turn) => Promise<void>,
): Promise<void> {
  const { scenario, entrants, rounds = bench.rounds } = plan
  for (let round = 0; round <= rounds; round++) {
    bench.say(`${scenario}, ${round === 0 ? 'warm-up' : `round ${round} of ${rounds}`}`)
    for (const entrant of entrants) await once(bench, { scenario, contender: entrant.name, round }, entrant, measure)
  }
}

type Where = { readonly scenario: string; readonly contender: string; readonly round: number }

/** One sample outside of rounds; a failure voids it. */
export async function once<Entrant>(
  bench: Bench,
  where: Where,
  entrant: Entrant,
  measure: (entrant: Entrant, turn: Turn) => Promise<void>,
): Promise<void> {
  const { scenario, contender, round } = where
  const isWarmUp = round === 0
  // Kept back until all of it is known to have succeeded.
  const measured: { unit: string; value: number; floor: string | null }[] = []
  const add: Add = (unit, value, floor = 'bare pipe') => void measured.push({ unit, value, floor })
  try {
    await measure(entrant, { add, isWarmUp, round })
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    bench.say(`  void: ${contender}: ${reason}`)
    bench.samples.voided.push({ scenario, contender, reason })
    return
  }
  if (isWarmUp) return
  for (const { unit, value, floor } of measured) {
    bench.samples.add({ scenario, contender, unit, floor, round }, value)
  }
}

/** Part of a load, in a quick run. Its warm-up is not shortened: it would measure code that V8 has not compiled yet. */
export function scaled(bench: Bench, whole: number, turn: Pick<Turn, 'isWarmUp'> = { isWarmUp: false }): number {
  return bench.isQuick && !turn.isWarmUp ? Math.max(1, Math.round(whole * QUICK_SHARE)) : whole
}
