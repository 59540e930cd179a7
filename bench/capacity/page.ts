// docs/internals/capacity.md, from figures. Pure.
import {
  DESCRIPTORS_H1,
  DESCRIPTORS_H2,
  type Figures,
  megabits,
  memoryMb,
  requestsOfOneRedis,
  requestsPerSec,
  simulateFleet,
  streamsOf,
  streamsOfOneRedis,
  USABLE,
} from './plan.js'

/** What several processes together spent, to be held against the figures of one. */
export type Check = {
  readonly processes: number
  readonly gatewayCpuUsPerRequest: number
  readonly redisCpuUsPerRequest: number
  readonly callsPerRequest: number
}

export type Machine = { readonly node: string; readonly cores: number }

const CORES = [1, 2, 4, 8, 16, 32]
/** Of models: fast, usual, slow. */
const PACES = [50, 20]
const MILLION = 1_000_000
const FLEET_CORES = 16
const NODES = 50
const SHARDS = [1, 4, 16]
const FLEET_SEC = 3
/** A fleet's, so that its Redis is loaded to these shares. */
const SHARES = [0.3, 0.6, 0.9]
/** Park and Miller's generator: the page is the same for the same figures. */
const MULTIPLIER = 48_271
const MODULUS = 2 ** 31 - 1

/** The whole page. */
export function printCapacity(figures: Figures, checks: readonly Check[], machine: Machine): string {
  const { redis } = figures
  return [
    '# Capacity',
    '',
    'Written by `npm run bench:capacity -- --write`, which measures one gateway with one event loop and one Redis, and computes the rest (`bench/capacity/plan.ts`). ' +
      `Measured with Node ${machine.node} on ${machine.cores} cores that gateway, simulator, load and Redis share, so these figures are low rather than high. They are for planning: measure your own machines in the same way.`,
    '',
    '## Measured',
    '',
    ...table(
      ['', 'one gateway, one event loop'],
      [
        ['CPU of a small whole request (1 KB in, 0.7 KB out; keys, limits, metrics, log)', us(figures.cpuUsPerRequest)],
        ['the same with limits in Redis', us(redis.gatewayCpuUsPerRequest)],
        [
          'CPU of an event of a stream at 20 ms an event, begin and end of the stream included',
          us(figures.cpuUsPerEvent),
        ],
        ['bytes of an event', `${figures.bytesPerEvent.toFixed(0)}`],
        [
          'memory of an open stream; of the process',
          `${figures.kbPerStream.toFixed(1)} KB; ${figures.baseMb.toFixed(0)} MB`,
        ],
        [
          'calls of Redis a whole request, and its CPU for them',
          `${redis.callsPerRequest.toFixed(2)}; ${us(redis.cpuUsPerRequest)}`,
        ],
        [
          'calls of Redis a second of a kept stream (`streams.store: redis`, 50 events a second), and its CPU for them',
          `${redis.callsPerStreamSec.toFixed(1)}; ${us(redis.cpuUsPerStreamSec)}`,
        ],
      ],
    ),
    '',
    `## What a node carries`,
    '',
    `An event loop is one thread; a node has one for each core (\`server.threads\`). At most ${USABLE * 100} % of a core is planned for. Either column is all that a node does.`,
    '',
    ...table(
      [
        'cores',
        'whole requests a second',
        ...PACES.map((pace) => `streams of ${pace} events a second`),
        'memory with so many of the slower',
        'Mbit/s to clients',
      ],
      CORES.map((cores) => {
        const slow = { eventsPerSec: PACES.at(-1) ?? 1 }
        const streams = streamsOf(figures, cores, slow)
        return [
          `${cores}`,
          round(requestsPerSec(figures, cores)),
          ...PACES.map((eventsPerSec) => round(streamsOf(figures, cores, { eventsPerSec }))),
          `${round(memoryMb(figures, cores, streams))} MB`,
          round(megabits(figures, streams, slow)),
        ]
      }),
    ),
    '',
    `A stream takes ${DESCRIPTORS_H1} descriptors over HTTP/1.1 and ${DESCRIPTORS_H2.toFixed(2)} over HTTP/2 (\`providers.*.http2\`): raise \`ulimit -n\` to that times the streams, and 100. One address has 28,000 ports to one address of a provider by default (\`net.ipv4.ip_local_port_range\`): beyond that, HTTP/2 or several addresses. CPU is what ends first, then descriptors, then memory.`,
    '',
    '## What Redis carries',
    '',
    `All keys of a gateway have the hash tag \`{sluice}\`: they are in one slot, hence on one server of a cluster. One Redis has one thread for them.`,
    '',
    `- Limits of all nodes together: ${round(requestsOfOneRedis(figures))} requests a second. Beyond that, give groups of nodes a Redis each, with a share of the limits.`,
    `- Kept streams of all nodes together: ${round(streamsOfOneRedis(figures))} streams of 50 events a second at once. Clients that cannot come back need none: keep streams where they ask for it (\`streams.resume: ask\`).`,
    '',
    `## A million streams`,
    '',
    ...million(figures),
    '',
    `## Fifty nodes on one Redis cluster`,
    '',
    `A simulation with the measured times (\`simulateFleet\`): ${NODES} nodes send calls at random moments; limits are at one server; the frames of kept streams are spread over all servers by the id of the stream, as they would be if each had a hash tag of its own. With today's single tag, the row of one server holds. Waiting is for the server alone, without the network.`,
    '',
    ...fleet(figures),
    '',
    '## Checked',
    '',
    'Several gateways, with one Redis and an equal load each, on the same two cores. Predicted is that a request costs what it costs one gateway, and Redis as many calls and as much CPU.',
    '',
    ...table(
      ['processes', 'CPU of a request, gateway', 'of Redis', 'calls of Redis'],
      [
        [
          '1 (prediction)',
          us(redis.gatewayCpuUsPerRequest),
          us(redis.cpuUsPerRequest),
          redis.callsPerRequest.toFixed(2),
        ],
        ...checks.map((check) => [
          `${check.processes}`,
          `${us(check.gatewayCpuUsPerRequest)} (${times(check.gatewayCpuUsPerRequest, redis.gatewayCpuUsPerRequest)})`,
          `${us(check.redisCpuUsPerRequest)} (${times(check.redisCpuUsPerRequest, redis.cpuUsPerRequest)})`,
          `${check.callsPerRequest.toFixed(2)} (${times(check.callsPerRequest, redis.callsPerRequest)})`,
        ]),
      ],
    ),
    '',
    'More processes than cores take turns, so that each finds cold caches; Redis answers several calls of one wake-up together, the more the busier it is.',
    '',
  ].join('\n')
}

function million(figures: Figures): string[] {
  return table(
    ['', ...PACES.map((pace) => `${pace} events a second each`)],
    [
      [`nodes of ${FLEET_CORES} cores`, ...PACES.map((pace) => nodesFor(figures, pace).toLocaleString('en'))],
      ['streams of a node', ...PACES.map((pace) => round(MILLION / nodesFor(figures, pace)))],
      [
        'memory of a node',
        ...PACES.map((pace) => `${round(memoryMb(figures, FLEET_CORES, MILLION / nodesFor(figures, pace)))} MB`),
      ],
      [
        'descriptors of a node, HTTP/1.1; HTTP/2',
        ...PACES.map((pace) => {
          const streams = MILLION / nodesFor(figures, pace)
          return `${round(streams * DESCRIPTORS_H1)}; ${round(streams * DESCRIPTORS_H2)}`
        }),
      ],
      [
        'to all clients',
        ...PACES.map((eventsPerSec) => `${round(megabits(figures, MILLION, { eventsPerSec }) / 1000)} Gbit/s`),
      ],
      [
        'servers of Redis for the frames, if all are kept',
        ...PACES.map((pace) => Math.ceil((MILLION * pace) / 50 / streamsOfOneRedis(figures)).toLocaleString('en')),
      ],
    ],
  )
}

function nodesFor(figures: Figures, eventsPerSec: number): number {
  return Math.ceil(MILLION / streamsOf(figures, FLEET_CORES, { eventsPerSec }))
}

function fleet(figures: Figures): string[] {
  const rows = SHARDS.flatMap((shards) =>
    SHARES.map((share) => {
      // The server with the limits is the busiest: a third of its load is theirs.
      const limits = (requestsOfOneRedis(figures) / USABLE) * (share / 3)
      const kept = Math.floor((streamsOfOneRedis(figures) / USABLE) * ((share * 2) / 3) * shards)
      const plan = {
        nodes: NODES,
        shards,
        requestsPerSec: limits,
        keptStreams: kept,
        seconds: FLEET_SEC,
        random: generator(),
      }
      const seen = simulateFleet(figures, plan)
      return [
        `${shards}`,
        round(limits),
        round(kept),
        `${(seen.limits.busyShare * 100).toFixed(0)} %`,
        `${seen.limits.p50Ms.toFixed(2)}; ${seen.limits.p99Ms.toFixed(2)} ms`,
        `${seen.streams.p50Ms.toFixed(2)}; ${seen.streams.p99Ms.toFixed(2)} ms`,
      ]
    }),
  )
  return table(
    [
      'servers',
      'requests a second',
      'kept streams at once',
      'the busiest server',
      'a limit waits, p50; p99',
      'frames wait, p50; p99',
    ],
    rows,
  )
}

function generator(): () => number {
  let state = 1
  return () => {
    state = (state * MULTIPLIER) % MODULUS
    return state / MODULUS
  }
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '--:'))), ...rows.map(line)]
}

function us(value: number): string {
  return `${value.toFixed(1)} us`
}

/** Two digits that count: no more is known. */
function round(value: number): string {
  const step = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(value, 1))) - 1)
  return (Math.round(value / step) * step).toLocaleString('en')
}

function times(value: number, predicted: number): string {
  return `${(value / predicted).toFixed(2)} x`
}
