// The two kinds of conversation, their system prompts and options.
import { test } from 'tap'
import {
  decodeConversation,
  decodeExtended,
  readConversationFacts,
  readExtendedFacts,
} from '../../../src/protocols/conversation/request.js'
import { refusalOf } from '../../helpers/limiter-setup.js'

const PLAIN = { model_name: 'gemini-1.5-pro', user_last_statement: 'Explain recursion.', language: 'en' }
const EXTENDED = { model_name: 'llama3', user_last_statement: 'Explain recursion.', language: 'pl' }

test('a conversation streams by default and asks for its prompt in its language', async (t) => {
  t.strictSame(readConversationFacts(PLAIN), {
    model: 'gemini-1.5-pro',
    stream: true,
    includeUsage: false,
    maxOutputTokens: null,
    provider: null,
    prompt: { name: 'conversation', language: 'en' },
  })
  const { language: _, ...silent } = PLAIN
  t.match(readConversationFacts({ ...silent, stream: false }), { stream: false, prompt: { language: '' } })
})

test('the library’s text stands before the history and the last statement', async (t) => {
  const history = [{ user: 'Hi', assistant: 'Hello' }]
  const request = decodeConversation({ ...PLAIN, historical_messages: history, other: 1 }, 'Be kind.')
  t.match(request, {
    system: [{ type: 'text', text: 'Be kind.' }],
    messages: [{ role: 'user' }, { role: 'assistant' }, { role: 'user', content: [{ text: 'Explain recursion.' }] }],
  })
  t.strictSame(request.extensions, { other: 1 })
  t.strictSame(decodeConversation(PLAIN, null).system, [])
  t.strictSame(decodeConversation(PLAIN).system, [])
})

test('an extended conversation has the documented defaults', async (t) => {
  t.match(readExtendedFacts(EXTENDED), {
    maxOutputTokens: 256,
    prompt: { name: 'extended-conversation', language: 'pl' },
  })
  const { sampling, extensions } = decodeExtended(EXTENDED, null)
  t.match(sampling, { temperature: 0.75, topK: 50, topP: 0.99, maxOutputTokens: 256, seed: null, stop: [] })
  t.strictSame(extensions, { typical_p: 1, repetition_penalty: 1.2 })
})

test('its own values and system prompt win; then the library is not asked', async (t) => {
  const own = { system_prompt: 'Rhyme.', temperature: 0, top_k: 0, top_p: 0.5, typical_p: 0.9 }
  const body = { ...EXTENDED, ...own, repetition_penalty: 1, max_new_tokens: 7, other: true }
  t.match(readExtendedFacts(body), { maxOutputTokens: 7, prompt: null })
  const request = decodeExtended(body, null)
  t.strictSame(request.system, [{ type: 'text', text: 'Rhyme.' }])
  t.match(request.sampling, { temperature: 0, topK: null, topP: 0.5, maxOutputTokens: 7 })
  t.strictSame(request.extensions, { other: true, typical_p: 0.9, repetition_penalty: 1 })
  t.match(readExtendedFacts({ ...EXTENDED, system_prompt: '' }).prompt, { name: 'extended-conversation' })
  t.strictSame(decodeExtended(EXTENDED, 'Library.').system, [{ type: 'text', text: 'Library.' }])
})

test('wrong members are found before a target is', async (t) => {
  for (const [field, value] of [
    ['model_name', null],
    ['user_last_statement', ''],
    ['language', 7],
    ['historical_messages', {}],
    ['stream', 1],
  ] as const) {
    t.equal(refusalOf(() => readConversationFacts({ ...PLAIN, [field]: value }))?.param, field)
  }
  for (const [field, value] of [
    ['system_prompt', 7],
    ['temperature', 2.5],
    ['top_k', 1.5],
    ['top_p', -1],
    ['typical_p', 'x'],
    ['repetition_penalty', -1],
    ['max_new_tokens', 0],
  ] as const) {
    t.equal(refusalOf(() => readExtendedFacts({ ...EXTENDED, [field]: value }))?.param, field)
  }
})
