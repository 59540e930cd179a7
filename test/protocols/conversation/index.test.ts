// The three surfaces: what they borrow and what is their own.
import { test } from 'tap'
import { createConversation } from '../../../src/protocols/conversation/index.js'
import { PROTOCOLS } from '../../../src/protocols/index.js'
import { chatSurface } from '../../../src/protocols/openai-chat/index.js'
import { refusalOf } from '../../helpers/limiter-setup.js'

const protocols = createConversation(chatSurface)
const [chat] = protocols.flatMap(({ surface }) => surface ?? [])

test('all are registered, for clients alone, below the prefix, as lines', async (t) => {
  const ids = PROTOCOLS.map(({ id }) => id)
  for (const { id, surface, dialect } of protocols) {
    t.ok(ids.includes(id), id)
    t.equal(dialect, null)
    t.match(surface, { id, framing: 'ndjson', keepaliveFrame: '\n' })
    t.ok(surface?.routes.every(({ prefix }) => prefix === 'apiPrefix'))
  }
  t.same(
    protocols.flatMap(({ surface }) => surface?.routes.map(({ path }) => path) ?? []),
    ['/chat', '/chat/completions', '/conversation_with_model', '/extended_conversation_with_model'],
  )
})

test('a chat is the borrowed surface’s, but streams unless it says no', async (t) => {
  const body = { model: 'm', messages: [{ role: 'user', content: 'Hi' }] }
  for (const [stream, expected] of [
    [{}, true],
    [{ stream: null }, true],
    [{ stream: true }, true],
    [{ stream: false }, false],
  ] as const) {
    t.equal(chat?.readFacts({ ...body, ...stream }).stream, expected)
  }
  t.equal(chat?.readFacts(body).prompt, null)
  t.equal(refusalOf(() => chat?.readFacts({ ...body, messages: 7 }))?.param, 'messages')
})
