// What counts as worse than the baseline.
import { test } from 'tap'
import { baselineOf, isFailure, type Judged, judge } from '../../bench/judge.js'
import { type Figure } from '../../bench/samples.js'

type Rounds = { readonly median: number; readonly min: number; readonly max: number }

function figure(ratio: Rounds | null, over: Partial<Figure> = {}): Figure {
  const value = { median: 1, min: 1, max: 1 }
  return { scenario: 'S1 c=32', contender: 'sluice', unit: 'CPU', floor: 'bare pipe', rounds: 5, value, ratio, ...over }
}

function run(...figures: Figure[]): Judged {
  return { versions: {}, isQuick: false, scenarios: ['S1'], figures }
}

function around(median: number, half = 0): Rounds {
  return { median, min: median - half, max: median + half }
}

function verdictOf(before: Rounds, now: Rounds, rounds = 5): string | undefined {
  const baseline = baselineOf(run(figure(before, { rounds })))
  return judge(baseline, run(figure(now, { rounds })))[0]?.verdict
}

test('a ratio is worse when it rose by more than the rounds of both runs scatter', async (t) => {
  t.equal(verdictOf(around(2, 0.2), around(2.5, 0.25)), 'worse', '25 % more, where 20 % are noise')
  t.equal(verdictOf(around(2, 0.2), around(2.3, 0.23)), 'same', '15 % more')
  t.equal(verdictOf(around(2, 0.2), around(1.5, 0.1)), 'better')
})

test('rounds that agree by chance leave room for a little, and noise excuses no more than a third', async (t) => {
  t.equal(verdictOf(around(2), around(2.09)), 'same')
  t.equal(verdictOf(around(2), around(2.11)), 'worse')
  t.equal(verdictOf(around(2, 1), around(2.5, 2)), 'same')
  t.equal(verdictOf(around(2, 1), around(2.7, 2)), 'worse')
})

test('a figure that was measured once has unknown noise', async (t) => {
  t.equal(verdictOf(around(2), around(2.5), 1), 'same')
  t.equal(verdictOf(around(2), around(2.7), 1), 'worse')
})

test('only ratios of our own contenders are kept, and none of a floor to itself', async (t) => {
  const { ratios } = baselineOf(
    run(
      figure(around(2), { contender: 'nginx' }),
      figure(around(1), { contender: 'sluice, threads 1', floor: 'sluice, threads 1' }),
      figure(around(1.1), { contender: 'sluice, threads 2', floor: 'sluice, threads 1' }),
      figure(null, { unit: 'requests/s', floor: null }),
    ),
  )
  t.same(Object.keys(ratios), ['S1 c=32 | sluice, threads 2 | CPU'])
})

test('a figure that is no longer measured fails, unless its scenario was not run; a new one does not', async (t) => {
  const [before, other] = [figure(around(2)), figure(around(2), { scenario: 'S10 threads' })]
  const baseline = baselineOf({ ...run(before, other), scenarios: ['S1', 'S10'] })
  const verdicts = judge(baseline, run(figure(around(3), { unit: 'another' })))
  t.same(
    verdicts.map(({ figure, verdict }) => [figure, verdict]),
    [
      ['S1 c=32 | sluice | another', 'new'],
      ['S1 c=32 | sluice | CPU', 'missing'],
    ],
  )
  t.same(verdicts.map(isFailure), [false, true])
})

test('a run of some scenarios becomes the baseline of these alone', async (t) => {
  const before = baselineOf({
    ...run(figure(around(2)), figure(around(2), { scenario: 'S10 threads' })),
    scenarios: [],
  })
  const { ratios } = baselineOf(run(figure(around(3))), before)
  t.same(
    Object.entries(ratios).map(([name, { ratio }]) => [name.split(' ')[0], ratio]),
    [
      ['S10', 2],
      ['S1', 3],
    ],
  )
})
