// Runs the stream generator against a contender and counts the contender's CPU.
import { runOnce } from './children.js'
import { type Contender } from './contenders.js'
import { type Ask, requestFor } from './requests.js'
import { cpuMs, type StreamJob, type StreamReport } from './stats.js'

export type StreamLoad = {
  readonly streams: number
  readonly concurrency: number
  readonly rampMs?: number
  readonly hash?: boolean
}

export type StreamSample = Pick<StreamReport, 'firstMs' | 'gapMs' | 'hashes'> & {
  /** By the tokens asked for: each is one event of the upstream's. */
  readonly cpuUsPerEvent: number
}

/** @throws when any stream failed: status, too few events, no end marker */
export async function runStreams(contender: Contender, ask: Ask, load: StreamLoad): Promise<StreamSample> {
  const { streams, concurrency, rampMs = 0, hash = false } = load
  const job: StreamJob = { ...requestFor(contender, ask), minEvents: ask.tokens, streams, concurrency, rampMs, hash }
  const before = cpuMs(contender.pid)
  const report = await runOnce<StreamReport>('stream-generator.js', job)
  const cpu = cpuMs(contender.pid) - before
  if (report.failed > 0) {
    throw new Error(`${report.failed} of ${streams} streams failed, ${report.events} events in all`)
  }
  return { ...report, cpuUsPerEvent: (cpu * 1000) / (streams * ask.tokens) }
}
