// What is computed of a node and a fleet: by hand for round figures, and the simulation against queueing theory.
import { test } from 'tap'
import { printCapacity } from '../../bench/capacity/page.js'
import {
  type Figures,
  megabits,
  memoryMb,
  requestsOfOneRedis,
  requestsPerSec,
  simulateFleet,
  streamsOf,
  streamsOfOneRedis,
} from '../../bench/capacity/plan.js'

const FIGURES: Figures = {
  ...{ cpuUsPerRequest: 100, cpuUsPerEvent: 35, bytesPerEvent: 250, baseMb: 100, kbPerStream: 20 },
  redis: {
    ...{ callsPerRequest: 4, cpuUsPerRequest: 100, callsPerStreamSec: 5, cpuUsPerStreamSec: 500 },
    gatewayCpuUsPerRequest: 200,
  },
}

/** Park and Miller's, so that each run is the same. */
function createRandom(): () => number {
  let state = 7
  return () => {
    state = (state * 48_271) % (2 ** 31 - 1)
    return state / (2 ** 31 - 1)
  }
}

test('a node carries what its cores have time for, and needs memory for it', (t) => {
  t.equal(requestsPerSec(FIGURES, 2), 14_000)
  t.equal(streamsOf(FIGURES, 2, { eventsPerSec: 50 }), 800)
  t.equal(memoryMb(FIGURES, 2, 1024), 220)
  t.equal(megabits(FIGURES, 1000, { eventsPerSec: 50 }), 100)
  t.equal(requestsOfOneRedis(FIGURES), 7000)
  t.equal(streamsOfOneRedis(FIGURES), 1400)
  t.end()
})

test('calls wait as at a server with random arrivals and one time for each call', (t) => {
  const random = createRandom()
  const plan = { nodes: 10, shards: 1, requestsPerSec: 5000, keptStreams: 0, seconds: 20, random }
  const { limits } = simulateFleet(FIGURES, plan)
  // 20,000 calls a second of 25 us each: half of the time is used, so half of the calls find nobody before them.
  t.ok(Math.abs(limits.busyShare - 0.5) < 0.02, `${limits.busyShare}`)
  t.ok(limits.p50Ms < 0.01, `${limits.p50Ms} ms`)
  t.ok(limits.p99Ms > 0.04 && limits.p99Ms < 0.12, `${limits.p99Ms} ms`)
  const full = simulateFleet(FIGURES, { ...plan, requestsPerSec: 9900, seconds: 5 })
  t.ok(full.limits.p99Ms > limits.p99Ms * 3, 'a server that is nearly full lets all wait')
  t.end()
})

test('kept streams are spread over all servers, limits are at one', (t) => {
  const random = createRandom()
  const plan = { nodes: 10, shards: 4, requestsPerSec: 1000, keptStreams: 4000, seconds: 2, random }
  const { limits, streams } = simulateFleet(FIGURES, plan)
  // 1,000 requests are a tenth of a server; 4,000 streams two whole ones, half of each.
  t.ok(Math.abs(limits.busyShare - 0.6) < 0.05, `${limits.busyShare}`)
  t.ok(streams.busyShare >= limits.busyShare)
  t.end()
})

test('the page is the same for the same figures, and has the checks beside their prediction', (t) => {
  const checks = [{ processes: 2, gatewayCpuUsPerRequest: 220, redisCpuUsPerRequest: 90, callsPerRequest: 4 }]
  const page = printCapacity(FIGURES, checks, { node: 'v20', cores: 2 })
  t.equal(page, printCapacity(FIGURES, checks, { node: 'v20', cores: 2 }))
  t.match(page, '| 2 | 220.0 us (1.10 x) | 90.0 us (0.90 x) | 4.00 (1.00 x) |')
  t.notMatch(page, /NaN|Infinity|undefined/)
  t.end()
})
