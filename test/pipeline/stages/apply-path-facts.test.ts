// What the path says goes before what the body says.
import { test } from 'tap'
import { applyPathFacts } from '../../../src/pipeline/stages/apply-path-facts.js'
import { type DecodedBody } from '../../../src/protocols/contract/envelope.js'

function decoded(stream: boolean, provider: string | null): DecodedBody {
  const facts = { model: 'm', stream, includeUsage: false, maxOutputTokens: null, provider, prompt: null }
  return { facts, members: [], estimatedTokens: 1, json: null, body: new Uint8Array(2) }
}

test('a path that says nothing leaves the request as it is', async (t) => {
  const request = decoded(false, 'south')
  t.equal(applyPathFacts(request, null), request)
})

test('a route that streams does so whatever the body says, and no route stops one', async (t) => {
  const path = { streams: true, provider: null, callerKey: null }
  t.match(applyPathFacts(decoded(false, 'south'), path).facts, { stream: true, provider: 'south' })
  t.equal(applyPathFacts(decoded(true, null), { ...path, streams: false }).facts.stream, true)
})

test('a provider in the path goes before one in the body', async (t) => {
  const path = { streams: false, provider: 'north', callerKey: null }
  t.match(applyPathFacts(decoded(false, 'south'), path).facts, { stream: false, provider: 'north' })
})
