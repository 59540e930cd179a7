// Which providers accept a request.
import { test } from 'tap'
import { accepts, countingFacts, type EndpointDialects } from '../../../src/protocols/endpoints/endpoint.js'

const path = () => '/x'
const translates = {
  encodeRequest: () => ({ body: {}, dropped: [] }),
  decodeResponse: () => ({ vectors: [], model: null, usage: null }),
}
const DIALECTS: EndpointDialects = {
  rerank: { wire: 'a', path, lacks: [] },
  embeddings: { wire: 'b', path, lacks: ['tokens'], embeddings: translates },
}

test('a provider accepts what its wire has, what can be translated to it, and nothing that it lacks', (t) => {
  const asked = (id: 'rerank' | 'embeddings' | 'files', wire: string, ...needs: 'tokens'[]) => {
    return accepts(DIALECTS, { id, wire, needs, isText: false, isRepeatable: false, asksStream: false })
  }
  t.ok(asked('rerank', 'a'))
  t.notOk(asked('rerank', 'b'), 'nothing translates it')
  t.ok(asked('embeddings', 'a'))
  t.notOk(asked('embeddings', 'a', 'tokens'))
  t.notOk(asked('files', 'a'))
  const facts = { wire: 'a', needs: [], isText: false, isRepeatable: false, asksStream: false }
  t.notOk(accepts(undefined, { id: 'rerank', ...facts }))
  t.end()
})

test('a count of tokens is free, and goes to every provider that counts', (t) => {
  const facts = countingFacts('a')
  t.match(facts, { id: 'input_tokens', wire: 'a', isFree: true, asksStream: false })
  const counting = { encodeRequest: () => ({}), decodeResponse: () => 1 }
  t.ok(accepts({ input_tokens: { wire: 'b', path, lacks: [], counting } }, facts))
  t.notOk(accepts({ input_tokens: { wire: 'b', path, lacks: [] } }, facts))
  t.end()
})
