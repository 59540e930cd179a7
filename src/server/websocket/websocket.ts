// A WebSocket route: who may upgrade, the subprotocols, and how the engine's events reach a socket. messages.ts and lanes.ts have what
// clients say on it.
import { GatewayError } from '../../errors.js'
import { type KeyIdentity } from '../../pipeline/client.js'
import { type Answer, type HeaderList, type Sink } from '../../pipeline/sink.js'
import { type Surface } from '../../protocols/contract/protocol.js'
import { type FrontView, type Reservation, type ServerContext } from '../context.js'
import {
  type HttpRequest,
  type HttpResponse,
  type UpgradeContext,
  type WebSocket,
  type WebSocketBehavior,
} from '../engine/engine.js'
import { ClientResponse } from '../engine/response.js'
import { MessageAllowance } from '../engine/turn-guard.js'
import { HttpExchange } from '../http/http.js'
import { type WsCodec } from './codec.js'
import { credentialOf } from './credential.js'
import { WsSocket } from './socket.js'
import { originOf, type SocketState, type Talk } from './socket-state.js'

export type WebSocketOptions = {
  /** Largest message, which each open socket reserves, since the engine does not report how much of one it holds. */
  readonly maxMessageBytes: number
  /** Of all refusals before there is a request. */
  readonly surface: Surface
  /** The encodings by their subprotocols; the first one unless the client asks for another. */
  readonly codecs: readonly [WsCodec, ...WsCodec[]]
  /** The engine never holds more than this for one socket. */
  readonly maxReaderLagBytes: number
  /** The engine ends a socket that is silent for so long, and pings it some seconds before. */
  readonly idleTimeoutSec: number
  /** What is spoken on a socket that has just opened. */
  readonly talk: (ws: WebSocket<SocketState>, socket: WsSocket<SocketState>) => Talk
  /** Set where clients can do without a socket: the error that sends them elsewhere, if there are none, or no room for one more. */
  readonly elsewhere?: { readonly error: GatewayError; readonly isOff: (view: FrontView) => boolean }
}

/** RFC 6455, 4.4: the only version there is. */
const VERSION = '13'
const VERSION_HEADER: HeaderList = Object.freeze([['sec-websocket-version', VERSION] as const])
/** RFC 6455, 7.4.1: the client broke a rule for which there is no other code. */
const CLOSE_POLICY = 1008
/** RFC 6455, 7.4.1: there was no close frame. The engine's own ends have it, and no client can send it. */
const CLOSE_ABNORMAL = 1006
/** The engine's words (WebSocketProtocol.h) where it ends a socket, the same in all builds; the others are of lost connections. */
const TOO_BIG = 'Received too big message'
const BROKEN_FRAMES: ReadonlyMap<string, string> = new Map([
  ['Received invalid WebSocket frame', 'The WebSocket frame is invalid.'],
  ['Received invalid UTF-8', 'The text frame is not valid UTF-8.'],
  ['Received invalid close payload', 'The close frame is invalid.'],
])
/** 4000 and above are free for applications: 4401 is the 401 of HTTP. */
const CLOSE_OF_STATUS = 4000
const CLOSE_UNAUTHENTICATED = 4401
/** No known key. */
const NO_KEY: KeyIdentity = Object.freeze({ index: -1, name: null, owner: null })

/** What the engine needs to serve the route. */
export function createWebSocket(front: ServerContext, options: WebSocketOptions): WebSocketBehavior<SocketState> {
  const { surface } = options
  return {
    maxPayloadLength: options.maxMessageBytes,
    maxBackpressure: options.maxReaderLagBytes,
    idleTimeout: options.idleTimeoutSec,
    sendPingsAutomatically: true,
    upgrade: (res, req, context) => upgrade(front, options, { res, req, context }),
    open: (ws) => {
      const state = ws.getUserData()
      front.open.sockets += 1
      if (state.refusal !== null) {
        ws.end(CLOSE_OF_STATUS + state.refusal.status, state.refusal.error?.code ?? '')
        return
      }
      state.socket = new WsSocket({ ws, codec: state.codec, readerStallMs: state.view.readerStallMs })
      state.talk = options.talk(ws, state.socket)
      front.webSockets.set(state.socket, state)
      state.expiry = endAtExpiry(state.socket, state.key)
    },
    message: (ws, message, isBinary) => {
      if (isAllowed(front, ws)) ws.getUserData().talk?.take(message, isBinary)
    },
    // The engine has answered it already; it only counts.
    ping: (ws) => void isAllowed(front, ws),
    pong: (ws) => void isAllowed(front, ws),
    drain: (ws) => ws.getUserData().socket?.drained(),
    close: (ws, code, reason) => {
      front.open.sockets -= 1
      const state = ws.getUserData()
      const { socket, reservation } = state
      reservation.release()
      if (socket === null) return
      if (state.expiry !== null) clearTimeout(state.expiry)
      const breach = code === CLOSE_ABNORMAL ? breachOf(reason, options.maxMessageBytes) : null
      if (breach !== null) noteBreach(front, surface, { state, error: breach })
      front.webSockets.delete(socket)
      state.talk?.closed()
      socket.closed()
    },
  }
}

type Attempt = { readonly res: HttpResponse; readonly req: HttpRequest; readonly context: UpgradeContext }

/** Decides and upgrades within the call: a later upgrade would run into the engine's cork. */
function upgrade(front: ServerContext, offer: WebSocketOptions, { res, req, context }: Attempt): void {
  const response = new ClientResponse(res, false, front)
  const exchange = new HttpExchange(front, offer.surface, response, front.heads.read(req))
  const version = req.getHeader('sec-websocket-version')
  const key = req.getHeader('sec-websocket-key')
  const extensions = req.getHeader('sec-websocket-extensions')
  const offered = req.getHeader('sec-websocket-protocol')
  exchange.run(() => {
    const { elsewhere } = offer
    if (elsewhere?.isOff(exchange.view) === true) throw elsewhere.error
    if (version !== VERSION) {
      exchange.reject(refuseVersion(version), VERSION_HEADER)
      return
    }
    const { origin, parameterHeaders } = exchange.head
    if (origin !== '' && !exchange.view.policy.isAllowed(origin))
      throw new GatewayError('forbidden', { message: 'This origin is not allowed to connect.' })
    const protocols = offered.split(',').map((name) => name.trim())
    const codec = offer.codecs.find((one) => protocols.includes(one.name)) ?? null
    const { view, origin: from, requestId: connection } = exchange
    const open = (identity: KeyIdentity, reservation: Reservation, refused: Answer | null = null): void => {
      const known = { key: identity, view, reservation, codec: codec ?? offer.codecs[0], origin: from, connection }
      const rest = { parameterHeaders, allowance: new MessageAllowance(), refusal: refused, socket: null }
      const state: SocketState = { ...known, ...rest, expiry: null, talk: null, address: response.address }
      response.upgrade(() => res.upgrade(state, key, codec?.name ?? '', extensions, context))
    }
    // Without one of our subprotocols a browser would not open the socket whose close code informs the page.
    const isOpenable = codec !== null || offered === ''
    if (origin !== '' && isOpenable)
      exchange.refusalSink = refusalSink((refused) => open(NO_KEY, view.reserve(NO_KEY), refused))
    const identity = exchange.authenticate(credentialOf(protocols))
    exchange.refusalSink = null
    const refusal = front.isRefusing() || view.isInMaintenance ? exchange.refusal(identity) : null
    if (refusal !== null) throw refusal
    if (!isOpenable) {
      const names = offer.codecs.map(({ name }) => name).join(' or ')
      throw new GatewayError('invalid_request', { message: `Offer the subprotocol ${names}.` })
    }
    const reservation = view.reserve(identity)
    const full = reservation.grow(offer.maxMessageBytes)
    if (full !== null) throw elsewhere?.error ?? full
    open(identity, reservation)
  }, req)
}

/** Null for a key: its state is looked at when a chat begins. */
function endAtExpiry(socket: WsSocket<SocketState>, { token }: KeyIdentity): NodeJS.Timeout | null {
  if (token === undefined) return null
  const leftMs = Math.max(0, token.expiresAtMs - Date.now())
  return setTimeout(() => socket.end(CLOSE_UNAUTHENTICATED, 'unauthenticated'), leftMs).unref()
}

function refuseVersion(version: string): GatewayError {
  if (version === '') {
    return new GatewayError('invalid_request', {
      message: 'The Sec-WebSocket-Version header is missing; it must be 13.',
    })
  }
  return new GatewayError('invalid_request', { status: 426, message: 'Sec-WebSocket-Version must be 13.' })
}

/** Logged and counted like every refusal; `open` answers by closing. */
function refusalSink(open: (refused: Answer) => void): Sink {
  return { transport: 'websocket', reply: open, begin() {}, keepalive() {}, follow() {} }
}

/** Whether one more frame is allowed in this turn; closes the socket if not. */
function isAllowed(front: ServerContext, ws: WebSocket<SocketState>): boolean {
  const { allowance, view, socket, address } = ws.getUserData()
  if (socket === null) return false
  if (allowance.take(front.guard.enter(), front.now(), view.maxChatsPerSocket)) return true
  front.guard.noteFlood('messages', address)
  socket.end(CLOSE_POLICY, 'too many messages at once')
  return false
}

/** Why the engine ended the socket, if for a breach; null: the connection was lost, or the engine's message is unknown. */
function breachOf(reason: ArrayBuffer, maxMessageBytes: number): GatewayError | null {
  const words = Buffer.from(reason).toString('latin1')
  if (words === TOO_BIG) {
    const message = `A WebSocket message on this path may hold at most ${maxMessageBytes} bytes.`
    return new GatewayError('payload_too_large', { message })
  }
  const message = BROKEN_FRAMES.get(words)
  return message === undefined ? null : new GatewayError('invalid_request', { message })
}

type Breach = { readonly state: SocketState; readonly error: GatewayError }

/** The client only sees a lost connection, so only the log and the count show the reason. */
function noteBreach(front: ServerContext, surface: Surface, { state, error }: Breach): void {
  const { key, view } = state
  const requestId = front.createRequestId()
  const origin = originOf(state, null)
  const hasKey = key.index >= 0
  const rejection = { requestId, surface, key, hasKey, error, requestBytes: 0, acceptedAtMs: front.now(), origin }
  view.pipeline.reject(rejection, UNSEEN)
}

/** A refusal here has no answer: the connection is gone. */
const UNSEEN = refusalSink(() => undefined)
