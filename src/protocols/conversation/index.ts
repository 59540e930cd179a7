// The conversation API below compat.apiPrefix, a surface only: a chat in the form of a given surface, and two kinds of conversation
// with a system prompt from the library. All three stream by default, one chunk of that form per line; their whole answers have that
// form too.

import { type Protocol, type Surface } from '../contract/protocol.js'
import { encodeErrorWords } from '../error-words.js'
import { describeChat, describeConversation, describeExtended } from './describe.js'
import { readStream } from './fields.js'
import { decodeConversation, decodeExtended, readConversationFacts, readExtendedFacts } from './request.js'

/** The three surfaces, each a protocol without a dialect; `chat` is the surface whose bodies, chunks and answers they reuse. */
export function createConversation(chat: Surface): readonly Protocol[] {
  const shared = {
    framing: 'ndjson',
    // A blank line, which NDJSON readers skip.
    keepaliveFrame: '\n',
    ...(chat.hasPlaceFor === undefined ? {} : { hasPlaceFor: chat.hasPlaceFor }),
    createEncoder: (emit, options) => chat.createEncoder(emit, { ...options, framing: 'ndjson' }),
    encodeResponse: chat.encodeResponse,
    encodeError: encodeErrorWords,
    encodeErrorFrame: ({ message }) => `${JSON.stringify({ error: message })}\n`,
  } satisfies Partial<Surface>
  const surfaces: readonly Surface[] = [
    {
      ...shared,
      id: 'conversation-chat',
      routes: routesAt('/chat', '/chat/completions'),
      readFacts: (body) => ({ ...chat.readFacts(body), stream: readStream(body) }),
      decodeRequest: chat.decodeRequest,
      describe: () => describeChat(chat),
      promptMembers: chat.promptMembers,
      ...(chat.bulkMembers === undefined ? {} : { bulkMembers: chat.bulkMembers }),
    },
    {
      ...shared,
      id: 'conversation',
      routes: routesAt('/conversation_with_model'),
      readFacts: readConversationFacts,
      decodeRequest: decodeConversation,
      describe: () => describeConversation(chat),
      promptMembers: ['language', 'historical_messages', 'user_last_statement'],
    },
    {
      ...shared,
      id: 'conversation-extended',
      routes: routesAt('/extended_conversation_with_model'),
      readFacts: readExtendedFacts,
      decodeRequest: decodeExtended,
      describe: () => describeExtended(chat),
      promptMembers: ['language', 'system_prompt', 'historical_messages', 'user_last_statement'],
    },
  ]
  return surfaces.map((surface) => ({ id: surface.id, surface, dialect: null }))
}

function routesAt(...paths: readonly string[]): Surface['routes'] {
  return paths.map((path) => ({ method: 'POST', path, prefix: 'apiPrefix' }))
}
