// What does it take to keep a frame? One frame a tick from the log of an exchange to a reader: straight, through a kept stream, and with
// its number in it. In streams of 100 and of 1,000 frames: the difference is what a stream takes of itself.
import { cpus } from 'node:os'
import { createMemoryCells, MemoryBudget } from '../../src/limit/local/memory-budget.js'
import { NO_USAGE } from '../../src/model/usage.js'
import { type Sink } from '../../src/pipeline/sink.js'
import { createKeeping } from '../../src/server/kept/kept-sink.js'
import { LinkTokens } from '../../src/streams/access/link-token.js'
import { KeptStreams } from '../../src/streams/kept/registry.js'
import { StreamLog } from '../../src/streams/log.js'
import { type FrameReader, type StreamEnd } from '../../src/streams/reader.js'

const FRAME = Buffer.from(
  'data: {"id":"chatcmpl-0000000000000001","object":"chat.completion.chunk","created":1763712000,"model":"large","service_tier":"default","system_fingerprint":"fp_1","choices":[{"index":0,"delta":{"content":" consectetur"},"logprobs":null,"finish_reason":null}]}\n\n',
)
const END: StreamEnd = { outcome: 'complete', error: null, usage: NO_USAGE, usageSource: 'provider' }
const HEAD = { headers: [], contentType: 'text/event-stream', transport: 'sse' } as const
const FORMAT = { keepaliveFrame: ': ping\n', encodeErrorFrame: () => '' }
const KEY = { index: 0, name: 'bench', owner: 'bench' }
const MIB = 1024 * 1024
const ROUNDS = 9
const FRAMES_A_ROUND = 400_000

const streams = new KeptStreams({
  loopIndex: 0,
  timers: { nowMs: () => performance.now(), after: startTimer },
  counters: { keptStreams: nothing, streamNotKept: nothing, streamReader: nothing },
})
const budget = new MemoryBudget(createMemoryCells(1), {
  ...{ use: 'kept', caps: { maxBytes: 64 * MIB, maxBytesPerKey: 64 * MIB, requestBytes: 4 * MIB }, keyPlaces: [0] },
  ...{ onChange: nothing, onRejected: nothing },
})
const keeping = createKeeping(streams, {
  ...{ resume: 'always', graceMs: 5000, keepMs: 300_000, maxStreamBytes: 4 * MIB, maxLagBytes: MIB },
  reserve: ({ index }) => budget.open(index),
  links: new LinkTokens({ secret: 'a secret of the bench', owners: ['bench'], nowMs: Date.now }),
})
const seen = { bytes: 0 }

/** Takes all at once. */
class ClientSink implements Sink {
  readonly transport = 'sse'
  begin(): void {}
  keepalive(): void {}
  reply(): void {}
  follow(attach: (onReadable: () => void) => FrameReader): void {
    const reader = attach(() => {
      for (let frame = reader.read(); frame !== null; frame = reader.read()) seen.bytes += frame.length
      if (reader.end() !== null) reader.detach()
    })
  }
}

async function runStream(wrap: (sink: Sink) => Sink, frames: number): Promise<void> {
  const log = new StreamLog({ capBytes: MIB, retainBytes: 0 }, nothing)
  const sink = wrap(new ClientSink())
  sink.begin(HEAD, FORMAT)
  sink.follow((onReadable) => log.attach(onReadable), nothing)
  for (let i = 0; i < frames; i++) {
    log.append(FRAME)
    await null
  }
  log.close(END)
  await new Promise((resolve) => setImmediate(resolve))
}

const WAYS: Readonly<Record<string, (sink: Sink) => Sink>> = {
  straight: (sink) => sink,
  kept: (sink) => keeping.keep(sink, { key: KEY, surfaceId: 's', requestId: 'r', hasIds: false }),
  'kept, with numbers': (sink) => keeping.keep(sink, { key: KEY, surfaceId: 's', requestId: 'r', hasIds: true }),
}

for (const frames of [100, 1000]) {
  const samples = new Map(Object.keys(WAYS).map((name) => [name, [] as number[]]))
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [name, wrap] of Object.entries(WAYS)) {
      const before = process.cpuUsage()
      for (let left = FRAMES_A_ROUND / frames; left > 0; left--) await runStream(wrap, frames)
      const { user, system } = process.cpuUsage(before)
      if (round > 0) samples.get(name)?.push(((user + system) * 1000) / FRAMES_A_ROUND)
    }
  }
  process.stdout.write(`streams of ${frames} frames, ${cpus()[0]?.model ?? 'unknown CPU'}, Node ${process.version}\n`)
  for (const [name, all] of samples) {
    const sorted = all.sort((a, b) => a - b)
    const [median = 0, least = 0, most = 0] = [sorted[ROUNDS >> 1], sorted[0], sorted.at(-1)]
    const spread = `(${least.toFixed(0)} .. ${most.toFixed(0)})`
    process.stdout.write(`${name.padEnd(20)} ${median.toFixed(0).padStart(6)} ns CPU a frame   ${spread}\n`)
  }
}

function startTimer(delayMs: number, act: () => void): () => void {
  const timer = setTimeout(act, delayMs)
  timer.unref()
  return () => clearTimeout(timer)
}

function nothing(): void {}
