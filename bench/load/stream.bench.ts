// S3: what does a streamed event cost that passes through in its own protocol? Streams of 100 and 1,000 events, unpaced, for
// CPU; a paced one for the time to the first event and the gaps. The load comes from our own generator; bodies are hashed.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { type Contender } from '../contenders.js'
import { cpuMs, type StreamReport } from '../stats.js'

export type StreamSample = {
  readonly cpuUsPerEvent: number
  readonly eventsPerSec: number
  readonly firstP50Ms: number
  readonly firstP99Ms: number
  readonly gapP99Ms: number
  readonly hashes: readonly string[]
}

export type StreamLoad = {
  readonly events: number
  readonly streams: number
  readonly concurrency: number
  readonly hash: boolean
}

const GENERATOR = fileURLToPath(new URL('../stream-generator.js', import.meta.url))

/** @throws when any stream failed */
export async function runStreams(contender: Contender, load: StreamLoad): Promise<StreamSample> {
  const body = JSON.stringify({
    model: contender.model('lorem'),
    stream: true,
    // Asked for by the client, so that no frame has to be taken out and the bytes can be compared with the upstream's.
    stream_options: { include_usage: true },
    max_tokens: load.events,
    messages: [{ role: 'user', content: 'Tell me.' }],
  })
  const { streams, concurrency, hash } = load
  const job = {
    origin: contender.origin,
    path: '/v1/chat/completions',
    headers: contender.headers,
    body,
    streams,
    concurrency,
    hash,
  }
  const before = cpuMs(contender.pid)
  const report = await generate(job)
  const cpu = cpuMs(contender.pid) - before
  if (report.failed > 0) throw new Error(`${contender.name}: ${report.failed} of ${report.streams} streams failed`)
  return {
    cpuUsPerEvent: (cpu * 1000) / report.events,
    eventsPerSec: report.events / report.seconds,
    firstP50Ms: report.firstMs.p50,
    firstP99Ms: report.firstMs.p99,
    gapP99Ms: report.gapMs.p99,
    hashes: report.hashes,
  }
}

function generate(job: object): Promise<StreamReport> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [GENERATOR, JSON.stringify(job)], { stdio: ['ignore', 'pipe', 'inherit'] })
    let out = ''
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString()
    })
    child.once('error', reject)
    child.once('close', (code) => {
      if (code === 0) resolve(JSON.parse(out) as StreamReport)
      else reject(new Error(`stream generator ended with ${code}`))
    })
  })
}
