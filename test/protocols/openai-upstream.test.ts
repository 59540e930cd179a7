// Paths of what providers of OpenAI's API offer.
import { test } from 'tap'
import { ENDPOINT_IDS } from '../../src/model/endpoint.js'
import { OPENAI_ENDPOINTS, OPENAI_WIRE, openaiPath } from '../../src/protocols/openai-upstream.js'
import { testTarget } from '../helpers/targets.js'

const TARGET = testTarget('openai-chat', { model: 'a b' })
const DATED = testTarget('openai-chat', { model: 'a b' }, { deploymentApiVersion: '2025-01-01' })

test('every endpoint has its own name as its path, or the deployment before it', (t) => {
  t.notOk('input_tokens' in OPENAI_ENDPOINTS, 'no path is shared for it')
  for (const id of ENDPOINT_IDS.filter((each) => !['input_tokens', 'files', 'batches'].includes(each))) {
    const half = OPENAI_ENDPOINTS[id]
    t.equal(half?.wire, OPENAI_WIRE)
    t.equal(half?.path(TARGET), `/${id}`)
    t.equal(half?.path(DATED), `/deployments/a%20b/${id}?api-version=2025-01-01`)
    t.equal(half?.embeddings !== undefined, id === 'embeddings')
  }
  t.equal(openaiPath(TARGET, '/x'), '/x')
  const { encodeRequest } = OPENAI_ENDPOINTS.embeddings?.embeddings ?? {}
  const asked = { inputs: ['a'], dimensions: null, task: null, user: null }
  t.equal(encodeRequest?.(asked, TARGET).body.model, 'a b')
  t.end()
})

test('an account is below the same path for all models, and its query keeps what is there', (t) => {
  for (const id of ['files', 'batches'] as const) {
    const half = OPENAI_ENDPOINTS[id]
    t.equal(half?.path(TARGET), `/${id}`)
    t.equal(half?.path(TARGET, '/x/content?a=b'), `/${id}/x/content?a=b`)
    t.equal(half?.path(DATED, '/x'), `/${id}/x?api-version=2025-01-01`)
    t.equal(half?.path(DATED, '?limit=1'), `/${id}?limit=1&api-version=2025-01-01`)
  }
  t.end()
})
