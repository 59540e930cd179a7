// Law 1 and the round trip of answers, over every recorded request and response of a protocol that has both halves.
import { test } from 'tap'
import { type Dialect, type Surface } from '../../src/protocols/contract/protocol.js'
import { parseJsonBody } from '../../src/wire/json.js'
import { DIALECTS, FALLBACK, minRequests, readFixtures, SURFACES } from '../helpers/protocol-fixtures.js'
import { findChangedBytes, ownTarget } from '../helpers/protocol-laws.js'

const pairs: [Surface, Dialect][] = SURFACES.flatMap((surface) => {
  const dialect = DIALECTS.find((one) => one.id === surface.id)
  return dialect === undefined ? [] : [[surface, dialect] as [Surface, Dialect]]
})

test('there are recorded requests for every surface', async (t) => {
  for (const surface of SURFACES) t.ok(readFixtures(surface.id, 'requests').length >= minRequests(surface), surface.id)
})

for (const [surface, dialect] of pairs) {
  test(`1. ${surface.id}: a request to its own protocol passes byte by byte`, async (t) => {
    for (const request of readFixtures(surface.id, 'requests')) t.same(findChangedBytes(surface, dialect, request), [])
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
