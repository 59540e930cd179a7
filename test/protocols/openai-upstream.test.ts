// Paths of what providers of OpenAI's API offer.
import { test } from 'tap'
import { ENDPOINT_IDS } from '../../src/model/endpoint.js'
import { OPENAI_ENDPOINTS, OPENAI_WIRE, openaiPath } from '../../src/protocols/openai-upstream.js'
import { testTarget } from '../helpers/targets.js'

const TARGET = testTarget('openai-chat', { model: 'a b' })
const DATED = testTarget('openai-chat', { model: 'a b' }, { deploymentApiVersion: '2025-01-01' })

test('every endpoint has its own name as its path, or the deployment before it', (t) => {
  t.notOk('input_tokens' in OPENAI_ENDPOINTS, 'no path is shared for it')
  for (const id of ENDPOINT_IDS.filter((each) => each !== 'input_tokens')) {
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
