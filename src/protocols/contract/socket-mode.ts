// How the clients of a surface speak on a WebSocket of its own path: instead of sending a request by POST they keep a connection, on which
// turns of one lane follow each other, and lanes run side by side. Pure functions over bytes; server/websocket has the connection.
import { type GatewayError } from '../../errors.js'
import { type ErrorData } from '../../model/error.js'
import { type JsonObject, type JsonValue } from '../../model/json.js'

/** What a client says. */
export type SocketMessage = SocketTurn | SocketSteer | SocketFault

/** A request. `lane`: the client's name for the turns that it wants in order; null for those without one, which have an order, too. */
export type SocketTurn = {
  readonly kind: 'turn'
  readonly lane: string | null
  /** As it would be posted, for a stream; in its own ArrayBuffer of exact size. */
  readonly body: Uint8Array<ArrayBuffer>
  /** Nothing is generated: the turn only gets an id, by which later ones continue it. */
  readonly isWarmUp: boolean
}

/** Input for an answer that is being generated. */
export type SocketSteer = { readonly kind: 'steer'; readonly previousId: string; readonly input: JsonValue }

/** A message that is none of these. */
export type SocketFault = { readonly kind: 'fault'; readonly lane: string | null; readonly error: GatewayError }

/** Whether the answer that a client steers is running, over, or none of this connection. */
export type SteeredState = 'running' | 'over' | 'unknown'

export type SocketMode = {
  /** For clients that offer subprotocols, as browsers do for their key. */
  readonly subprotocol: string
  /** Reads a message, of which nothing is kept but copies. */
  readMessage(message: Uint8Array): SocketMessage
  /** What ends every event of a lane. */
  encodeTail(lane: string | null): Buffer
  /** The payload of an event as a message of the lane; null if it is not one JSON object. */
  encodeEvent(payload: Buffer, tail: Buffer): Buffer | null
  /** The messages that end a stream that failed, from its error frame. */
  encodeFailure(frame: string, error: ErrorData, lane: string | null): Buffer[]
  /** A refusal. `error`: the member of that name in the surface's envelope; `headers`: those that clients wait by. */
  encodeError(error: JsonObject, options: RefusalOptions): JsonObject
  /** The frames of an answer to a turn that generates nothing. `echo`: from `readEcho`, with what the gateway decides. */
  encodeEmpty(head: EmptyHead, echo: JsonObject): string[]
  /** The id of the answer whose first event this is; null if it is not. */
  answerId(payload: Buffer): string | null
  /** No answer can be steered: no provider is reached by a WebSocket. */
  encodeSteerFailed(steer: SocketSteer, options: SteerFailedOptions): JsonObject
  /** More turns are open or waiting than one connection may have. */
  tooManyTurns(most: number): GatewayError
  /** The connection has lasted as long as one may. */
  tooOld(): GatewayError
}

export type EmptyHead = { readonly id: string; readonly model: string; readonly createdSec: number }

export type RefusalOptions = {
  readonly status: number
  readonly lane: string | null
  readonly headers: Readonly<Record<string, string>>
}

export type SteerFailedOptions = {
  readonly state: SteeredState
  readonly lane: string | null
  readonly sequence: number
}
