// What the engine keeps for a WebSocket, whatever is spoken on it.
import { type KeyIdentity } from '../../pipeline/client.js'
import { type Answer } from '../../pipeline/sink.js'
import { type ClientOrigin } from '../../telemetry/records.js'
import { type FrontView, type Reservation, type ServerContext } from '../context.js'
import { type MessageAllowance } from '../engine/turn-guard.js'
import { type WsCodec } from './codec.js'
import { type WsSocket } from './socket.js'

/** What the engine keeps for a socket. */
export type SocketState = {
  /** As the view knows it; a socket may outlive both. */
  key: KeyIdentity
  view: FrontView
  readonly codec: WsCodec
  readonly parameterHeaders: Readonly<Record<string, string>>
  /** Released when the socket closes. */
  readonly reservation: Reservation
  /** Facts of the upgrade for the log line of each chat. */
  readonly origin: ClientOrigin
  /** The other side's address, read from the upgrade: builds of the engine from 20.69 on have none for a WebSocket. */
  readonly address: Uint8Array
  /** The id of the socket in the log. */
  readonly connection: string
  readonly allowance: MessageAllowance
  /** The socket is closed as soon as it is open: a browser shows a page the code of a close, but no status of an upgrade. */
  readonly refusal: Answer | null
  socket: WsSocket<SocketState> | null
  /** Ends it when its browser token expires; null for a key. */
  expiry: NodeJS.Timeout | null
  /** Takes what the client says; null until the socket is open. */
  talk: Talk | null
}

/** What is spoken on one socket. */
export type Talk = {
  /** Does what one message says. The bytes are the engine's. */
  take(message: ArrayBuffer, isBinary: boolean): void
  /** The socket is closed. */
  closed(): void
}

/** Facts of the upgrade, with the chat, for the log. */
export function originOf({ origin, connection }: SocketState, chat: string | null): ClientOrigin {
  return { ...origin, socket: { connection, chat } }
}

/**
 * The configuration may have been replaced since the last chat: the key must still exist, and its index may have changed. A key of the
 * database may have changed at any time.
 */
export function renew(front: ServerContext, state: SocketState): void {
  const { account, token } = state.key
  if (state.view === front.view && account === undefined && token === undefined) return
  state.key = front.view.pipeline.renew(state.key)
  state.view = front.view
}
