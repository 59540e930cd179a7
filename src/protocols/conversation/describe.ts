// The OpenAPI description of the conversation API. A chat has the body of the API that it shares; the schemas of the other two
// are built from the rules that read their members.
import { type JsonObject } from '../../model/json.js'
import { type SurfaceDescription } from '../contract/description.js'
import { type Surface } from '../contract/protocol.js'
import { MAX_MODEL_LENGTH, type NumberRule } from './fields.js'
import { OPTIONS } from './request.js'

const TITLE = 'Conversation'
const STREAM: JsonObject = { type: ['boolean', 'null'], default: true }
const TURN: JsonObject = {
  type: 'object',
  required: ['role', 'content'],
  properties: { role: { enum: ['user', 'assistant'] }, content: { type: 'string' } },
}
const MAYBE_TEXT: JsonObject = { type: ['string', 'null'] }
const PAIR: JsonObject = {
  type: 'object',
  not: { required: ['role'] },
  properties: { user: MAYBE_TEXT, assistant: MAYBE_TEXT },
  anyOf: ['user', 'assistant'].map((name) => ({ required: [name], properties: { [name]: { type: 'string' } } })),
}
const FIELDS: JsonObject = {
  model_name: { type: 'string', minLength: 1, maxLength: MAX_MODEL_LENGTH },
  user_last_statement: { type: 'string', minLength: 1 },
  language: {
    ...MAYBE_TEXT,
    description: 'Language of the system prompt; a language without a prompt falls back to the default one',
  },
  historical_messages: { type: ['array', 'null'], items: { anyOf: [TURN, PAIR] } },
  stream: STREAM,
}
const REQUIRED = ['model_name', 'user_last_statement']
const TALK = { model_name: 'gemini-1.5-pro', user_last_statement: 'Explain recursion.', language: 'en' }

/** A chat in the form of `chat`, which streams unless `stream` is false. */
export function describeChat(chat: Surface): SurfaceDescription {
  const messages = [{ role: 'user', content: 'Hello' }]
  return {
    title: TITLE,
    summary: 'Create a chat completion; streams one chunk per line unless stream is false',
    body: chat.describe?.().body ?? { type: 'object' },
    examples: {
      documented: { model: 'gpt-4o', messages, stream: true },
      whole: { model: 'gpt-4o', messages, stream: false },
    },
    answer: answerOf(chat),
  }
}

/** A conversation with a system prompt from the library; `chat` is the surface whose answers it shares. */
export function describeConversation(chat: Surface): SurfaceDescription {
  return {
    title: TITLE,
    summary: 'Answer the last statement of a conversation, with the system prompt of a language',
    body: { type: 'object', required: REQUIRED, properties: FIELDS },
    examples: {
      documented: TALK,
      whole: {
        ...TALK,
        historical_messages: [
          { user: 'What is a tree?', assistant: 'A node with trees below it.' },
          { role: 'user', content: 'I see.' },
        ],
        stream: false,
      },
    },
    answer: answerOf(chat),
  }
}

/** The same with options and, optionally, the client's own system prompt. */
export function describeExtended(chat: Surface): SurfaceDescription {
  const options = Object.entries(OPTIONS).map(([name, rule]) => [name, schemaOf(rule)])
  return {
    title: TITLE,
    summary: 'Answer the last statement of a conversation, with options and, optionally, your own system prompt',
    body: {
      type: 'object',
      required: REQUIRED,
      properties: { ...FIELDS, system_prompt: MAYBE_TEXT, ...Object.fromEntries(options) },
    },
    examples: {
      documented: {
        model_name: 'llama3',
        user_last_statement: 'Explain recursion.',
        system_prompt: 'Be brief.',
        temperature: 0.7,
        max_new_tokens: 256,
      },
      whole: { ...TALK, top_k: 40, top_p: 0.9, typical_p: 1, repetition_penalty: 1.1, stream: false },
    },
    answer: answerOf(chat),
  }
}

function schemaOf({ minimum, maximum, isInteger, byDefault }: NumberRule): JsonObject {
  return { type: [isInteger === true ? 'integer' : 'number', 'null'], minimum, maximum, default: byDefault }
}

function answerOf(chat: Surface): object {
  return chat.describe?.().answer ?? { type: 'object' }
}
