// Times a small synchronous function: nanoseconds a call, median and spread over rounds. Prints machine and Node version.
import { cpus } from 'node:os'

/** Long enough for the timer's own cost to vanish, short enough for a stray task to hit few rounds. */
const ROUND_MS = 20
const ROUNDS = 15
const WARM_UP_ROUNDS = 5
const NS_PER_MS = 1e6

export type Measurement = {
  readonly name: string
  readonly medianNs: number
  readonly leastNs: number
  readonly mostNs: number
}

/** Measures `run`, called in a loop. What it does must not be foldable away: let it write somewhere. */
export function measure(name: string, run: () => unknown): Measurement {
  const calls = calibrate(run)
  const rounds: number[] = []
  for (let round = 0; round < WARM_UP_ROUNDS + ROUNDS; round++) {
    const ns = time(run, calls) / calls
    if (round >= WARM_UP_ROUNDS) rounds.push(ns)
  }
  rounds.sort((a, b) => a - b)
  return {
    name,
    medianNs: rounds[ROUNDS >> 1] ?? 0,
    leastNs: rounds[0] ?? 0,
    mostNs: rounds.at(-1) ?? 0,
  }
}

/** One table: the machine, then a line for each measurement. */
export function printTable(title: string, measurements: readonly Measurement[]): void {
  const lines = measurements.map(
    ({ name, medianNs, leastNs, mostNs }) =>
      `${name.padEnd(40)} ${medianNs.toFixed(1).padStart(12)} ns   (${leastNs.toFixed(1)} .. ${mostNs.toFixed(1)})`,
  )
  const machine = `${cpus()[0]?.model ?? 'unknown CPU'}, ${cpus().length} cores, Node ${process.version}`
  process.stdout.write(`${title}, ${machine}\n${lines.join('\n')}\n`)
}

function calibrate(run: () => unknown): number {
  let calls = 1
  while (time(run, calls) < ROUND_MS * NS_PER_MS) calls *= 2
  return calls
}

function time(run: () => unknown, calls: number): number {
  const start = process.hrtime.bigint()
  for (let i = 0; i < calls; i++) run()
  return Number(process.hrtime.bigint() - start)
}
