// What clients say on a WebSocket: chats, cancels and pings. One socket carries many chats; each is a separate exchange and cannot
// affect another.
import { errorData, GatewayError, toGatewayError } from '../../errors.js'
import { type JsonObject } from '../../model/json.js'
import { QUEUE_HEADER } from '../../pipeline/client.js'
import { type Surface } from '../../protocols/contract/protocol.js'
import { offsetAfterNumber } from '../../streams/access/cursor.js'
import { CROWDED, ownerOf, type ReadableLog } from '../../streams/kept/readable-log.js'
import { type Keeping, refuseEarly, type ServerContext } from '../context.js'
import { type WebSocket } from '../engine/engine.js'
import { traceReading } from '../kept/trace-reading.js'
import { type ClientFrame } from './frame.js'
import { WsSink } from './sink.js'
import { type WsSocket } from './socket.js'
import { originOf, renew, type SocketState, type Talk } from './socket-state.js'

const MAX_ID_LENGTH = 128

/** Who speaks: the event loop, and the socket. */
export type Speaker = {
  readonly front: ServerContext
  /** Of chats that name no API, and of errors that belong to no chat. */
  readonly surface: Surface
  /** The APIs that a chat may name as its own. */
  readonly apis: ReadonlyMap<string, Surface>
  /** Of all streams that may be resumed. */
  readonly surfaces: readonly Surface[]
  readonly ws: WebSocket<SocketState>
}

/** Chats on one socket. */
export function talkChats(speaker: Speaker): Talk {
  return { take: (message, isBinary) => takeMessage(speaker, message, isBinary), closed: () => undefined }
}

/** Does what one message says. An error in it is answered, and ends nothing but its own chat. */
function takeMessage(speaker: Speaker, bytes: ArrayBuffer, isBinary: boolean): void {
  const { codec, socket } = speaker.ws.getUserData()
  if (socket === null) return
  let id: string | null = null
  let isChat = false
  let { surface } = speaker
  try {
    if (isBinary !== codec.isBinary) {
      const message = `The subprotocol ${codec.name} requires ${codec.isBinary ? 'binary' : 'text'} frames.`
      throw new GatewayError('invalid_request', { message })
    }
    const frame = codec.decode(bytes)
    id = readId(frame.message)
    isChat = frame.message.type === 'chat'
    if (isChat) surface = readApi(speaker, frame.message)
    obey({ ...speaker, surface }, socket, { frame, id })
  } catch (thrown) {
    const error = toGatewayError(thrown)
    if (isChat && id !== null) {
      refuseChat({ ...speaker, surface }, socket, { id, error, requestBytes: bytes.byteLength })
      return
    }
    answerError(speaker, socket, { id, error })
  }
}

type Failed = { readonly id: string | null; readonly error: GatewayError }

function answerError({ surface }: Speaker, socket: WsSocket<SocketState>, { id, error }: Failed): void {
  const { body } = surface.encodeError(error.data, '')
  socket.send(socket.codec.encode({ type: 'error', id, error: body.error ?? body }))
}

type RefusedChat = { readonly id: string; readonly error: GatewayError; readonly requestBytes: number }

/** It was never an exchange, but it was a request: it is logged and counted, with an outcome. */
function refuseChat(speaker: Speaker, socket: WsSocket<SocketState>, refused: RefusedChat): void {
  const { front, surface, ws } = speaker
  const { id, error, requestBytes } = refused
  const { key, view, parameterHeaders } = ws.getUserData()
  const requestId = front.createRequestId()
  const hasKey = key.index >= 0
  const origin = originOf(ws.getUserData(), id)
  const asked = { requestId, surface, key, hasKey, requestBytes, acceptedAtMs: front.now(), origin, parameterHeaders }
  view.pipeline.reject({ ...asked, error }, new WsSink({ socket, id, surface, requestId }))
}

type Said = { readonly frame: ClientFrame; readonly id: string | null }

function obey(speaker: Speaker, socket: WsSocket<SocketState>, said: Said): void {
  const { frame, id } = said
  switch (frame.message.type) {
    case 'ping':
      socket.send(socket.codec.encode({ type: 'pong' }))
      return
    case 'cancel':
      // A chat that has just ended is not an error: the frames crossed.
      socket.find(id ?? refuseId())?.cancel()
      return
    case 'chat':
      startChat(speaker, socket, { frame, id: id ?? refuseId() })
      return
    case 'resume':
      resumeChat(speaker, socket, { frame, id: id ?? refuseId() })
      return
    default:
      throw new GatewayError('invalid_request', {
        message: 'The type must be chat, resume, cancel or ping.',
        param: 'type',
      })
  }
}

function startChat(speaker: Speaker, socket: WsSocket<SocketState>, said: Said & { readonly id: string }): void {
  const { front, surface, ws } = speaker
  const acceptedAtMs = front.now()
  const state = ws.getUserData()
  renew(front, state)
  const refusal = refuseEarly(front, state.view, state.key)
  if (refusal !== null) throw refusal
  checkPlace(socket, state, said.id)
  const { pipeline, keeping } = state.view
  const body = said.frame.chatBody()
  const { key } = state
  const parameterHeaders =
    said.frame.message.queue === true ? { ...state.parameterHeaders, [QUEUE_HEADER]: '1' } : state.parameterHeaders
  const requestId = front.createRequestId()
  const origin = originOf(state, said.id)
  const sink = new WsSink({ socket, id: said.id, surface, requestId })
  socket.open(sink)
  const request = { requestId, surface, key, body, parameterHeaders, acceptedAtMs, origin }
  if (keeping === null || said.frame.message.resume !== true) {
    sink.hold(pipeline.start(request, sink))
    return
  }
  // An event bears its number as `seq`.
  const asking = { key, surfaceId: surface.id, requestId, hasIds: false, canReturn: true }
  const onKept = (log: ReadableLog): void => sink.announce({ stream: log.facts.id, stop: () => log.cancel() })
  const kept = keeping.keep(sink, { ...asking, onKept })
  const handle = pipeline.start(request, kept)
  kept.hold(handle)
  sink.hold(handle)
}

/** @throws invalid_request if the id is taken; rate_limited if the socket is full */
function checkPlace(socket: WsSocket<SocketState>, { view }: SocketState, id: string): void {
  if (socket.find(id) !== null)
    throw new GatewayError('invalid_request', { message: 'A chat with this id is already open.', param: 'id' })
  const { maxChatsPerSocket } = view
  if (socket.chatCount >= maxChatsPerSocket) {
    throw new GatewayError('rate_limited', { message: `A socket may have at most ${maxChatsPerSocket} open chats.` })
  }
}

/** Takes a kept stream up after a cursor. It is no new work: it needs a key and a place on the socket, nothing else. */
function resumeChat(speaker: Speaker, socket: WsSocket<SocketState>, said: Said & { readonly id: string }): void {
  const { front, surface, ws } = speaker
  const state = ws.getUserData()
  renew(front, state)
  checkPlace(socket, state, said.id)
  const { stream, after } = said.frame.message
  const offset = offsetAfterNumber(after)
  if (offset === null) {
    const message = 'after must be the number of a frame: a whole number, 0 or more.'
    throw new GatewayError('invalid_request', { message, param: 'after' })
  }
  const { keeping } = state.view
  const found = typeof stream === 'string' ? (keeping?.reach(stream, ownerOf(state.key)) ?? null) : null
  const use = (log: ReadableLog | null): void => {
    if (log === null || keeping === null) answerUnknown(socket, said.id)
    else followKept({ socket, keeping, speaker, id: said.id }, log, offset)
  }
  if (!(found instanceof Promise)) {
    use(found)
    return
  }
  // It keeps the place, and may be cancelled.
  const waiting = new WsSink({ socket, id: said.id, surface, requestId: '' })
  socket.open(waiting)
  const arrive = (act: () => void): void => {
    if (socket.find(said.id) !== waiting) return
    socket.forget(waiting)
    act()
  }
  const fail = (thrown: unknown): void => {
    socket.find(said.id)?.leave('client_gone')
    answerError(speaker, socket, { id: said.id, error: toGatewayError(thrown) })
  }
  found
    .then(
      (log) => arrive(() => use(log)),
      (thrown: unknown) => arrive(() => fail(thrown)),
    )
    .catch(fail)
}

type Following = {
  readonly socket: WsSocket<SocketState>
  readonly keeping: Keeping
  readonly speaker: Speaker
  readonly id: string
}

/** A refusal is in the words of the socket's own API, since who resumes names none: its code says whether to come again. */
function followKept({ socket, keeping, speaker, id }: Following, log: ReadableLog, offset: number): void {
  const { surfaceId, requestId, framing, id: stream } = log.facts
  const surface = speaker.surfaces.find((each) => each.id === surfaceId)
  if (surface === undefined) answerUnknown(socket, id)
  else if (offset < log.first) {
    keeping.counters.streamReader('resume', 'gone')
    const { body } = speaker.surface.encodeError(errorData('stream_gone'), requestId)
    socket.send(socket.codec.encode({ type: 'error', id, requestId, error: body.error ?? body, first: log.first }))
  } else if (log.isCrowded) {
    const { body } = speaker.surface.encodeError(CROWDED.data, requestId)
    socket.send(socket.codec.encode({ type: 'error', id, requestId, error: body.error ?? body }))
  } else {
    const sink = new WsSink({ socket, id, surface, requestId, framing })
    const state = speaker.ws.getUserData()
    const origin = originOf(state, id)
    const endTrace = state.view.tracer === null ? null : traceReading({ ...state, requestId, origin }, log.facts)
    sink.keep({ stream, stop: () => log.cancel() })
    socket.open(sink)
    sink.follow(
      (onReadable) => log.attach({ how: 'resume', offset, onReadable, canReturn: true }),
      ({ result }) => {
        keeping.counters.streamReader('resume', result)
        endTrace?.(result)
      },
    )
  }
}

/** The same for one that does not exist and one of another key, in the words of the plain routes. */
function answerUnknown(socket: WsSocket<SocketState>, id: string): void {
  const error = { message: 'No such stream.', type: 'not_found', param: 'stream', code: 'not_found' }
  socket.send(socket.codec.encode({ type: 'error', id, error }))
}

/**
 * The API whose bodies and frames a chat has.
 * @throws invalid_request for one that chats cannot have
 */
function readApi({ surface, apis }: Speaker, { api }: JsonObject): Surface {
  if (api === undefined) return surface
  const named = typeof api === 'string' ? apis.get(api) : undefined
  if (named !== undefined) return named
  const message = `The api must be one of ${[...apis.keys()].join(', ')}.`
  throw new GatewayError('invalid_request', { message, param: 'api' })
}

function readId(message: JsonObject): string | null {
  const id = message.id
  return typeof id === 'string' && id.length > 0 && id.length <= MAX_ID_LENGTH ? id : null
}

function refuseId(): never {
  throw new GatewayError('invalid_request', {
    message: `The id must be a string of 1 to ${MAX_ID_LENGTH} characters.`,
    param: 'id',
  })
}
