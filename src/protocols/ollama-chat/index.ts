// The Ollama API, both halves: /api/chat, /api/generate and the models below compat.ollamaPrefix for clients, POST {baseUrl}/api/chat at
// upstreams. Base URLs have no `/v1`.
// @see https://docs.ollama.com/api
import { type FixedDocument } from '../contract/listing.js'
import { type Dialect, type Protocol, type Surface } from '../contract/protocol.js'
import { editRequest } from './dialect/edit-request.js'
import { embeddings } from './dialect/embeddings.js'
import { carries } from './dialect/encode-messages.js'
import { encodeRequest } from './dialect/encode-request.js'
import { limitOutput } from './dialect/limit-output.js'
import { OllamaObserver } from './dialect/observer.js'
import { OllamaDecoder } from './dialect/stream-decoder.js'
import { decodeError, encodeError, encodeErrorLine, refusesThinking } from './error.js'
import { decodeResponse, readFinish } from './response.js'
import { type AnswerForm, CHAT_FORM, encodeAnswer, GENERATE_FORM } from './surface/answer.js'
import { decodeChat } from './surface/decode-chat.js'
import { decodeGenerate } from './surface/decode-generate.js'
import { describeChat, describeGenerate } from './surface/describe.js'
import { modelListing } from './surface/models.js'
import { readChatFacts, readGenerateFacts } from './surface/schema.js'
import { OllamaEncoder } from './surface/stream-encoder.js'
import { findUsage } from './usage.js'

const ID = 'ollama-chat'
const GENERATE_ID = 'ollama-chat-generate'
/** The version whose API this is; clients ask for it before they use what is newer. */
const API_VERSION = '0.12.6'

/** Both are read before anything is asked; no model is ever in the gateway's memory. */
const DOCUMENTS: readonly FixedDocument[] = Object.freeze([
  {
    path: '/api/version',
    prefix: 'ollamaPrefix',
    title: 'Get the version of this API',
    body: { version: API_VERSION },
  },
  { path: '/api/ps', prefix: 'ollamaPrefix', title: 'List the models in memory: none', body: { models: [] } },
])

/** What both forms of an answer have in common. */
function answersAs(form: AnswerForm) {
  return {
    framing: 'ndjson',
    isTimed: true,
    // A line that says nothing: some of this API's clients fail on a blank one.
    keepaliveFrame: `${JSON.stringify({ model: '', created_at: new Date(0).toISOString(), ...form(''), done: false })}\n`,
    createEncoder: (emit, options) => new OllamaEncoder(emit, form, options),
    encodeResponse: (response) => encodeAnswer(response, form),
    encodeError,
    encodeErrorFrame: encodeErrorLine,
  } satisfies Partial<Surface>
}

const chat: Surface = Object.freeze({
  ...answersAs(CHAT_FORM),
  id: ID,
  routes: Object.freeze([{ method: 'POST', path: '/api/chat', prefix: 'ollamaPrefix' }] as const),
  models: modelListing,
  documents: DOCUMENTS,
  promptMembers: Object.freeze(['tools', 'messages']),
  bulkMembers: Object.freeze({ messages: [{ role: 'user' }], tools: [] }),
  readFacts: readChatFacts,
  decodeRequest: decodeChat,
  describe: describeChat,
})

const generate: Surface = Object.freeze({
  ...answersAs(GENERATE_FORM),
  id: GENERATE_ID,
  routes: Object.freeze([{ method: 'POST', path: '/api/generate', prefix: 'ollamaPrefix' }] as const),
  promptMembers: Object.freeze(['system', 'prompt']),
  readFacts: readGenerateFacts,
  decodeRequest: decodeGenerate,
  describe: describeGenerate,
})

const dialect: Dialect = Object.freeze({
  id: ID,
  framing: 'ndjson',
  headers: Object.freeze({}),
  parameterHeaders: Object.freeze([]),
  path: () => '/api/chat',
  carries,
  encodeRequest,
  editRequest,
  limitOutput,
  createDecoder: (emit, options) => new OllamaDecoder(emit, options),
  createObserver: () => new OllamaObserver(),
  decodeResponse,
  readUsage: findUsage,
  readFinish,
  decodeError,
  refusesThinking,
  endpoints: Object.freeze({ embeddings }),
})

/** The chats of the protocol, and its prompts, which every provider gets as a chat. */
export const ollamaChat: Protocol = Object.freeze({ id: ID, surface: chat, dialect })
export const ollamaGenerate: Protocol = Object.freeze({ id: GENERATE_ID, surface: generate, dialect: null })

export { ollamaEmbeddings } from './embedding-surfaces.js'
