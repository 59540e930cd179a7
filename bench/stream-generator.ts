// The native SSE load generator, a process of its own: keeps N streams open over raw sockets until it has run M, and tells
// events, bytes, time to first event, gaps between events, and a hash of each distinct body. autocannon knows none of these.
// Run: node dist/bench/stream-generator.js '{"origin","path","headers","body","streams","concurrency","hash"}'
import { createHash } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { quantile, type StreamReport } from './stats.js'

type Job = {
  readonly origin: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly streams: number
  readonly concurrency: number
  /** Check each body against the others; costs CPU of this process. */
  readonly hash: boolean
}

const job = JSON.parse(process.argv[2] ?? '{}') as Job
const target = new URL(job.origin)
const request = [
  `POST ${job.path} HTTP/1.1`,
  `host: ${target.host}`,
  'content-type: application/json',
  `content-length: ${Buffer.byteLength(job.body)}`,
  ...Object.entries(job.headers).map(([name, value]) => `${name}: ${value}`),
  '',
  job.body,
].join('\r\n')

let started = 0
let finished = 0
let failed = 0
let events = 0
let bytes = 0
const firstMs: number[] = []
const gapsMs: number[] = []
const hashes = new Set<string>()
const startedAt = performance.now()
const END_OF_CHUNKS = Buffer.from('0\r\n\r\n')
const END_OF_HEAD = Buffer.from('\r\n\r\n')
const EVENT = Buffer.from('data: ')

/** One keep-alive connection that runs one stream after the other. */
class Line {
  readonly #socket: Socket
  #sentAt = 0
  #lastAt = 0
  #isHead = true
  #isOk = false
  #isLast = false
  #chunks: Buffer[] = []
  #tail = Buffer.alloc(0)

  constructor() {
    this.#socket = connect(Number(target.port), target.hostname)
    this.#socket.setNoDelay(true)
    this.#socket.on('data', (chunk: Buffer) => this.#onChunk(chunk))
    this.#socket.on('error', () => undefined)
    this.#socket.on('close', () => this.#onClose())
    this.#next()
  }

  #next(): void {
    if (started === job.streams) {
      this.#socket.end()
      return
    }
    started += 1
    this.#isHead = true
    this.#isOk = false
    this.#chunks = []
    this.#tail = Buffer.alloc(0)
    this.#sentAt = performance.now()
    this.#lastAt = 0
    this.#socket.write(request)
  }

  #onChunk(chunk: Buffer): void {
    const now = performance.now()
    bytes += chunk.length
    let body = chunk
    if (this.#isHead) {
      const head = Buffer.concat([this.#tail, chunk])
      this.#tail = head
      const end = head.indexOf(END_OF_HEAD)
      if (end < 0) return
      this.#isOk = head.subarray(0, 15).toString().startsWith('HTTP/1.1 200')
      this.#isHead = false
      this.#isLast = /^connection: close\r$/im.test(head.subarray(0, end + 2).toString('latin1'))
      this.#tail = Buffer.alloc(0)
      body = head.subarray(end + END_OF_HEAD.length)
    }
    this.#count(body, now)
    if (job.hash) this.#chunks.push(body)
    this.#tail = Buffer.concat([this.#tail.subarray(-END_OF_CHUNKS.length), body.subarray(-END_OF_CHUNKS.length)])
    if (this.#tail.subarray(-END_OF_CHUNKS.length).equals(END_OF_CHUNKS)) this.#onEnd()
  }

  #count(body: Buffer, now: number): void {
    const before = events
    for (let at = body.indexOf(EVENT); at >= 0; at = body.indexOf(EVENT, at + EVENT.length)) events += 1
    if (events === before) return
    if (this.#lastAt === 0) firstMs.push(now - this.#sentAt)
    else gapsMs.push(now - this.#lastAt)
    this.#lastAt = now
  }

  #onEnd(): void {
    finished += 1
    if (!this.#isOk) failed += 1
    if (job.hash)
      hashes.add(
        createHash('sha256')
          .update(unchunk(Buffer.concat(this.#chunks)))
          .digest('hex'),
      )
    this.#sentAt = 0
    if (this.#isLast) this.#socket.end()
    else this.#next()
    report()
  }

  #onClose(): void {
    if (this.#sentAt !== 0) {
      finished += 1
      failed += 1
      this.#sentAt = 0
    }
    // A server may close after an answer: the rest goes over a new connection.
    if (started < job.streams) new Line()
    report()
  }
}

/** Payload of a chunked body; throws on a framing error. */
function unchunk(body: Buffer): Buffer {
  const parts: Buffer[] = []
  let at = 0
  for (;;) {
    const end = body.indexOf('\r\n', at)
    const size = Number.parseInt(body.subarray(at, end).toString(), 16)
    if (end < 0 || Number.isNaN(size)) throw new Error('chunked framing broken')
    if (size === 0) return Buffer.concat(parts)
    parts.push(body.subarray(end + 2, end + 2 + size))
    at = end + 2 + size + 2
  }
}

function report(): void {
  if (finished < job.streams) return
  const sortedFirst = firstMs.sort((a, b) => a - b)
  const sortedGaps = gapsMs.sort((a, b) => a - b)
  const out: StreamReport = {
    streams: finished,
    failed,
    events,
    bytes,
    seconds: (performance.now() - startedAt) / 1000,
    firstMs: { p50: quantile(sortedFirst, 0.5), p99: quantile(sortedFirst, 0.99) },
    gapMs: { p50: quantile(sortedGaps, 0.5), p99: quantile(sortedGaps, 0.99) },
    hashes: [...hashes],
  }
  finished = -1
  process.stdout.write(`${JSON.stringify(out)}\n`)
}

for (let i = 0; i < Math.min(job.concurrency, job.streams); i++) new Line()
