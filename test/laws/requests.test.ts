// Law 1 and the round trip of answers, over every recorded request and response of a protocol that has both halves.
import { test } from 'tap'
import { type JsonObject } from '../../src/model/json.js'
import { type Target } from '../../src/model/target.js'
import { type Dialect, type Surface } from '../../src/protocols/contract/protocol.js'
import { parseJsonBody } from '../../src/wire/json.js'
import { parseRequestBody, spliceMembers } from '../../src/wire/members.js'
import { fakeTarget } from '../helpers/fake-protocol.js'
import { DIALECTS, FALLBACK, minRequests, readFixtures, SURFACES } from '../helpers/protocol-fixtures.js'

/** A vendor without quirks, whose name for the model is the client's. */
function ownTarget(dialect: Dialect, body: JsonObject): Target {
  const target = fakeTarget(dialect.id, String(body.model))
  const maxTokensField = 'max_completion_tokens' in body ? 'max_completion_tokens' : 'max_tokens'
  const reasoningRequest = 'reasoning' in body ? 'reasoning' : 'reasoning_effort'
  return { ...target, quirks: { ...target.quirks, maxTokensField, reasoningRequest } }
}

const pairs: [Surface, Dialect][] = SURFACES.flatMap((surface) => {
  const dialect = DIALECTS.find((one) => one.id === surface.id)
  return dialect === undefined ? [] : [[surface, dialect] as [Surface, Dialect]]
})

test('there are recorded requests for every surface', async (t) => {
  for (const surface of SURFACES) t.ok(readFixtures(surface.id, 'requests').length >= minRequests(surface), surface.id)
})

for (const [surface, dialect] of pairs) {
  test(`1. ${surface.id}: a request to its own protocol passes byte by byte`, async (t) => {
    for (const { name, bytes } of readFixtures(surface.id, 'requests')) {
      const body = new Uint8Array(bytes)
      const { json, members } = parseRequestBody(body)
      const facts = { ...surface.readFacts(json), includeUsage: true }
      const { edits, dropped } = dialect.editRequest(facts, json, ownTarget(dialect, json))
      t.equal(Buffer.from(spliceMembers(body, members, edits)).toString(), bytes.toString(), name)
      t.same(dropped, [], `${name}: nothing dropped`)
    }
  })

  test(`1. ${surface.id}: encoding and decoding a request again changes nothing but what is named as dropped`, async (t) => {
    for (const { name, bytes } of readFixtures(surface.id, 'requests')) {
      const json = parseJsonBody(bytes)
      const request = surface.decodeRequest(json)
      const { body, dropped } = dialect.encodeRequest(request, ownTarget(dialect, json))
      const carried = Object.entries(request.extensions).filter(([field]) => !dropped.includes(field))
      const topP = dropped.includes('top_p') ? null : request.sampling.topP
      const sampling = { ...request.sampling, topP }
      t.same(surface.decodeRequest(body), { ...request, sampling, extensions: Object.fromEntries(carried) }, name)
    }
  })

  test(`${surface.id}: what our surface writes of an answer, our dialect reads as the same answer`, async (t) => {
    const answers = readFixtures(surface.id, 'responses')
    t.ok(answers.length >= 5)
    for (const { name, bytes } of answers) {
      const response = dialect.decodeResponse(parseJsonBody(bytes), FALLBACK)
      const reread = dialect.decodeResponse(surface.encodeResponse(response), FALLBACK)
      // A surface may put its vendor's prefix before an id.
      t.ok(reread.meta.id.endsWith(response.meta.id), name)
      t.same(reread, { ...response, meta: { ...response.meta, id: reread.meta.id } }, name)
    }
  })
}
