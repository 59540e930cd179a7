// The client APIs that the playground speaks, in the order in which it offers them.
import { type ChatApi } from '../chat-api.js'
import { CHAT_COMPLETIONS } from './chat-completions.js'
import { GEMINI } from './gemini.js'
import { MESSAGES } from './messages.js'
import { createOllama } from './ollama.js'
import { RESPONSES } from './responses.js'

/** What a gateway's configuration says about the paths of clients; its defaults where a page does not know it. */
export type ApiPaths = { readonly ollamaPrefix: string }

const DEFAULTS: ApiPaths = { ollamaPrefix: '/ollama' }

/** All of them, the first of which is chosen. */
export function allApis({ ollamaPrefix }: ApiPaths = DEFAULTS): readonly [ChatApi, ...ChatApi[]] {
  return [CHAT_COMPLETIONS, MESSAGES, RESPONSES, GEMINI, createOllama(ollamaPrefix)]
}
