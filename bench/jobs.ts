// npm run bench:jobs [-- --rounds N --seconds N]: jobs accepted a second, and live requests beside them, against their goals.
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { type JobsFigures, runJobs } from './load/jobs.bench.js'
import { type Spread } from './stats.js'

const LEAST_ACCEPTED_PER_SEC = 2000
const MOST_RATIO = 1.5
const BURST = 10_000

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, seconds: { type: 'string', default: '5' } },
})

function report(figures: JobsFigures): void {
  const { acceptedPerSec, besideRatio } = figures
  const row = (name: string, { median, min, max }: Spread, digits: number, goal = ''): string =>
    `| ${name} | ${[median, min, max].map((value) => value.toFixed(digits)).join(' | ')} | ${goal} |`
  const verdict = (isReached: boolean): string => (isReached ? 'reached' : 'missed')
  const lines = [
    `Node ${process.version}, ${cpus().length} cores, ${cpus()[0]?.model ?? 'unknown'}`,
    '| jobs, embedded store | median | min | max | goal |',
    '| --- | --: | --: | --: | --- |',
    row(
      'accepted a second',
      acceptedPerSec,
      0,
      `>= 2,000: ${verdict(acceptedPerSec.median >= LEAST_ACCEPTED_PER_SEC)}`,
    ),
    row('CPU us a job', figures.cpuUsPerJob, 0),
    row('live p99 ms, alone', figures.liveP99Ms, 2),
    row('live p99 ms, beside jobs', figures.besideP99Ms, 2),
    row('live p99, beside to alone', besideRatio, 2, `<= 1.5: ${verdict(besideRatio.median <= MOST_RATIO)}`),
    row('jobs accepted a second beside', figures.steadyPerSec, 0),
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
}

report(
  await runJobs({
    ...{ rounds: Number(values.rounds), seconds: Number(values.seconds), burst: BURST },
    say: (text) => process.stderr.write(`${text}\n`),
  }),
)
