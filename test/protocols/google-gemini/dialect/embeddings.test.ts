// batchEmbedContents for clients of other APIs.
import { test } from 'tap'
import { embeddings } from '../../../../src/protocols/google-gemini/dialect/embeddings.js'
import { testTarget } from '../../../helpers/targets.js'
import { thrownBy } from '../../../helpers/thrown.js'

const TARGET = testTarget('google-gemini', { model: 'models/gemini-embedding-001' })
const PLAIN = { dimensions: null, task: null, user: null }
const half = embeddings.embeddings

test('each input is a request of its own, with the options of all', (t) => {
  t.equal(embeddings.path(TARGET), '/models/gemini-embedding-001:batchEmbedContents')
  t.same(half?.encodeRequest({ ...PLAIN, inputs: ['a', 'b'] }, TARGET), {
    body: {
      requests: ['a', 'b'].map((text) => ({ model: 'models/gemini-embedding-001', content: { parts: [{ text }] } })),
    },
    dropped: [],
  })
  const task = { type: 'RETRIEVAL_DOCUMENT', title: 'T' }
  t.match(half?.encodeRequest({ inputs: ['a'], dimensions: 5, task, user: 'u' }, TARGET), {
    body: { requests: [{ outputDimensionality: 5, taskType: 'RETRIEVAL_DOCUMENT', title: 'T' }] },
    dropped: ['user'],
  })
  t.same(embeddings.lacks, ['tokens'])
  t.end()
})

test('vectors come in order, with tokens where they are counted', (t) => {
  const body = { embeddings: [{ values: [1, 2] }, { values: [3] }] }
  t.same(half?.decodeResponse(body), { vectors: [[1, 2], [3]], model: null, usage: null })
  t.match(half?.decodeResponse({ ...body, usageMetadata: { promptTokenCount: 4 } }), { usage: { inputTokens: 4 } })
  for (const bad of [{}, { embeddings: [1] }, { embeddings: [{ values: ['a'] }] }]) {
    t.match(
      thrownBy(() => half?.decodeResponse(bad as never)),
      { code: 'upstream_malformed' },
    )
  }
  t.end()
})
