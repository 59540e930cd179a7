// What a run has measured: samples by scenario, contender and unit, one for each round, and the figures made of them.
import { type Spread, spread } from './stats.js'

export type Figure = {
  readonly scenario: string
  readonly contender: string
  readonly unit: string
  readonly value: Spread
  /** To the floor's sample of the same round; null where there is no floor. Lower is better, always. */
  readonly ratio: Spread | null
  readonly floor: string | null
  readonly rounds: number
}

/** A sample that does not count, because something failed in it. */
export type Voided = { readonly scenario: string; readonly contender: string; readonly reason: string }

/** Where a sample belongs. `floor`: the contender whose sample of that round it is divided by. */
export type Place = {
  readonly scenario: string
  readonly contender: string
  readonly unit: string
  readonly floor: string | null
  readonly round: number
}

type Series = Omit<Place, 'round'> & { readonly byRound: Map<number, number> }

/** Samples in the order they first came. */
export class Samples {
  readonly #series = new Map<string, Series>()
  readonly voided: Voided[] = []

  add(place: Place, sample: number): void {
    const { scenario, contender, unit, floor, round } = place
    const key = keyOf(place)
    const series = this.#series.get(key) ?? { scenario, contender, unit, floor, byRound: new Map<number, number>() }
    series.byRound.set(round, sample)
    this.#series.set(key, series)
  }

  figures(): Figure[] {
    return [...this.#series.values()].map((series) => {
      const { scenario, contender, unit, floor, byRound } = series
      const floorSeries = floor === null ? undefined : this.#series.get(keyOf({ scenario, contender: floor, unit }))
      const ratios = floorSeries === undefined ? [] : ratiosOf(byRound, floorSeries.byRound)
      return {
        ...{ scenario, contender, unit, floor, rounds: byRound.size },
        value: spread([...byRound.values()]),
        ratio: ratios.length === 0 ? null : spread(ratios),
      }
    })
  }
}

/** Names a figure, in a run and over runs. */
export function keyOf({ scenario, contender, unit }: Pick<Place, 'scenario' | 'contender' | 'unit'>): string {
  return `${scenario} | ${contender} | ${unit}`
}

/** The rounds are interleaved, so two samples of one round met the same machine. */
function ratiosOf(samples: ReadonlyMap<number, number>, floors: ReadonlyMap<number, number>): number[] {
  const ratios: number[] = []
  for (const [round, sample] of samples) {
    const floor = floors.get(round)
    if (floor !== undefined && floor > 0) ratios.push(sample / floor)
  }
  return ratios
}
