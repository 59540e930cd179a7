// /api/embed for clients of other APIs.
import { test } from 'tap'
import { embeddings } from '../../../../src/protocols/ollama-chat/dialect/embeddings.js'
import { testTarget } from '../../../helpers/targets.js'
import { thrownBy } from '../../../helpers/thrown.js'

const TARGET = testTarget('ollama-chat', { model: 'nomic-embed-text' })
const half = embeddings.embeddings

test('all inputs are one request; what the server does not know is named', (t) => {
  t.equal(embeddings.path(TARGET), '/api/embed')
  t.same(half?.encodeRequest({ inputs: ['a', 'b'], dimensions: null, task: null, user: null }, TARGET), {
    body: { model: 'nomic-embed-text', input: ['a', 'b'] },
    dropped: [],
  })
  const task = { type: 'CLUSTERING', title: null }
  t.same(half?.encodeRequest({ inputs: ['a'], dimensions: 5, task, user: 'u' }, TARGET), {
    body: { model: 'nomic-embed-text', input: ['a'], dimensions: 5 },
    dropped: ['user', 'taskType'],
  })
  t.same(embeddings.lacks, ['tokens'])
  t.end()
})

test('vectors come in order, with the tokens of the prompt', (t) => {
  const body = { model: 'nomic', embeddings: [[1, 2], [3]], prompt_eval_count: 6 }
  t.match(half?.decodeResponse(body), { vectors: [[1, 2], [3]], model: 'nomic', usage: { inputTokens: 6 } })
  for (const bad of [{}, { embeddings: [1] }, { embeddings: [['a']] }]) {
    t.match(
      thrownBy(() => half?.decodeResponse(bad as never)),
      { code: 'upstream_malformed' },
    )
  }
  t.end()
})
