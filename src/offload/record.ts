// How offload reports its tasks to telemetry: two functions that are passed in, so that nothing here knows a metrics library.
import { type CodecTask } from '../protocols/contract/envelope.js'

/** The part of telemetry's Metrics that offload feeds. */
export type OffloadMetrics = {
  offloadTask(task: 'decode' | 'encode' | 'aggregate', where: 'inline' | 'worker', seconds: number): void
  offloadQueue(length: number): void
}

/** Counts one task from `startedMs` (performance.now) to now; both ways of making a whole answer count as `aggregate`. */
export function recordTask(
  metrics: OffloadMetrics,
  kind: CodecTask['kind'],
  where: 'inline' | 'worker',
  startedMs: number,
): void {
  metrics.offloadTask(kind === 'transcode' ? 'aggregate' : kind, where, (performance.now() - startedMs) / 1000)
}
