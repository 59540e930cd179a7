// The package's `sluice/client`: for browsers and Node, with no dependency and nothing of the gateway.
export { ChatFailedError } from './chat-failed-error.js'
export type { ApiEvent, ApiName, ApiRequest, ChatChunk, ChatErrorBody, ChatRequest, ChatUsage } from './messages.js'
export { type ResumingFetchOptions, resumingFetch } from './resuming-fetch.js'
export {
  type ChatOptions,
  SluiceSocket,
  type SluiceSocketOptions,
  type SocketEvents,
  type WebSocketLike,
} from './sluice-socket.js'
export type { ChatEnd, ChatEvents, SocketChat } from './socket-chat.js'
export { type LossReason, StreamLostError } from './stream-lost-error.js'
