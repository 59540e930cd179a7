// S6: how much memory does a stream hold that is open and slow, and do 10,000 of them come through evenly? Memory is the slope
// over the counts, so that what the process needs anyway is left out.
import { execFileSync } from 'node:child_process'
import { Talker } from '../children.js'
import { against, type Contender, startBarePipe, startNginx, startSluice } from '../contenders.js'
import { requestFor } from '../requests.js'
import { type Add, type Bench, once } from '../rounds.js'
import { type HeldReport, settledRssBytes } from '../stats.js'

const SCENARIO = 'S6 held streams'
const COUNTS = [1000, 5000, 10_000]
const QUICK_COUNTS = [500, 2000]
/** Two seconds between tokens: what is measured is holding, not forwarding. */
const PACE = ['--tokens-per-second', '0.5']
/** Longer than anybody waits. */
const TOKENS = 4000
/** A few tokens of each stream, and time for garbage to be found. */
const WATCH_MS = 6000
const QUICK_WATCH_MS = 3000
/** Descriptors a contender needs beside its streams. */
const SPARE_FDS = 100

/** Adds S6's figures; contenders one after the other, as each needs the machine for itself. */
export async function runS6(bench: Bench): Promise<void> {
  const counts = (bench.isQuick ? QUICK_COUNTS : COUNTS).map(withinLimit)
  const most = counts.at(-1) ?? 0
  if (most < (COUNTS.at(-1) ?? 0) && !bench.isQuick) {
    bench.note(`S6 held ${most} streams: a stream takes two descriptors, and \`ulimit -Hn\` allows no more.`)
  }
  const starts = [startBarePipe, startSluice, ...(bench.isQuick ? [] : [startNginx])]
  const plan = { counts, watchMs: bench.isQuick ? QUICK_WATCH_MS : WATCH_MS }
  for (const start of starts) {
    await against(PACE, [start], async ([contender]) => {
      if (contender === undefined) return
      bench.say(`${SCENARIO}: ${contender.name}`)
      const where = { scenario: SCENARIO, contender: contender.name, round: 1 }
      await once(bench, where, contender, (each, { add }) => hold(each, plan, add))
    })
  }
}

type Plan = { readonly counts: readonly number[]; readonly watchMs: number }

async function hold(contender: Contender, { counts, watchMs }: Plan, add: Add): Promise<void> {
  const generator = new Talker('held-generator.js')
  const points: [number, number][] = []
  try {
    let opened = 0
    for (const count of counts) {
      const request = requestFor(contender, { tokens: TOKENS })
      await generator.ask<HeldReport>({ open: count - opened, request })
      opened = count
      const seen = await generator.ask<HeldReport>({ watchMs })
      if (seen.held !== count) throw new Error(`${seen.held} of ${count} streams are open`)
      points.push([count, (await settledRssBytes(contender.pid)) / 1024])
      add(`gap p99 ms, ${count}`, seen.gapMs.p99)
    }
  } finally {
    generator.stop()
  }
  add('RSS KB/stream', slopeOf(points))
  add(`RSS MB, ${counts.at(-1)}`, (points.at(-1)?.[1] ?? 0) / 1024)
}

/** Least squares. */
function slopeOf(points: readonly (readonly [number, number])[]): number {
  const meanX = points.reduce((total, [x]) => total + x, 0) / points.length
  const meanY = points.reduce((total, [, y]) => total + y, 0) / points.length
  const over = points.reduce((total, [x, y]) => total + (x - meanX) * (y - meanY), 0)
  return over / points.reduce((total, [x]) => total + (x - meanX) ** 2, 0)
}

/** A stream takes a connection on either side; Node raises its soft limit to the hard one by itself. */
function withinLimit(count: number): number {
  const text = execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).trim()
  const limit = text === 'unlimited' ? Number.POSITIVE_INFINITY : Number(text)
  return Math.min(count, Math.floor((limit - SPARE_FDS) / 2))
}
