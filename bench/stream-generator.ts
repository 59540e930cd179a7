// The native SSE load generator, a process of its own: keeps N streams open over raw sockets until it has run M, and tells
// events, time to the first content, gaps between events, and a hash of each distinct body. autocannon knows none of these.
// Takes one line of JSON (StreamJob) and prints one (StreamReport).
import { createHash } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { AnswerReader } from './answer-reader.js'
import { rawRequest } from './raw-request.js'
import { quantile, type StreamJob, type StreamReport } from './stats.js'

/** What a provider makes anew for each answer, in the bytes that are compared. */
const OWN_TO_AN_ANSWER = /"(?:id|item_id|created|created_at|completed_at)":(?:"[^"]*"|\d+)/g

class Load {
  readonly job: StreamJob
  readonly request: Buffer
  readonly #target: URL
  readonly #onDone: (report: StreamReport) => void
  readonly #startedAtMs = performance.now()
  readonly #firstMs: number[] = []
  readonly #gapsMs: number[] = []
  readonly #hashes = new Set<string>()
  #started = 0
  #finished = 0
  #failed = 0
  #events = 0

  constructor(job: StreamJob, onDone: (report: StreamReport) => void) {
    this.job = job
    this.request = rawRequest(job)
    this.#target = new URL(job.origin)
    this.#onDone = onDone
    const lines = Math.min(job.concurrency, job.streams)
    for (let i = 0; i < lines; i++) {
      if (job.rampMs === 0) new Line(this)
      else setTimeout(() => new Line(this), (i * job.rampMs) / lines)
    }
  }

  connect(): Socket {
    return connect(Number(this.#target.port), this.#target.hostname).setNoDelay(true)
  }

  /** May another stream begin? */
  takeStream(): boolean {
    if (this.#started === this.job.streams) return false
    this.#started += 1
    return true
  }

  get hasStreams(): boolean {
    return this.#started < this.job.streams
  }

  first(tookMs: number): void {
    this.#firstMs.push(tookMs)
  }

  gap(tookMs: number): void {
    this.#gapsMs.push(tookMs)
  }

  ended(reader: AnswerReader | null): void {
    this.#finished += 1
    this.#events += reader?.events ?? 0
    if (reader === null || !this.#isWhole(reader)) this.#failed += 1
    else if (this.job.hash) this.#hashes.add(hashOf(reader.payload))
    if (this.#finished === this.job.streams) this.#report()
  }

  #isWhole({ status, isBroken, events, tail }: AnswerReader): boolean {
    return status === 200 && !isBroken && events >= this.job.minEvents && tail.includes(this.job.end)
  }

  #report(): void {
    const sortedFirst = this.#firstMs.sort((a, b) => a - b)
    const sortedGaps = this.#gapsMs.sort((a, b) => a - b)
    this.#onDone({
      streams: this.#finished,
      failed: this.#failed,
      events: this.#events,
      seconds: (performance.now() - this.#startedAtMs) / 1000,
      firstMs: { p50: quantile(sortedFirst, 0.5), p99: quantile(sortedFirst, 0.99) },
      gapMs: { p50: quantile(sortedGaps, 0.5), p99: quantile(sortedGaps, 0.99) },
      hashes: [...this.#hashes].sort(),
    })
  }
}

function hashOf(payload: Buffer): string {
  return createHash('sha256').update(payload.toString('latin1').replace(OWN_TO_AN_ANSWER, '')).digest('hex')
}

/** One keep-alive connection that runs one stream after the other. */
class Line {
  readonly #load: Load
  readonly #socket: Socket
  readonly #reader: AnswerReader
  #sentAt = 0
  #lastAt = 0
  #isOpen = false

  constructor(load: Load) {
    this.#load = load
    this.#reader = new AnswerReader({ marker: load.job.marker, keeps: load.job.hash })
    this.#socket = load.connect()
    this.#socket.on('data', (chunk: Buffer) => this.#onChunk(chunk))
    this.#socket.on('error', () => undefined)
    this.#socket.on('close', () => this.#onClose())
    this.#next()
  }

  #next(): void {
    if (!this.#load.takeStream()) {
      this.#socket.end()
      return
    }
    this.#reader.begin()
    this.#isOpen = true
    this.#lastAt = 0
    this.#sentAt = performance.now()
    this.#socket.write(this.#load.request)
  }

  #onChunk(chunk: Buffer): void {
    const count = this.#reader.push(chunk)
    if (count > 0) this.#onEvents(chunk)
    if (this.#reader.isOver && this.#isOpen) this.#onEnd()
  }

  #onEvents(chunk: Buffer): void {
    const now = performance.now()
    // Frames that only announce an answer may be held back: content is what a client waits for.
    if (this.#lastAt === 0 && !chunk.includes(this.#load.job.contentMarker)) return
    if (this.#lastAt === 0) this.#load.first(now - this.#sentAt)
    else this.#load.gap(now - this.#lastAt)
    this.#lastAt = now
  }

  #onEnd(): void {
    this.#isOpen = false
    this.#load.ended(this.#reader)
    if (this.#reader.isLast) this.#socket.end()
    else this.#next()
  }

  #onClose(): void {
    if (this.#isOpen) {
      this.#isOpen = false
      this.#load.ended(null)
    }
    // A server may close after an answer: the rest goes over a new connection.
    if (this.#load.hasStreams) new Line(this.#load)
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const report = await new Promise<StreamReport>((resolve) => void new Load(JSON.parse(line) as StreamJob, resolve))
  process.stdout.write(`${JSON.stringify(report)}\n`)
}
