// Plays one stream to one reply: at once, in writes as large as the engine takes, or one token at a time by the shared ticker.
// Injects the faults within a stream. A peer that does not read delays only its own stream.
import { type Fault, frameOf } from './faults.js'
import { type Reply } from './reply.js'
import { type Task, type Ticker } from './ticker.js'
import { type SimWire, type StreamScript } from './wires/wire.js'

export type PlayerOptions = {
  readonly wire: SimWire
  readonly script: StreamScript
  readonly reply: Reply
  readonly ticker: Ticker
  /** The mean time between tokens; null plays at once. */
  readonly gapMs: number | null
  /** Where in UNEVEN the stream begins; null for an even pace. */
  readonly unevenFrom: number | null
  readonly fault: Fault | null
  /** The stream is over, however it ended. */
  readonly onOver: () => void
}

/**
 * Times between tokens to their mean, which is 1: as providers send, two or three tokens at a time, then a pause. Prime in number, so
 * that streams that begin at different places do not fall into step.
 */
export const UNEVEN = [0.1, 0.1, 2.4, 0.9, 0.1, 1.6, 1, 0.1, 0.1, 0.1, 3.6, 1.1, 1.8]

/** Text collected before one write of an unpaced stream. */
const BATCH_CHARS = 10 * 1024
/** Without a pause, a drip would play a whole stream in one turn. */
const MIN_DRIP_MS = 0.1
/** Writes of an unpaced stream before it yields to the event loop. */
const WRITES_A_TURN = 64

/** One stream. Call `start` once, and `resume` when the reply has drained. */
export class Player implements Task {
  readonly #options: PlayerOptions
  readonly #fault: Fault | null
  readonly #faultFrame: number
  readonly #dripMs: number | null
  dueMs = 0
  #gaps = 0
  /** Token frames sent. */
  #frames = 0
  #stage: 'open' | 'steps' | 'close' | 'end' | 'over' = 'open'
  #isStalled = false
  /** Bytes of a drip that are not sent yet. */
  #dripping: Buffer = Buffer.alloc(0)

  constructor(options: PlayerOptions) {
    this.#options = options
    this.#fault = options.fault
    this.#faultFrame = options.fault === null ? -1 : frameOf(options.fault)
    this.#dripMs = options.fault?.name === 'drip' ? (options.fault.numbers[0] ?? 1) : null
  }

  start(): void {
    const { gapMs, ticker } = this.#options
    if (this.#fault?.name === 'cut-after-head') {
      this.#send(this.#options.wire.silence)
      this.#cut()
    } else if (gapMs === null && this.#dripMs === null) this.#playAtOnce()
    else {
      const opening = this.#next()
      if (this.#dripMs !== null) this.#dripping = Buffer.from(opening)
      else this.#send(opening)
      this.#wait(ticker.now() + (this.#dripMs ?? this.#nextGapMs()))
    }
  }

  /** The peer reads again. */
  resume(): void {
    if (this.#options.gapMs === null && this.#dripMs === null) this.#playAtOnce()
  }

  /** The peer is gone. */
  abort(): void {
    this.#over()
  }

  /** Called by the ticker when due: sends every token that is due by now. */
  run(nowMs: number): void {
    if (this.#dripMs !== null) this.#drip(nowMs, this.#dripMs)
    else this.#playPaced(nowMs)
  }

  #playPaced(nowMs: number): void {
    if (!this.#isPlaying()) return
    if (this.#options.reply.isBlocked) {
      this.#wait(nowMs + (this.#options.gapMs ?? 0))
      return
    }
    let dueMs = this.dueMs
    let text = ''
    for (; dueMs <= nowMs && this.#stage === 'steps' && !this.#isStalled; dueMs += this.#nextGapMs()) {
      text += this.#next(text)
    }
    this.#send(text)
    // The frames after the last token are sent without a pause.
    if (this.#stage === 'close') this.#playAtOnce()
    else this.#wait(dueMs)
  }

  #nextGapMs(): number {
    const { gapMs, unevenFrom } = this.#options
    if (gapMs === null || unevenFrom === null) return gapMs ?? 0
    this.#gaps += 1
    return gapMs * (UNEVEN[(unevenFrom + this.#gaps) % UNEVEN.length] ?? 1)
  }

  #wait(dueMs: number): void {
    if (this.#isPlaying()) this.#options.ticker.add(this, dueMs)
  }

  #playAtOnce(): void {
    for (let writes = 0; writes < WRITES_A_TURN; writes++) {
      if (this.#fault === null) this.#sendFrames()
      else this.#sendBatch()
      if (!this.#isPlaying() || this.#options.reply.isBlocked) return
    }
    setImmediate(() => {
      if (!this.#options.reply.isBlocked) this.#playAtOnce()
    })
  }

  /** As vendors send: each frame is a separate HTTP chunk, many of them in one write to the socket. */
  #sendFrames(): void {
    const frames: Buffer[] = []
    for (let chars = 0; chars < BATCH_CHARS && this.#isPlaying(); ) {
      const frame = this.#next()
      chars += frame.length
      if (frame !== '') frames.push(Buffer.from(frame))
    }
    this.#options.reply.writeEach(frames)
    if (this.#stage === 'over') this.#options.reply.end()
  }

  /** All frames as one text, so that a fault can cut it anywhere. */
  #sendBatch(): void {
    let batch = ''
    while (batch.length < BATCH_CHARS && this.#isPlaying()) batch += this.#next(batch)
    this.#send(batch)
  }

  /** Writes each byte that is due separately. */
  #drip(nowMs: number, everyMs: number): void {
    const { reply, ticker } = this.#options
    for (let dueMs = this.dueMs; dueMs <= nowMs && !reply.isOver; dueMs += Math.max(everyMs, MIN_DRIP_MS)) {
      if (this.#dripping.length === 0 && this.#isPlaying()) this.#dripping = Buffer.from(this.#next())
      reply.write(this.#dripping.subarray(0, 1))
      this.#dripping = this.#dripping.subarray(1)
      if (this.#dripping.length === 0 && this.#stage === 'over') reply.end()
    }
    if (!reply.isOver) ticker.add(this, nowMs + everyMs)
  }

  #isPlaying(): boolean {
    return this.#stage !== 'over' && !this.#isStalled
  }

  #send(text: string): void {
    if (text !== '') this.#options.reply.write(Buffer.from(text))
    if (this.#stage === 'over' && this.#dripMs === null) this.#options.reply.end()
  }

  /** The next piece of the stream. `unsent` is text that the caller has not sent yet: a fault that cuts sends it first. */
  #next(unsent = ''): string {
    const { script } = this.#options
    switch (this.#stage) {
      case 'open':
        this.#stage = 'steps'
        return script.open
      case 'steps':
        return this.#step(unsent)
      case 'close':
        this.#stage = 'end'
        return script.close
      case 'end':
        return this.#finish(unsent)
      case 'over':
        return ''
    }
  }

  #step(unsent: string): string {
    if (this.#frames === this.#faultFrame) {
      this.#frames += 1
      const struck = this.#strike(unsent)
      if (struck !== null) return struck
      this.#frames -= 1
    }
    const step = this.#options.script.steps.next()
    if (step.done === true) {
      this.#stage = 'close'
      return ''
    }
    this.#frames += 1
    return step.value
  }

  /** Injects the fault; null if this fault does not occur at a token frame. The caller sends the returned text. */
  #strike(unsent: string): string | null {
    const { wire, script } = this.#options
    switch (this.#fault?.name) {
      case 'cut-mid-frame': {
        const step = script.steps.next()
        const frame = step.done === true ? script.close + script.end : step.value
        this.#send(unsent + frame.slice(0, Math.floor(frame.length / 2)))
        this.#cut()
        return ''
      }
      case 'cut-between-frames':
        this.#send(unsent)
        this.#cut()
        return ''
      case 'stall':
        this.#isStalled = true
        return ''
      case 'garbage':
        return wire.encodeFrame('{"this is": not JSON')
      case 'error-frame':
        this.#over()
        return wire.encodeErrorFrame('Simulated failure.')
      case 'oversize':
        return wire.encodeFrame(`{"padding":"${'x'.repeat(this.#fault.numbers[0] ?? 1024 * 1024)}"}`)
      default:
        return null
    }
  }

  #finish(unsent: string): string {
    const name = this.#fault?.name
    if (name === 'cut-before-end') {
      this.#send(unsent)
      this.#cut()
      return ''
    }
    this.#over()
    return name === 'no-end-marker' ? '' : this.#options.script.end
  }

  #cut(): void {
    this.#over()
    this.#options.reply.cut()
  }

  #over(): void {
    if (this.#stage === 'over') return
    this.#stage = 'over'
    this.#options.onOver()
  }
}
