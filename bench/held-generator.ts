// Opens streams and keeps them, in a process of its own. Takes lines of JSON (HeldCommand), answers each with one (HeldReport):
// opens more, lets some stop reading, or watches the gaps of those that read for a while.
import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { AnswerReader } from './answer-reader.js'
import { rawRequest } from './raw-request.js'
import { type HeldCommand, type HeldReport, quantile } from './stats.js'

/** Connections that are being made at once; more would overrun a listener's queue. */
const OPENING_AT_ONCE = 800

class Held {
  readonly socket: Socket
  readonly #reader: AnswerReader
  #lastAtMs = 0
  isOver = false
  isStalled = false
  onContent: () => void = () => undefined

  constructor(port: number, request: Buffer, marker: string) {
    this.#reader = new AnswerReader({ marker })
    this.socket = connect(port, '127.0.0.1').setNoDelay(true)
    this.socket.on('data', (chunk: Buffer) => this.#onData(chunk))
    this.socket.on('error', () => undefined)
    this.socket.on('close', () => this.#onOver())
    this.socket.write(request)
  }

  #onData(chunk: Buffer): void {
    const count = this.#reader.push(chunk)
    if (this.#reader.isOver) this.#onOver()
    if (count === 0) return
    const now = performance.now()
    if (this.#lastAtMs > 0 && watched !== null) watched.push(now - this.#lastAtMs)
    this.#lastAtMs = now
    this.onContent()
  }

  #onOver(): void {
    this.isOver = true
    this.onContent()
  }

  stall(): void {
    this.isStalled = true
    this.socket.pause()
  }
}

const held: Held[] = []
/** Gaps while somebody wants to know. */
let watched: number[] | null = null

async function open(command: Extract<HeldCommand, { open: number }>): Promise<void> {
  const request = rawRequest(command.request)
  const port = Number(new URL(command.request.origin).port)
  let left = command.open
  const openOne = async (): Promise<void> => {
    for (; left > 0; ) {
      left -= 1
      const one = new Held(port, request, command.request.marker)
      held.push(one)
      await new Promise<void>((resolve) => {
        one.onContent = resolve
      })
      if (command.isStalled === true) one.stall()
    }
  }
  await Promise.all(Array.from({ length: OPENING_AT_ONCE }, openOne))
}

async function watch(ms: number): Promise<number[]> {
  watched = []
  await new Promise((resolve) => setTimeout(resolve, ms))
  const gaps = watched.sort((a, b) => a - b)
  watched = null
  return gaps
}

function report(gaps: readonly number[]): HeldReport {
  return {
    held: held.filter(({ isOver }) => !isOver).length,
    over: held.filter(({ isOver }) => isOver).length,
    gaps: gaps.length,
    gapMs: { p50: quantile(gaps, 0.5), p99: quantile(gaps, 0.99) },
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line) as HeldCommand
  let gaps: number[] = []
  if ('open' in command) await open(command)
  else gaps = await watch(command.watchMs)
  process.stdout.write(`${JSON.stringify(report(gaps))}\n`)
}
process.exit(0)
