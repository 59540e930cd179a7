// The turns of one WebSocket whose surface has a mode of its own. Turns of a lane follow each other, lanes run side by side. Each turn is
// an exchange like one that was posted: its key, its limits and its log line are its own.
//
//   lane a:  turn 1 ---> turn 2 (waits)          lane b:  turn 3 --->          without a lane:  turn 4 --->
import { type GatewayError, toGatewayError } from '../../errors.js'
import { type Surface } from '../../protocols/contract/protocol.js'
import { type SocketMode, type SocketSteer, type SocketTurn } from '../../protocols/contract/socket-mode.js'
import { type StoredAnswers } from '../../protocols/contract/stored.js'
import { createFrameScanner } from '../../wire/frame.js'
import { type Reservation, refuseEarly, type ServerContext } from '../context.js'
import { type WebSocket } from '../engine/engine.js'
import { LaneSink } from './lane-sink.js'
import { Shelf } from './shelf.js'
import { type WsSocket } from './socket.js'
import { originOf, renew, type SocketState, type Talk } from './socket-state.js'
import { type DecodeBody, warmUp } from './warm-up.js'

export type LanesOptions = {
  readonly surface: Surface
  readonly mode: SocketMode
  readonly stored: StoredAnswers
  readonly decode: DecodeBody
  /** Of the answers that the connection keeps for itself. */
  readonly maxShelfBytes: number
  /** How long a connection may last. */
  readonly maxAgeMs: number
}

type Waiting = { readonly turn: SocketTurn; readonly reservation: Reservation }
/** One turn of it runs. */
type Lane = { readonly waiting: Waiting[] }

/** Only the wording of a refusal depends on them. */
const MAX_OVER = 128
/** RFC 6455, 7.4.1: the server is going away; the vendor's client then connects anew. */
const CLOSE_GOING_AWAY = 1001

export class Lanes implements Talk {
  readonly #front: ServerContext
  readonly #options: LanesOptions
  readonly #ws: WebSocket<SocketState>
  readonly #socket: WsSocket<SocketState>
  readonly #shelf: Shelf
  readonly #lanes = new Map<string | null, Lane>()
  readonly #running = new Set<LaneSink>()
  /** Ids of the answers that ended last. */
  readonly #over = new Set<string>()
  readonly #ageTimer: NodeJS.Timeout
  /** Turns that run or wait. */
  #count = 0
  #isOld = false
  #isClosed = false

  constructor(front: ServerContext, options: LanesOptions, ws: WebSocket<SocketState>, socket: WsSocket<SocketState>) {
    this.#front = front
    this.#options = options
    this.#ws = ws
    this.#socket = socket
    const { view, key } = ws.getUserData()
    this.#shelf = new Shelf({ reservation: view.reserve(key), maxBytes: options.maxShelfBytes })
    this.#ageTimer = setTimeout(() => this.#grownOld(), options.maxAgeMs)
    this.#ageTimer.unref()
  }

  take(message: ArrayBuffer, isBinary: boolean): void {
    const { mode } = this.#options
    const bytes = isBinary ? NOTHING : new Uint8Array(message)
    const said = mode.readMessage(bytes)
    const requestBytes = message.byteLength
    if (said.kind === 'steer') this.#refuseSteer(said)
    else if (said.kind === 'fault') this.#refuse(said.error, said.lane, requestBytes)
    else this.#accept(said, requestBytes)
  }

  closed(): void {
    this.#isClosed = true
    clearTimeout(this.#ageTimer)
    for (const { waiting } of this.#lanes.values()) for (const { reservation } of waiting) reservation.release()
    this.#lanes.clear()
    this.#shelf.close()
  }

  #accept(turn: SocketTurn, requestBytes: number): void {
    const { mode } = this.#options
    const { maxChatsPerSocket } = this.#front.view
    const lane = this.#lanes.get(turn.lane)
    let refusal: GatewayError | null = null
    if (this.#isOld) refusal = mode.tooOld()
    else if (this.#count >= maxChatsPerSocket) refusal = mode.tooManyTurns(maxChatsPerSocket)
    else if (lane !== undefined) refusal = this.#wait(lane, turn)
    else {
      this.#count += 1
      this.#lanes.set(turn.lane, { waiting: [] })
      this.#run(turn)
    }
    if (refusal !== null) this.#refuse(refusal, turn.lane, requestBytes)
  }

  /** Null if it waits; its bytes are memory for requests that arrive. */
  #wait(lane: Lane, turn: SocketTurn): GatewayError | null {
    const { view, key } = this.#ws.getUserData()
    const reservation = view.reserve(key)
    const refusal = reservation.grow(turn.body.length)
    if (refusal !== null) return refusal
    this.#count += 1
    lane.waiting.push({ turn, reservation })
    return null
  }

  /** The turn of a lane begins. The key is looked at anew, and what it may do: a connection outlives both. */
  #run(turn: SocketTurn): void {
    const front = this.#front
    const state = this.#ws.getUserData()
    const { lane, body } = turn
    try {
      renew(front, state)
      const refusal = refuseEarly(front, state.view, state.key)
      if (refusal !== null) throw refusal
    } catch (thrown) {
      this.#refuse(toGatewayError(thrown), lane, body.length)
      this.#end(lane)
      return
    }
    const requestId = front.createRequestId()
    if (turn.isWarmUp) {
      this.#warmUp(turn, requestId)
      return
    }
    const { surface } = this.#options
    const sink = this.#open(lane, requestId)
    const { key, parameterHeaders } = state
    const request = { requestId, surface, key, body, parameterHeaders, acceptedAtMs: front.now() }
    sink.hold(state.view.pipeline.start({ ...request, origin: originOf(state, lane), shelf: this.#shelf }, sink))
  }

  #open(lane: string | null, requestId: string): LaneSink {
    const sink = new LaneSink({
      ...{ socket: this.#socket, mode: this.#options.mode, lane, requestId },
      onOver: (each) => {
        this.#running.delete(each)
        this.#noteOver(each)
        this.#end(lane)
      },
    })
    this.#running.add(sink)
    this.#socket.open(sink)
    return sink
  }

  #warmUp({ lane, body }: SocketTurn, requestId: string): void {
    const { surface, stored, mode, decode } = this.#options
    const { view, key } = this.#ws.getUserData()
    const requestBytes = body.length
    // It has the place of its lane on the socket, but no exchange.
    const maxBytes = this.#front.maxBodyBytes
    warmUp({ surface, mode, stored, view, key, shelf: this.#shelf, maxBytes, decode }, body)
      .then((frames) => {
        if (this.#isClosed) return
        const tail = mode.encodeTail(lane)
        const scanner = createFrameScanner('sse', (payload) => {
          const message = mode.encodeEvent(payload, tail)
          if (message !== null) this.#socket.send(message)
        })
        for (const frame of frames) scanner.push(Buffer.from(frame))
        scanner.end()
      })
      .catch((thrown: unknown) => {
        if (!this.#isClosed) this.#refuse(toGatewayError(thrown), lane, requestBytes, requestId)
      })
      .finally(() => this.#end(lane))
  }

  /** A turn of the lane is over; the next one begins in a turn of its own, since a chain of refusals would be as many calls deep. */
  #end(lane: string | null): void {
    queueMicrotask(() => this.#next(lane))
  }

  #next(name: string | null): void {
    if (this.#isClosed) return
    this.#count -= 1
    const next = this.#lanes.get(name)?.waiting.shift()
    if (next !== undefined) {
      next.reservation.release()
      this.#run(next.turn)
      return
    }
    this.#lanes.delete(name)
    if (this.#isOld && this.#count === 0) this.#sendAway()
  }

  /** It was never an exchange, but it was a request: it is logged and counted, with an outcome. */
  #refuse(
    error: GatewayError,
    lane: string | null,
    requestBytes: number,
    requestId = this.#front.createRequestId(),
  ): void {
    const { surface, mode } = this.#options
    const state = this.#ws.getUserData()
    const { key, view, parameterHeaders } = state
    const sink = new LaneSink({ socket: this.#socket, mode, lane, requestId, onOver: () => undefined })
    const origin = originOf(state, lane)
    const hasKey = key.index >= 0
    const rejection = { requestId, surface, key, hasKey, error, requestBytes, origin, parameterHeaders }
    view.pipeline.reject({ ...rejection, acceptedAtMs: this.#front.now() }, sink)
  }

  #noteOver({ answerId }: LaneSink): void {
    if (answerId === null) return
    this.#over.add(answerId)
    if (this.#over.size <= MAX_OVER) return
    for (const oldest of this.#over) {
      this.#over.delete(oldest)
      return
    }
  }

  #refuseSteer(steer: SocketSteer): void {
    const running = [...this.#running].find(({ answerId }) => answerId === steer.previousId)
    const state = running !== undefined ? 'running' : this.#over.has(steer.previousId) ? 'over' : 'unknown'
    const options = { state, lane: running?.lane ?? null, sequence: running?.sent ?? 0 } as const
    const message = this.#options.mode.encodeSteerFailed(steer, options)
    this.#socket.send(Buffer.from(JSON.stringify(message)))
  }

  #grownOld(): void {
    this.#isOld = true
    if (this.#count === 0) this.#sendAway()
  }

  /** What runs has ended: the client learns why, and connects anew. */
  #sendAway(): void {
    const { mode, surface } = this.#options
    const { data } = mode.tooOld()
    const { status, body } = surface.encodeError(data, '')
    const error = body.error
    const member = error !== null && typeof error === 'object' && !Array.isArray(error) ? error : body
    const message = mode.encodeError(member as typeof body, { status, lane: null, headers: {} })
    this.#socket.send(Buffer.from(JSON.stringify(message)))
    this.#socket.end(CLOSE_GOING_AWAY, data.ownCode ?? '')
  }
}

/** Binary frames are not the API's: they are read like an empty message. */
const NOTHING = new Uint8Array(0)
