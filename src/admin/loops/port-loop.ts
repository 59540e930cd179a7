// Another event loop as the admin API asks it, over a port. One that does not answer in time is busy or stuck: the call fails then, and
// the API answers without it.
import { type MessagePort } from 'node:worker_threads'
import { GatewayError } from '../../errors.js'
import { type SeenEnd } from '../../pipeline/outside-view.js'
import { type AdminLoop, type LoopCalls, type StreamEntry, type WatchedStream } from './loop-calls.js'
import { type FromLoop, type ToLoop } from './messages.js'

/** Far more than a loop takes that is not stuck. */
const ANSWER_MS = 3000

type Waiting = {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: GatewayError) => void
  readonly timer: NodeJS.Timeout
}

export class PortLoop implements AdminLoop {
  readonly #port: MessagePort
  readonly #answerMs: number
  readonly #waiting = new Map<number, Waiting>()
  readonly #watches = new Map<number, PortWatch>()
  #count = 0
  #isClosed = false

  /** `answerMs`: how long an answer may take. */
  constructor(port: MessagePort, answerMs = ANSWER_MS) {
    this.#port = port
    this.#answerMs = answerMs
    port.on('message', (message: FromLoop) => this.#take(message))
    port.once('close', () => this.#lose())
    port.unref()
  }

  /** The loop has ended, and with it the process will. */
  get isClosed(): boolean {
    return this.#isClosed
  }

  async call<Name extends keyof LoopCalls>(
    name: Name,
    args: Parameters<LoopCalls[Name]>,
  ): Promise<ReturnType<LoopCalls[Name]>> {
    const value = await this.#ask((n) => ({ type: 'call', n, name, args }))
    return value as ReturnType<LoopCalls[Name]>
  }

  async watch(id: string, onReadable: () => void): Promise<WatchedStream | null> {
    const watch = new PortWatch(onReadable, (message) => this.#port.postMessage(message))
    const entry = (await this.#ask((n) => {
      watch.n = n
      this.#watches.set(n, watch)
      return { type: 'watch', n, id }
    }).catch((thrown: unknown) => {
      watch.detach()
      throw thrown
    })) as StreamEntry | null
    if (entry === null) {
      this.#watches.delete(watch.n)
      return null
    }
    watch.entry = entry
    watch.onOver = () => this.#watches.delete(watch.n)
    return watch as WatchedStream
  }

  #ask(message: (n: number) => ToLoop): Promise<unknown> {
    if (this.#isClosed) return Promise.reject(silent())
    this.#count += 1
    const n = this.#count
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(n)
        reject(silent())
      }, this.#answerMs)
      timer.unref()
      this.#waiting.set(n, { resolve, reject, timer })
      this.#port.postMessage(message(n))
    })
  }

  #take(message: FromLoop): void {
    const { n } = message
    switch (message.type) {
      case 'value':
        this.#settle(n)?.resolve(message.value)
        return
      case 'failed':
        this.#settle(n)?.reject(GatewayError.of(message.error))
        return
      case 'watching':
        this.#settle(n)?.resolve(message.entry)
        return
      case 'frames':
        this.#watches.get(n)?.push(message.bytes)
        return
      case 'cut':
        this.#watches.get(n)?.cut()
        return
      case 'end':
        this.#watches.get(n)?.finish(message.end)
    }
  }

  #settle(n: number): Waiting | undefined {
    const waiting = this.#waiting.get(n)
    this.#waiting.delete(n)
    if (waiting !== undefined) clearTimeout(waiting.timer)
    return waiting
  }

  #lose(): void {
    this.#isClosed = true
    for (const n of [...this.#waiting.keys()]) this.#settle(n)?.reject(silent())
    for (const watch of [...this.#watches.values()]) watch.cut()
  }
}

/** What has come and was not read; the other side sends no more than its window. */
class PortWatch {
  readonly #onReadable: () => void
  readonly #send: (message: ToLoop) => void
  readonly #frames: Uint8Array[] = []
  n = 0
  entry: StreamEntry | null = null
  isCut = false
  #end: SeenEnd | null = null
  #isLeft = false
  onOver: (() => void) | null = null

  constructor(onReadable: () => void, send: (message: ToLoop) => void) {
    this.#onReadable = onReadable
    this.#send = send
  }

  get end(): SeenEnd | null {
    return this.#end
  }

  read(): Uint8Array | null {
    const frames = this.#frames.shift() ?? null
    if (frames !== null && this.#end === null) this.#send({ type: 'took', n: this.n, bytes: frames.length })
    return frames
  }

  detach(): void {
    if (this.#isLeft) return
    this.#isLeft = true
    this.#send({ type: 'unwatch', n: this.n })
    this.onOver?.()
  }

  push(bytes: Uint8Array): void {
    this.#frames.push(bytes)
    this.#onReadable()
  }

  cut(): void {
    this.isCut = true
    this.#onReadable()
  }

  finish(end: SeenEnd): void {
    this.#end = end
    this.#onReadable()
  }
}

function silent(): GatewayError {
  return new GatewayError('overloaded', {
    message: 'An event loop of the gateway does not answer.',
    retryAfterMs: 1000,
  })
}
