// Load that does not wait for answers: so many requests a second, whatever becomes of them, as real clients come. Closed loops
// such as autocannon's slow down with the server and so never overload it.
import { connect, type Socket } from 'node:net'
import { AnswerReader } from './answer-reader.js'
import { rawRequest } from './raw-request.js'

export type OpenLoad = {
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body: string
  readonly perSec: number
  readonly seconds: number
}

export type OpenReport = {
  readonly sent: number
  /** Whole answers a second, over the time in which requests were sent. */
  readonly goodputPerSec: number
  readonly refused: number
  /** Neither 200 nor 429 nor 503. */
  readonly failed: number
  /** From sending to the whole answer, in ms. */
  readonly servedMs: readonly number[]
  readonly refusedMs: readonly number[]
}

const TICK_MS = 10

/** Sends at an even pace and waits for the last answer. Raw sockets: the load must cost less than what it loads. */
export async function runOpenLoad(load: OpenLoad): Promise<OpenReport> {
  const run = new Run(load)
  const startMs = performance.now()
  const endMs = startMs + load.seconds * 1000
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      const nowMs = performance.now()
      run.sendUpTo(Math.floor((Math.min(nowMs, endMs) - startMs) * (load.perSec / 1000)))
      if (nowMs < endMs) return
      clearInterval(timer)
      resolve()
    }, TICK_MS)
  })
  return run.finish(endMs)
}

type Answered = { readonly status: number; readonly tookMs: number; readonly atMs: number }

/** One load with its connections: an idle one is used again, else another is opened. */
class Run {
  readonly #load: OpenLoad
  readonly #port: number
  readonly #request: Buffer
  readonly #idle: Socket[] = []
  readonly #sockets = new Set<Socket>()
  readonly #answers: Answered[] = []
  #sent = 0
  #open = 0
  #onDone: () => void = () => {}

  constructor(load: OpenLoad) {
    const { origin, port, pathname } = new URL(load.url)
    this.#load = load
    this.#port = Number(port)
    this.#request = rawRequest({ origin, path: pathname, headers: load.headers ?? {}, body: load.body })
  }

  sendUpTo(count: number): void {
    for (; this.#sent < count; this.#sent++) this.#ask(this.#idle.pop() ?? this.#connect())
  }

  async finish(endMs: number): Promise<OpenReport> {
    if (this.#open > 0) {
      await new Promise<void>((resolve) => {
        this.#onDone = resolve
      })
    }
    for (const socket of this.#sockets) socket.destroy()
    const served = this.#answers.filter(({ status }) => status === 200)
    const refused = this.#answers.filter(({ status }) => status === 503 || status === 429)
    const inTime = served.filter(({ atMs }) => atMs <= endMs).length
    return {
      ...{ sent: this.#sent, goodputPerSec: inTime / this.#load.seconds, refused: refused.length },
      failed: this.#answers.length - served.length - refused.length,
      servedMs: served.map(({ tookMs }) => tookMs),
      refusedMs: refused.map(({ tookMs }) => tookMs),
    }
  }

  #connect(): Socket {
    const socket = connect(this.#port, '127.0.0.1')
    socket.setNoDelay(true)
    this.#sockets.add(socket)
    return socket
  }

  #ask(socket: Socket): void {
    this.#open += 1
    const sentMs = performance.now()
    const reader = new AnswerReader({ marker: 'data: ' })
    const settle = (isWhole: boolean): void => {
      socket.removeAllListeners()
      socket.on('error', () => {})
      if (isWhole && !reader.isLast) this.#idle.push(socket)
      else socket.destroy()
      const atMs = performance.now()
      this.#answers.push({ status: isWhole ? reader.status : 0, tookMs: atMs - sentMs, atMs })
      this.#open -= 1
      if (this.#open === 0) this.#onDone()
    }
    socket.on('data', (chunk: Buffer) => {
      reader.push(chunk)
      if (reader.isOver) settle(true)
    })
    socket.on('error', () => settle(false))
    socket.on('close', () => settle(false))
    socket.write(this.#request)
  }
}

/** A quantile of unsorted numbers; 0 for none. */
export function quantileOf(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0
}
