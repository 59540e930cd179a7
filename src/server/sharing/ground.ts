// Builds what the requests of one event loop share, and its way to the other loops of the process: a channel on which each reaches all
// others, which needs nobody to connect them and keeps no process alive.
import { BroadcastChannel } from 'node:worker_threads'
import { type SharedAnswer } from '../../pipeline/client.js'
import { type Timers } from '../../streams/kept/kept-stream.js'
import { type ReadableLog } from '../../streams/kept/readable-log.js'
import { type KeptStreams } from '../../streams/kept/registry.js'
import { ExactCache } from '../../streams/sharing/exact-cache.js'
import { Graces } from '../../streams/sharing/graces.js'
import { RunIndex } from '../../streams/sharing/run-index.js'
import { type PeerChannel, type PeerMessage, RunPeers } from '../../streams/sharing/run-peers.js'
import { LoopAnswers } from './peer-answers.js'
import { type Run, type SharingCounters, type SharingGround } from './sharing.js'

export type SharingParts = {
  readonly streams: KeptStreams
  readonly counters: SharingCounters & { cacheBytes(bytes: number): void }
  readonly timers: Timers
  readonly loopIndex: number
  /** Event loops of the process. */
  readonly threads: number
  /** Of the process; a reload may change it. */
  readonly maxCacheBytes: () => number
}

const CHANNEL = 'sluice:runs'

/** Once per event loop. The cache's memory is divided among the loops. */
export function createSharingGround(parts: SharingParts): SharingGround {
  const { streams, counters, timers, loopIndex, threads, maxCacheBytes } = parts
  const cache = new ExactCache({
    maxBytes: () => maxCacheBytes() / threads,
    nowMs: timers.nowMs,
    onChange: (bytes) => counters.cacheBytes(bytes),
  })
  const index = new RunIndex<Run>(timers.nowMs, (name, isHeld) => peers?.announce(name, isHeld))
  const answers = new LoopAnswers({ index, timers })
  const reach = streams.reach.bind(streams)
  const peers =
    threads === 1
      ? null
      : new RunPeers<ReadableLog, SharedAnswer>({
          ...{ loopIndex, channel: openChannel(), answers, reach, after: timers.after },
        })
  return { streams, index, cache, graces: new Graces(timers.after), peers, timers, counters }
}

function openChannel(): PeerChannel<SharedAnswer> {
  const channel = new BroadcastChannel(CHANNEL)
  channel.unref()
  return {
    send: (message) => channel.postMessage(message),
    listen(take) {
      channel.onmessage = (event: unknown) => take((event as { readonly data: PeerMessage<SharedAnswer> }).data)
    },
  }
}
