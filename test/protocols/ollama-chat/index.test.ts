// Path and registry of the protocol.
import { test } from 'tap'
import { PROTOCOLS } from '../../../src/protocols/index.js'
import { ollamaChat } from '../../../src/protocols/ollama-chat/index.js'
import { dialectOf, target } from '../../helpers/dialect.js'

const dialect = dialectOf(ollamaChat)

test('is registered, speaks NDJSON on one path', (t) => {
  t.ok(PROTOCOLS.includes(ollamaChat))
  t.equal(dialect.framing, 'ndjson')
  t.equal(dialect.path(target('ollama-chat'), true), '/api/chat')
  t.equal(dialect.path(target('ollama-chat'), false), '/api/chat')
  t.end()
})

test('an edited request names the model of the target, and nothing else', (t) => {
  const facts = {
    model: 'alias',
    stream: true,
    includeUsage: false,
    maxOutputTokens: null,
    provider: null,
    prompt: null,
  }
  const { edits, dropped } = dialect.editRequest(facts, {}, target('ollama-chat', { model: 'llama3.2' }))
  t.strictSame([...edits], [['model', 'llama3.2']])
  t.strictSame(dropped, [])
  t.equal(dialect.editRequest(facts, {}, target('ollama-chat', { model: 'alias' })).edits.size, 0)
  t.end()
})
