// A local model that speaks four vendors' wires on one port, at a set pace and with scripted faults: what `npm start`
// serves without keys, and the upstream of tests and benches. It knows nothing of the gateway in front of it.
//
//   HTTP > wire.readRequest > fault? > perform > Player (stream) | whole answer > Reply
import { isJsonObject, type JsonObject, type JsonValue } from '../model/json.js'
import { type Fault, type FaultRule, FaultScript, parseFault, splitModel } from './faults.js'
import { MODELS, perform, personaOf, type SimRequest } from './persona.js'
import { Player } from './player.js'
import { Reply, type ReplyHead } from './reply.js'
import { type Task, Ticker } from './ticker.js'
import { anthropicMessages } from './wires/anthropic-messages.js'
import { googleGemini } from './wires/google-gemini.js'
import { ollamaChat } from './wires/ollama-chat.js'
import { openaiChat } from './wires/openai-chat.js'
import { isRefusal, type SimAnswer, type SimUrl, type SimWire } from './wires/wire.js'

// Types alone, and not by an import statement: that would load the addon, before its environment is set.
type HttpRequest = import('uWebSockets.js').HttpRequest
type HttpResponse = import('uWebSockets.js').HttpResponse
type TemplatedApp = import('uWebSockets.js').TemplatedApp
type ListenSocket = import('uWebSockets.js').us_listen_socket

/** The engine's module, loaded by whoever starts the simulator. */
export type Engine = Pick<typeof import('uWebSockets.js'), 'App' | 'us_listen_socket_close' | 'us_socket_local_port'>

/** The engine takes host, port and options together; its types know only two of the three. */
type ListenExclusively = (host: string, port: number, options: number, onDone: OnListening) => void
type OnListening = (socket: ListenSocket | false) => void

export type SimulatorOptions = {
  readonly uws: Engine
  /** Default 127.0.0.1. */
  readonly host?: string
  /** Null (default) or 0 sends as fast as the peer reads. */
  readonly tokensPerSecond?: number | null
  /** Length of `lorem` where the request sets none. Default 100. */
  readonly defaultTokens?: number
  readonly seed?: number
  readonly faults?: readonly FaultRule[]
  /** Refuse requests with another key, in the vendor's shape; null (default) takes any. */
  readonly requireKey?: string | null
  /** Wire ids to speak; default all. */
  readonly protocols?: readonly string[]
  /** Sees every request before it is answered. */
  readonly onRequest?: (seen: SeenRequest) => void
  /** Monotonic milliseconds. */
  readonly nowMs?: () => number
  /** Wall clock of `created` fields, milliseconds. */
  readonly wallMs?: () => number
}

export type SeenRequest = {
  readonly protocol: string
  readonly url: SimUrl
  readonly headers: Readonly<Record<string, string>>
  /** Null when it is not JSON. */
  readonly body: JsonValue
  readonly bytes: Buffer
}

export type SimulatorStats = {
  /** Requests whose body was complete. */
  readonly requests: number
  /** Streams being played now. */
  readonly openStreams: number
  /** Answers the peer closed before their end. */
  readonly aborted: number
}

export type Simulator = {
  /** Listens and resolves with the port; 0 takes a free one. Rejects when the port is taken. */
  listen(port: number): Promise<number>
  /** Closes every connection at once. */
  close(): void
  stats(): SimulatorStats
}

export const SIM_WIRES: readonly SimWire[] = Object.freeze([openaiChat, anthropicMessages, googleGemini, ollamaChat])

const DEFAULT_TOKENS = 100
const MAX_BODY_BYTES = 256 * 1024 * 1024
/** LIBUS_LISTEN_EXCLUSIVE_PORT, which the engine's types place where its module does not have it. */
const LISTEN_EXCLUSIVE_PORT = 1
const JSON_TYPE = 'application/json'
const HTML = Buffer.from('<!doctype html><title>502 Bad Gateway</title><h1>502 Bad Gateway</h1>')
const GARBAGE = Buffer.from('{"this is": not JSON')
const NO_HEADERS: ReplyHead['headers'] = Object.freeze([])

/** Makes a simulator; nothing runs before `listen`. */
export function createSimulator(options: SimulatorOptions): Simulator {
  return new UwsSimulator(options)
}

/** One request with everything read of it. */
type Turn = {
  readonly wire: SimWire
  readonly reply: Reply
  readonly url: SimUrl
  readonly faultHeader: string
  readonly key: string
  readonly hasRequiredHeader: boolean
  readonly headers: Readonly<Record<string, string>>
  player: Player | null
}

class UwsSimulator implements Simulator {
  readonly #options: SimulatorOptions
  readonly #ticker: Ticker
  readonly #faults: FaultScript
  readonly #gapMs: number | null
  readonly #wallMs: () => number
  readonly #app: TemplatedApp
  #socket: ListenSocket | null = null
  #requests = 0
  #openStreams = 0
  #aborted = 0

  constructor(options: SimulatorOptions) {
    this.#options = options
    this.#ticker = new Ticker(options.nowMs ?? (() => performance.now()))
    this.#wallMs = options.wallMs ?? Date.now
    this.#faults = new FaultScript(options.faults ?? [])
    const rate = options.tokensPerSecond ?? null
    this.#gapMs = rate === null || rate <= 0 ? null : 1000 / rate
    this.#app = options.uws.App()
    this.#route()
  }

  listen(port: number): Promise<number> {
    const { uws, host } = this.#options
    return new Promise((resolve, reject) => {
      const listen = this.#app.listen.bind(this.#app) as unknown as ListenExclusively
      // Without it a second process would silently share the port (SO_REUSEPORT).
      listen(host ?? '127.0.0.1', port, LISTEN_EXCLUSIVE_PORT, (socket) => {
        if (socket === false) {
          reject(new Error(`Port ${port} is taken.`))
          return
        }
        this.#socket = socket
        resolve(uws.us_socket_local_port(socket))
      })
    })
  }

  close(): void {
    this.#ticker.stop()
    if (this.#socket !== null) this.#options.uws.us_listen_socket_close(this.#socket)
    this.#socket = null
    this.#app.close()
  }

  stats(): SimulatorStats {
    return { requests: this.#requests, openStreams: this.#openStreams, aborted: this.#aborted }
  }

  #route(): void {
    const wires = SIM_WIRES.filter((wire) => this.#options.protocols?.includes(wire.id) ?? true)
    for (const wire of wires) {
      for (const path of wire.paths) this.#app.post(path, (res, req) => this.#accept(wire, res, req))
    }
    for (const path of new Set(wires.map((wire) => wire.listPath))) {
      const candidates = wires.filter((wire) => wire.listPath === path)
      this.#app.get(path, (res, req) => this.#list(candidates, res, req))
    }
    this.#app.any('/*', (res) => {
      const body = Buffer.from('{"error":{"message":"No such route.","type":"invalid_request_error","code":null}}')
      new Reply(res, () => undefined).answer(headOf(404), body)
    })
  }

  /** Two vendors list their models on one path: the header one of them demands tells which is asked. */
  #list(wires: readonly SimWire[], res: HttpResponse, req: HttpRequest): void {
    const named = wires.find((wire) => wire.requiredHeader !== null && req.getHeader(wire.requiredHeader) !== '')
    const wire = named ?? wires[0]
    const createdSec = Math.floor(this.#wallMs() / 1000)
    const body = wire === undefined ? '' : wire.encodeModelList(MODELS, createdSec)
    new Reply(res, () => undefined).answer(headOf(200), Buffer.from(body))
  }

  /** Reads all it needs of the request, which is gone after this call. */
  #accept(wire: SimWire, res: HttpResponse, req: HttpRequest): void {
    const url = { path: req.getUrl(), query: req.getQuery() }
    const turn: Turn = {
      wire,
      url,
      reply: new Reply(res, () => this.#gone(turn)),
      faultHeader: req.getHeader('x-sim-fault'),
      key: wire.readKey((name) => req.getHeader(name), url),
      hasRequiredHeader: wire.requiredHeader === null || req.getHeader(wire.requiredHeader) !== '',
      headers: this.#options.onRequest === undefined ? {} : headersOf(req),
      player: null,
    }
    let parts: Buffer[] | null = null
    let size = 0
    turn.reply.readBody((part, isLast) => {
      size += part.byteLength
      if (size > MAX_BODY_BYTES) this.#refuse(turn, 413, 'Request body too large.')
      else if (isLast && parts === null) this.#read(turn, Buffer.from(part))
      else {
        // The engine takes its memory back after this call.
        parts ??= []
        parts.push(Buffer.from(Buffer.from(part)))
        if (isLast) this.#read(turn, Buffer.concat(parts))
      }
    })
  }

  #gone(turn: Turn): void {
    this.#aborted += 1
    turn.player?.abort()
  }

  #read(turn: Turn, bytes: Buffer): void {
    this.#requests += 1
    const body = parse(bytes)
    const { onRequest, requireKey } = this.#options
    onRequest?.({
      protocol: turn.wire.id,
      url: turn.url,
      headers: turn.headers,
      body: body ?? null,
      bytes: Buffer.from(bytes),
    })
    if (typeof requireKey === 'string' && turn.key !== requireKey) {
      this.#refuse(turn, 401, 'Incorrect API key provided.')
    } else if (!turn.hasRequiredHeader) {
      this.#refuse(turn, 400, `${turn.wire.requiredHeader}: header is required`)
    } else if (!isJsonObject(body)) {
      this.#refuse(turn, 400, 'We could not parse the JSON body of your request.')
    } else this.#decide(turn, body)
  }

  #decide(turn: Turn, body: JsonObject): void {
    const read = turn.wire.readRequest(body, turn.url)
    if (isRefusal(read)) {
      turn.reply.answer(headOf(read.status), Buffer.from(read.body))
      return
    }
    const named = splitModel(read.model)
    const request = named.model === read.model ? read : { ...read, model: named.model }
    if (personaOf(request.model) === null) {
      this.#refuse(turn, 404, `The model \`${request.model}\` does not exist or you do not have access to it.`)
      return
    }
    const fault = parseFault(turn.faultHeader) ?? named.fault ?? this.#faults.next(turn.wire.id, request.model)
    this.#begin(turn, request, fault)
  }

  /** Faults that come before the head; else the answer. */
  #begin(turn: Turn, request: SimRequest, fault: Fault | null): void {
    const [first = 0, second] = fault?.numbers ?? []
    switch (fault?.name) {
      case 'status': {
        const retryAfter: ReplyHead['headers'] = second === undefined ? NO_HEADERS : [['retry-after', String(second)]]
        this.#refuse(turn, first, 'Simulated failure.', retryAfter)
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
        this.#later(first, () => this.#answer(turn, request, null))
        return
      default:
        this.#answer(turn, request, fault)
    }
  }

  #answer(turn: Turn, request: SimRequest, fault: Fault | null): void {
    if (turn.reply.isOver) return
    const { seed = 0, defaultTokens = DEFAULT_TOKENS } = this.#options
    const answer: SimAnswer = {
      request,
      performance: perform(request, { seed, defaultTokens }),
      id: seed.toString(16).padStart(8, '0') + this.#requests.toString(16).padStart(16, '0'),
      createdMs: this.#wallMs(),
    }
    if (request.stream) this.#stream(turn, answer, fault)
    else if (this.#gapMs === null) answerWhole(turn, answer, fault)
    else this.#later(this.#gapMs * answer.performance.usage.output, () => answerWhole(turn, answer, fault))
  }

  #stream(turn: Turn, answer: SimAnswer, fault: Fault | null): void {
    const player = new Player({
      wire: turn.wire,
      script: turn.wire.openStream(answer),
      reply: turn.reply,
      ticker: this.#ticker,
      gapMs: this.#gapMs,
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

  #refuse(turn: Turn, status: number, message: string, headers = NO_HEADERS): void {
    const body = turn.wire.encodeError(status, message)
    turn.reply.answer({ ...headOf(status), headers }, Buffer.from(body))
  }

  #later(delayMs: number, run: () => void): void {
    const task: Task = { dueMs: 0, run }
    this.#ticker.add(task, this.#ticker.now() + delayMs)
  }
}

function answerWhole(turn: Turn, answer: SimAnswer, fault: Fault | null): void {
  let body = Buffer.from(turn.wire.encodeWhole(answer))
  let cutAfterBytes: number | null = null
  if (fault?.name === 'cut-after-head') cutAfterBytes = 0
  else if (fault?.name.startsWith('cut-') === true) cutAfterBytes = Math.floor(body.length / 2)
  else if (fault?.name === 'garbage') body = GARBAGE
  else if (fault?.name === 'oversize') body = Buffer.concat([body, Buffer.alloc(fault.numbers[0] ?? 0, ' ')])
  turn.reply.answer(headOf(200), body, cutAfterBytes)
}

function headOf(status: number): ReplyHead {
  return { status: status === 200 ? '200 OK' : `${status} Simulated`, contentType: JSON_TYPE, headers: NO_HEADERS }
}

function headersOf(req: HttpRequest): Record<string, string> {
  const headers: Record<string, string> = {}
  req.forEach((name, value) => {
    headers[name] = value
  })
  return headers
}

function parse(bytes: Buffer): JsonValue | undefined {
  try {
    return JSON.parse(bytes.toString()) as JsonValue
  } catch {
    return undefined
  }
}
