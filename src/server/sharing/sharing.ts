// What the requests of one event loop share: the index of those that run or ended lately, the cache, and the options of one
// configuration. Opened for a request only if it, or its gateway, asks for anything of it.
import { type SharedAnswer } from '../../pipeline/client.js'
import { type KeptStream, type Timers } from '../../streams/kept/kept-stream.js'
import { type ReadableLog } from '../../streams/kept/readable-log.js'
import { type KeptStreams } from '../../streams/kept/registry.js'
import { type AnswerCache } from '../../streams/sharing/exact-cache.js'
import { type Graces } from '../../streams/sharing/graces.js'
import { type RunIndex } from '../../streams/sharing/run-index.js'
import { type RunPeers } from '../../streams/sharing/run-peers.js'
import { type RunHead as HeadOf, type JoinableRun, type SharedRun } from '../../streams/sharing/shared-run.js'
import { type CacheResult } from '../../telemetry/records.js'
import { type KeepPolicy } from '../kept/kept-sink.js'

/** Of this event loop. */
export type Run = SharedRun<KeptStream, SharedAnswer>
/** Of any event loop of the process. */
export type AnyRun = JoinableRun<ReadableLog, SharedAnswer>
export type RunHead = HeadOf<ReadableLog, SharedAnswer>

/** Of one event loop, whatever the configuration. */
export type SharingGround = {
  readonly streams: KeptStreams
  readonly index: RunIndex<Run>
  /** In memory, unless another store takes its place before the first request. */
  cache: AnswerCache
  /** Of requests that have not begun. */
  readonly graces: Graces
  /** The other event loops; null if there are none. */
  readonly peers: RunPeers<ReadableLog, SharedAnswer> | null
  readonly timers: Timers
  readonly counters: SharingCounters
}

export type SharingCounters = {
  cacheAnswer(result: CacheResult): void
}

/** By one configuration. */
export type SharingPolicy = {
  /** Null: no stream is kept for its client, so none is attached to. */
  readonly keep: KeepPolicy | null
  /** Memory of a stream that is shared, whatever is kept. */
  readonly share: KeepPolicy
  /** Some model shares its answers. */
  readonly hasSharedModels: boolean
}
