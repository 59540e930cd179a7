// A local model that speaks the wires of all protocols on one port, at a set pace and with scripted faults: what `npm start`
// serves without keys, and the upstream of tests and benches. It does not know the gateway in front of it.
//
//   HTTP > wire.readRequest > responder: fault? > perform > Player (stream) | whole answer > Reply
import { isJsonObject, type JsonObject, type JsonValue } from '../model/json.js'
import { countEndpoints } from './endpoints/counts.js'
import { geminiEmbeddings, ollamaEmbeddings, openaiEmbeddings } from './endpoints/embeddings.js'
import { type SimAsked, type SimEndpoint } from './endpoints/endpoint.js'
import { boundaryOf, readForm } from './endpoints/form.js'
import { openaiEndpoints } from './endpoints/openai.js'
import { isResource, RESOURCE_PATHS, SimResources } from './endpoints/openai-resources.js'
import { type Fault, type FaultRule, FaultScript, parseFault, splitModel } from './faults.js'
import { MODELS, personaOf } from './persona.js'
import { Reply } from './reply.js'
import { headOf, Responder, type Turn } from './responder.js'
import { anthropicMessages } from './wires/anthropic-messages.js'
import { googleGemini } from './wires/google-gemini.js'
import { ollamaChat } from './wires/ollama-chat.js'
import { openaiChat } from './wires/openai-chat.js'
import { openaiResponses } from './wires/openai-responses.js'
import { isRefusal, type SimUrl, type SimWire } from './wires/wire.js'

// Types only, and not by an import statement, which would load the addon before its environment is set.
type HttpRequest = import('uWebSockets.js').HttpRequest
type HttpResponse = import('uWebSockets.js').HttpResponse
type TemplatedApp = import('uWebSockets.js').TemplatedApp
type ListenSocket = import('uWebSockets.js').us_listen_socket

/** The engine's module, loaded by the caller. */
export type Engine = Pick<typeof import('uWebSockets.js'), 'App' | 'us_listen_socket_close' | 'us_socket_local_port'>

/** The engine accepts host, port and options together; its types allow only two of the three. */
type ListenExclusively = (host: string, port: number, options: number, onDone: OnListening) => void
type OnListening = (socket: ListenSocket | false) => void

export type SimulatorOptions = {
  readonly uws: Engine
  /** Default 127.0.0.1. */
  readonly host?: string
  /** Null (default) or 0 sends as fast as the peer reads. */
  readonly tokensPerSecond?: number | null
  /** Tokens come as from a busy provider, two or three at a time, at the same mean pace. Default false. */
  readonly isUneven?: boolean
  /** Length of `lorem`. Default 100. */
  readonly defaultTokens?: number
  readonly seed?: number
  readonly faults?: readonly FaultRule[]
  /** Rejects requests with another key, in the vendor's error format; null (default) accepts any. */
  readonly requireKey?: string | null
  /** Wire ids to serve; all by default. */
  readonly protocols?: readonly string[]
  /** Called with every request before it is answered. */
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
  /** Answers that the peer closed before their end. */
  readonly aborted: number
}

export type Simulator = {
  /** Listens and resolves with the port; 0 selects a free one. Rejects if the port is in use. */
  listen(port: number): Promise<number>
  /** Closes every connection at once. */
  close(): void
  stats(): SimulatorStats
}

export const SIM_WIRES: readonly SimWire[] = Object.freeze([
  openaiChat,
  openaiResponses,
  anthropicMessages,
  googleGemini,
  ollamaChat,
])

/** What is answered besides chats. */
const SIM_ENDPOINTS: readonly SimEndpoint[] = Object.freeze([
  ...countEndpoints,
  ...openaiEndpoints,
  ...[openaiEmbeddings, geminiEmbeddings, ollamaEmbeddings],
])

const MAX_BODY_BYTES = 256 * 1024 * 1024
/** LIBUS_LISTEN_EXCLUSIVE_PORT. The engine's types declare it where its module does not export it. */
const LISTEN_EXCLUSIVE_PORT = 1

/** Creates a simulator; nothing runs before `listen`. */
export function createSimulator(options: SimulatorOptions): Simulator {
  return new UwsSimulator(options)
}

/** One request with everything that is read from its head. */
type Arrival = Turn & {
  readonly method: string
  readonly url: SimUrl
  readonly faultHeader: string
  readonly key: string
  /** The boundary of a form; null for any other body. */
  readonly form: string | null
  readonly hasRequiredHeader: boolean
  readonly headers: Readonly<Record<string, string>>
}

/** `suffix`: the fault in the name of the model; empty if there is none. */
type Named = { readonly model: string; readonly suffix: string }

class UwsSimulator implements Simulator {
  readonly #options: SimulatorOptions
  readonly #responder: Responder
  readonly #faults: FaultScript
  readonly #resources = new SimResources()
  readonly #wallMs: () => number
  readonly #app: TemplatedApp
  #socket: ListenSocket | null = null
  #requests = 0
  #aborted = 0

  constructor(options: SimulatorOptions) {
    this.#options = options
    this.#wallMs = options.wallMs ?? Date.now
    this.#responder = new Responder(options, this.#wallMs)
    this.#faults = new FaultScript(options.faults ?? [])
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
    this.#responder.stop()
    if (this.#socket !== null) this.#options.uws.us_listen_socket_close(this.#socket)
    this.#socket = null
    this.#app.close()
  }

  stats(): SimulatorStats {
    return { requests: this.#requests, openStreams: this.#responder.openStreams, aborted: this.#aborted }
  }

  #route(): void {
    const wires = SIM_WIRES.filter((wire) => this.#options.protocols?.includes(wire.id) ?? true)
    for (const wire of wires) {
      const own = SIM_ENDPOINTS.filter((endpoint) => endpoint.wire === wire.id).flatMap(({ paths }) => paths)
      for (const path of [...wire.paths, ...own]) this.#app.post(path, (res, req) => this.#accept(wire, res, req))
    }
    for (const path of wires.includes(openaiChat) ? RESOURCE_PATHS : []) {
      this.#app.any(path, (res, req) => this.#accept(openaiChat, res, req))
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

  /** Two vendors list their models on the same path; the header that one of them requires distinguishes them. */
  #list(wires: readonly SimWire[], res: HttpResponse, req: HttpRequest): void {
    const named = wires.find((wire) => wire.requiredHeader !== null && req.getHeader(wire.requiredHeader) !== '')
    const wire = named ?? wires[0]
    const createdSec = this.#wallSec()
    const body = wire === undefined ? '' : wire.encodeModelList(MODELS, createdSec)
    new Reply(res, () => undefined).answer(headOf(200), Buffer.from(body))
  }

  /** Reads everything it needs from the request, which is invalid after this call. */
  #accept(wire: SimWire, res: HttpResponse, req: HttpRequest): void {
    const url = { path: req.getUrl(), query: req.getQuery() }
    const turn: Arrival = {
      wire,
      method: req.getMethod().toUpperCase(),
      url,
      reply: new Reply(res, () => this.#gone(turn)),
      faultHeader: req.getHeader('x-sim-fault'),
      key: wire.readKey((name) => req.getHeader(name), url),
      form: boundaryOf(req.getHeader('content-type')),
      hasRequiredHeader: wire.requiredHeader === null || req.getHeader(wire.requiredHeader) !== '',
      headers: this.#options.onRequest === undefined ? {} : headersOf(req),
      player: null,
    }
    let parts: Buffer[] | null = null
    let size = 0
    turn.reply.readBody((part, isLast) => {
      size += part.byteLength
      if (size > MAX_BODY_BYTES) this.#responder.refuse(turn, 413, 'Request body too large.')
      else if (isLast && parts === null) this.#read(turn, Buffer.from(part))
      else {
        // The engine reuses this memory after the call.
        parts ??= []
        parts.push(Buffer.from(Buffer.from(part)))
        if (isLast) this.#read(turn, Buffer.concat(parts))
      }
    })
  }

  #wallSec(): number {
    return Math.floor(this.#wallMs() / 1000)
  }

  #gone(turn: Turn): void {
    this.#aborted += 1
    turn.player?.abort()
  }

  #read(turn: Arrival, bytes: Buffer): void {
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
      this.#responder.refuse(turn, 401, 'Incorrect API key provided.')
    } else if (!turn.hasRequiredHeader) {
      this.#responder.refuse(turn, 400, `${turn.wire.requiredHeader}: header is required`)
    } else if (isResource(turn.url.path)) {
      const { method, url, key, form } = turn
      const asked = { method, ...url, key, form, bytes: Buffer.from(bytes), createdSec: this.#wallSec() }
      const { status, contentType, body } = this.#resources.answer(asked)
      turn.reply.answer({ ...headOf(status), contentType }, body)
    } else if (turn.form !== null) {
      const endpoint = SIM_ENDPOINTS.find(({ wire, isAt }) => wire === turn.wire.id && isAt(turn.url.path))
      const { fields, files } = readForm(bytes, turn.form)
      if (endpoint === undefined) this.#responder.refuse(turn, 400, 'We could not parse the JSON body of your request.')
      else this.#decideOther(turn, endpoint, { url: turn.url, body: fields, files })
    } else if (!isJsonObject(body)) {
      this.#responder.refuse(turn, 400, 'We could not parse the JSON body of your request.')
    } else this.#decide(turn, body)
  }

  #decide(turn: Arrival, body: JsonObject): void {
    const endpoint = SIM_ENDPOINTS.find(({ wire, isAt }) => wire === turn.wire.id && isAt(turn.url.path))
    if (endpoint === undefined) this.#decideChat(turn, body)
    else this.#decideOther(turn, endpoint, { url: turn.url, body, files: {} })
  }

  #decideOther(turn: Arrival, endpoint: SimEndpoint, read: Pick<SimAsked, 'url' | 'body' | 'files'>): void {
    const id = this.#requests.toString(16).padStart(24, '0')
    const asked = { ...read, id, createdSec: this.#wallSec() }
    const { model, fault: suffix } = splitModel(endpoint.readModel(asked) ?? '')
    const answer = endpoint.answer(asked, model)
    if ('status' in answer) turn.reply.answer(headOf(answer.status), Buffer.from(answer.body))
    else this.#withFault(turn, { model, suffix }, (fault) => this.#responder.give(turn, answer, fault))
  }

  /** Answers with the fault that the request names, or the rules. */
  #withFault(turn: Arrival, { model, suffix }: Named, answer: (fault: Fault | null) => void): void {
    const asked = turn.faultHeader === '' ? suffix : turn.faultHeader
    const fault = asked === '' ? this.#faults.next(turn.wire.id, model) : parseFault(asked)
    // An answer without the fault would look as if the gateway had coped with it.
    if (fault === null && asked !== '') this.#responder.refuse(turn, 400, `Unknown fault: ${asked}`)
    else answer(fault)
  }

  #decideChat(turn: Arrival, body: JsonObject): void {
    const read = turn.wire.readRequest(body, turn.url)
    if (isRefusal(read)) {
      turn.reply.answer(headOf(read.status), Buffer.from(read.body))
      return
    }
    const named = splitModel(read.model)
    const request = named.model === read.model ? read : { ...read, model: named.model }
    if (personaOf(request.model) === null) {
      this.#responder.refuse(
        turn,
        404,
        `The model \`${request.model}\` does not exist or you do not have access to it.`,
      )
      return
    }
    const place = this.#requests
    this.#withFault(turn, { model: request.model, suffix: named.fault }, (fault) => {
      this.#responder.answer(turn, request, { fault, place })
    })
  }
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
