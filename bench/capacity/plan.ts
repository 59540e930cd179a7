// What a node and its Redis can carry, computed from measured figures alone: each function is one line of docs/internals/capacity.md.
// Pure; bench/capacity.ts measures and writes.

/** Of one gateway process with one event loop, and of one Redis. */
export type Figures = {
  readonly cpuUsPerRequest: number
  /** At a model's pace, the stream's begin and end included. */
  readonly cpuUsPerEvent: number
  readonly bytesPerEvent: number
  readonly baseMb: number
  readonly kbPerStream: number
  readonly redis: {
    readonly callsPerRequest: number
    readonly cpuUsPerRequest: number
    /** Of a stream that is kept in Redis, a second of it at 50 events a second. */
    readonly callsPerStreamSec: number
    readonly cpuUsPerStreamSec: number
    /** Of the gateway itself: with Redis to without. */
    readonly gatewayCpuUsPerRequest: number
  }
}

export type Load = { readonly eventsPerSec: number }

/** More leaves no room for what is not counted: bursts, collections, a reload. */
export const USABLE = 0.7
const US_PER_SEC = 1_000_000
/** Over HTTP/1.1 a stream is two connections; over HTTP/2 up to 50 share the one to the provider. */
export const DESCRIPTORS_H1 = 2
export const DESCRIPTORS_H2 = 1 + 1 / 50

/** The most whole requests a second of a node. */
export function requestsPerSec({ cpuUsPerRequest }: Figures, cores: number): number {
  return (cores * USABLE * US_PER_SEC) / cpuUsPerRequest
}

/** The most streams at once that a node's CPU carries at this pace. */
export function streamsOf({ cpuUsPerEvent }: Figures, cores: number, { eventsPerSec }: Load): number {
  return (cores * USABLE * US_PER_SEC) / (cpuUsPerEvent * eventsPerSec)
}

/** Of all its event loops. */
export function memoryMb({ baseMb, kbPerStream }: Figures, cores: number, streams: number): number {
  return cores * baseMb + (streams * kbPerStream) / 1024
}

/** Megabits a second to clients; as much comes from providers. */
export function megabits({ bytesPerEvent }: Figures, streams: number, { eventsPerSec }: Load): number {
  return (streams * eventsPerSec * bytesPerEvent * 8) / 1_000_000
}

/** The most whole requests a second of all nodes together: all limits are in one slot of the cluster. */
export function requestsOfOneRedis({ redis }: Figures): number {
  return (USABLE * US_PER_SEC) / redis.cpuUsPerRequest
}

/** The most kept streams at once whose frames one Redis takes. */
export function streamsOfOneRedis({ redis }: Figures): number {
  return (USABLE * US_PER_SEC) / redis.cpuUsPerStreamSec
}

export type Wait = { readonly p50Ms: number; readonly p99Ms: number; readonly busyShare: number }

export type Fleet = {
  readonly nodes: number
  readonly shards: number
  /** Of all nodes. */
  readonly requestsPerSec: number
  readonly keptStreams: number
  readonly seconds: number
  /** 0 to 1. */
  readonly random: () => number
}

/**
 * Every call of a fleet, one after the other, at the Redis of its slot: requests at the one that has the limits, kept streams at that
 * of their id. Arrivals are random, each node's own; a server takes one call at a time, as Redis does.
 */
export function simulateFleet({ redis }: Figures, fleet: Fleet): { readonly limits: Wait; readonly streams: Wait } {
  const { nodes, shards, keptStreams, seconds, random } = fleet
  const perRequestUs = redis.cpuUsPerRequest / redis.callsPerRequest
  const perStreamUs = redis.cpuUsPerStreamSec / redis.callsPerStreamSec
  const calls: { atUs: number; shard: number; takesUs: number }[] = []
  const arrive = (perSec: number, takesUs: number, shardOf: () => number) => {
    for (let atUs = 0; ; ) {
      atUs += (-Math.log(1 - random()) * US_PER_SEC) / perSec
      if (atUs >= seconds * US_PER_SEC) return
      calls.push({ atUs, shard: shardOf(), takesUs })
    }
  }
  for (let node = 0; node < nodes; node++) {
    arrive((fleet.requestsPerSec * redis.callsPerRequest) / nodes, perRequestUs, () => 0)
    arrive((keptStreams * redis.callsPerStreamSec) / nodes, perStreamUs, () => Math.floor(random() * shards))
  }
  calls.sort((a, b) => a.atUs - b.atUs)
  const freeAtUs = new Float64Array(shards)
  const busyUs = new Float64Array(shards)
  const waits: [limits: number[], streams: number[]] = [[], []]
  for (const { atUs, shard, takesUs } of calls) {
    const beginUs = Math.max(atUs, freeAtUs[shard] ?? 0)
    freeAtUs[shard] = beginUs + takesUs
    busyUs[shard] = (busyUs[shard] ?? 0) + takesUs
    waits[shard === 0 && takesUs === perRequestUs ? 0 : 1].push((beginUs - atUs) / 1000)
  }
  const share = (us: number) => us / (seconds * US_PER_SEC)
  return {
    limits: waitOf(waits[0], share(busyUs[0] ?? 0)),
    streams: waitOf(waits[1], share(Math.max(...busyUs))),
  }
}

function waitOf(waitsMs: number[], busyShare: number): Wait {
  const sorted = waitsMs.sort((a, b) => a - b)
  const at = (q: number) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0
  return { p50Ms: at(0.5), p99Ms: at(0.99), busyShare }
}
