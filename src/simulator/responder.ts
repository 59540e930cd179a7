// Answers a request whose body was read: with a refusal, a fault before the head, a whole answer, or a stream played by Player. It
// knows no paths and reads no bodies.
import { type SimReply } from './endpoints/endpoint.js'
import { type Fault } from './faults.js'
import { perform, type SimRequest } from './persona.js'
import { Player } from './player.js'
import { type Reply, type ReplyHead } from './reply.js'
import { type Task, Ticker } from './ticker.js'
import { type SimAnswer, type SimWire } from './wires/wire.js'

/** The parts of a request that its answer needs. */
export type Turn = {
  readonly wire: SimWire
  readonly reply: Reply
  /** Plays the stream; null until it begins. */
  player: Player | null
}

/** The same as the simulator's options of these names. */
export type ResponderOptions = {
  readonly tokensPerSecond?: number | null
  readonly isUneven?: boolean
  readonly defaultTokens?: number
  readonly seed?: number
  readonly nowMs?: () => number
}

/** `place`: the request's number, from which the answer's id is derived. */
export type AnswerOptions = { readonly fault: Fault | null; readonly place: number }

const DEFAULT_TOKENS = 100
const JSON_TYPE = 'application/json'
const HTML = Buffer.from('<!doctype html><title>502 Bad Gateway</title><h1>502 Bad Gateway</h1>')
const GARBAGE = Buffer.from('{"this is": not JSON')
const NO_HEADERS: ReplyHead['headers'] = Object.freeze([])

/** Answers all requests of a simulator at the set pace. */
export class Responder {
  readonly #options: ResponderOptions
  readonly #wallMs: () => number
  readonly #ticker: Ticker
  readonly #gapMs: number | null
  #openStreams = 0

  constructor(options: ResponderOptions, wallMs: () => number) {
    this.#options = options
    this.#wallMs = wallMs
    this.#ticker = new Ticker(options.nowMs ?? (() => performance.now()))
    const rate = options.tokensPerSecond ?? null
    this.#gapMs = rate === null || rate <= 0 ? null : 1000 / rate
  }

  /** Streams being played now. */
  get openStreams(): number {
    return this.#openStreams
  }

  /** Stops all playback. */
  stop(): void {
    this.#ticker.stop()
  }

  /** Injects a fault that occurs before the head; otherwise sends the answer, with a fault that occurs within it. */
  answer(turn: Turn, request: SimRequest, { fault, place }: AnswerOptions): void {
    this.#begin(turn, fault, (within) => this.#perform(turn, request, { fault: within, place }))
  }

  /** The same for a whole answer that is already made. */
  give(turn: Turn, { contentType, body }: SimReply, fault: Fault | null): void {
    this.#begin(turn, fault, (within) => sendWhole(turn, { contentType, body }, within))
  }

  #begin(turn: Turn, fault: Fault | null, go: (within: Fault | null) => void): void {
    const [first = 0, second] = fault?.numbers ?? []
    switch (fault?.name) {
      case 'status': {
        const retryAfter: ReplyHead['headers'] = second === undefined ? NO_HEADERS : [['retry-after', String(second)]]
        this.refuse(turn, first, 'Simulated failure.', retryAfter)
        return
      }
      case 'html':
        turn.reply.answer({ status: '200 OK', contentType: 'text/html; charset=utf-8', headers: NO_HEADERS }, HTML)
        return
      case 'cut-after-accept':
        turn.reply.cut()
        return
      case 'stall-head':
        return
      case 'delay':
        this.#later(first, () => go(null))
        return
      default:
        go(fault)
    }
  }

  #perform(turn: Turn, request: SimRequest, { fault, place }: AnswerOptions): void {
    if (turn.reply.isOver) return
    const { seed = 0, defaultTokens = DEFAULT_TOKENS } = this.#options
    const answer: SimAnswer = {
      request,
      performance: perform(request, { seed, defaultTokens }),
      id: seed.toString(16).padStart(8, '0') + place.toString(16).padStart(16, '0'),
      createdMs: this.#wallMs(),
    }
    if (request.stream) this.#stream(turn, answer, { fault, place })
    else if (this.#gapMs === null) answerWhole(turn, answer, fault)
    else this.#later(this.#gapMs * answer.performance.usage.output, () => answerWhole(turn, answer, fault))
  }

  #stream(turn: Turn, answer: SimAnswer, { fault, place }: AnswerOptions): void {
    const player = new Player({
      wire: turn.wire,
      script: turn.wire.openStream(answer),
      reply: turn.reply,
      ticker: this.#ticker,
      gapMs: this.#gapMs,
      unevenFrom: this.#options.isUneven === true ? place : null,
      fault,
      onOver: () => {
        this.#openStreams -= 1
      },
    })
    turn.player = player
    this.#openStreams += 1
    turn.reply.begin(
      { status: '200 OK', contentType: turn.wire.streamContentType, headers: [['cache-control', 'no-cache']] },
      () => player.resume(),
    )
    player.start()
  }

  /** Answers with an error in the format of its wire. */
  refuse(turn: Turn, status: number, message: string, headers = NO_HEADERS): void {
    const body = turn.wire.encodeError(status, message)
    turn.reply.answer({ ...headOf(status), headers }, Buffer.from(body))
  }

  #later(delayMs: number, run: () => void): void {
    const task: Task = { dueMs: 0, run }
    this.#ticker.add(task, this.#ticker.now() + delayMs)
  }
}

function answerWhole(turn: Turn, answer: SimAnswer, fault: Fault | null): void {
  sendWhole(turn, { contentType: JSON_TYPE, body: Buffer.from(turn.wire.encodeWhole(answer)) }, fault)
}

function sendWhole(turn: Turn, { contentType, body: whole }: SimReply, fault: Fault | null): void {
  let body = whole
  let cutAfterBytes: number | null = null
  if (fault?.name === 'cut-after-head') cutAfterBytes = 0
  else if (fault?.name.startsWith('cut-') === true) cutAfterBytes = Math.floor(body.length / 2)
  else if (fault?.name === 'garbage') body = GARBAGE
  else if (fault?.name === 'oversize') body = Buffer.concat([body, Buffer.alloc(fault.numbers[0] ?? 0, ' ')])
  turn.reply.answer({ ...headOf(200), contentType }, body, cutAfterBytes)
}

/** The head of a JSON answer with this status. */
export function headOf(status: number): ReplyHead {
  return { status: status === 200 ? '200 OK' : `${status} Simulated`, contentType: JSON_TYPE, headers: NO_HEADERS }
}
