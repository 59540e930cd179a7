// The registry: one line per wire API. The only barrel that imports all of them.
import { anthropicCounts, anthropicMessages } from './anthropic-messages/index.js'
import { type Protocol, type Surface } from './contract/protocol.js'
import { createConversation } from './conversation/index.js'
import { geminiEmbeddings, googleGemini, googleGeminiArray } from './google-gemini/index.js'
import { ollamaChat, ollamaEmbeddings, ollamaGenerate } from './ollama-chat/index.js'
import { chatSurface, openaiChat } from './openai-chat/index.js'
import { openaiEndpoints } from './openai-endpoints/endpoints.js'
import { openaiResources } from './openai-endpoints/resources.js'
import { openaiResponses } from './openai-responses/index.js'
import { promptStream } from './prompt-stream/index.js'
import { createProviderChat } from './provider-chat/index.js'
import { rawPassthrough } from './raw-passthrough/index.js'

export const PROTOCOLS: readonly Protocol[] = Object.freeze([
  openaiChat,
  openaiResponses,
  anthropicMessages,
  googleGemini,
  googleGeminiArray,
  ollamaChat,
  ollamaGenerate,
  // For clients only:
  ...promptStream,
  ...createConversation(chatSurface),
  createProviderChat(chatSurface),
  rawPassthrough,
])

/** What clients may ask besides chats. */
export const ENDPOINTS: readonly Surface[] = Object.freeze([
  anthropicCounts,
  ...openaiEndpoints,
  ...openaiResources,
  ...geminiEmbeddings,
  ...ollamaEmbeddings,
])

/** The protocol whose chats may become jobs. */
export const JOB_PROTOCOL = openaiChat.id

/** The protocol of chats on a WebSocket that name none. */
export const WEB_SOCKET_PROTOCOL = openaiChat.id

/** What chats on a WebSocket may name as their API, and its protocol. */
export const WEB_SOCKET_APIS: ReadonlyMap<string, string> = new Map([
  ['chat', openaiChat.id],
  ['messages', anthropicMessages.id],
  ['responses', openaiResponses.id],
])
