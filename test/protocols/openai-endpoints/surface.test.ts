// A surface of an endpoint: what is read of a request, and what is out of reach.
import { test } from 'tap'
import { openaiEndpoints } from '../../../src/protocols/openai-endpoints/endpoints.js'
import { createEndpointSurface, type EndpointRow } from '../../../src/protocols/openai-endpoints/surface.js'
import { thrownBy } from '../../helpers/thrown.js'

const ROW: EndpointRow = {
  ...{ id: 'rerank', surfaceId: 'x', title: 'X', summary: 'x' },
  ...{ members: { query: 'A text' }, example: { model: 'm', query: 'q' } },
}

test('the model is required unless the API has a default, and is a name', (t) => {
  const plain = createEndpointSurface(ROW)
  const lenient = createEndpointSurface({ ...ROW, defaultModel: 'd' })
  t.equal(plain.readFacts({ model: 'm' }).model, 'm')
  t.match(
    thrownBy(() => plain.readFacts({})),
    { code: 'invalid_request', param: 'model', message: /required/ },
  )
  t.equal(lenient.readFacts({ model: null }).model, 'd')
  for (const model of ['', 1, [], 'm'.repeat(257)]) {
    t.match(
      thrownBy(() => lenient.readFacts({ model } as never)),
      { param: 'model', message: /1 to 256/ },
    )
  }
  t.same(plain.describe?.().body, {
    type: 'object',
    required: ['model'],
    properties: {
      model: { type: 'string', minLength: 1, maxLength: 256 },
      query: { description: 'A text' },
      provider: { description: 'Only this provider' },
    },
  })
  t.match(lenient.describe?.().body, { properties: { model: { type: ['string', 'null'], default: 'd' } } })
  t.end()
})

test('only a text counts as the provider; an object of that name is the provider’s own', (t) => {
  const { readFacts } = createEndpointSurface(ROW)
  t.equal(readFacts({ model: 'm', provider: 'openai' }).provider, 'openai')
  t.equal(readFacts({ model: 'm', provider: { order: ['a'] } }).provider, null)
  t.end()
})

test('no answer streams before the provider says so, whatever is asked', (t) => {
  const { readFacts } = createEndpointSurface({ ...ROW, asksStream: ({ stream }) => stream === true })
  t.match(readFacts({ model: 'm', stream: true }), { stream: false, endpoint: { asksStream: true, isText: false } })
  t.match(readFacts({ model: 'm' }), { endpoint: { asksStream: false, needs: [] } })
  t.end()
})

test('text has a cap, other answers have none', (t) => {
  const text = createEndpointSurface({ ...ROW, readOutput: () => ({ maxOutputTokens: 5, answers: 2 }) })
  t.match(text.readFacts({ model: 'm' }), { maxOutputTokens: 5, answers: 2, endpoint: { isText: true } })
  const other = createEndpointSurface(ROW).readFacts({ model: 'm' })
  t.equal(other.maxOutputTokens, null)
  t.notOk('answers' in other)
  t.end()
})

test('nothing of an endpoint is ever translated as a chat', (t) => {
  for (const surface of openaiEndpoints) {
    const { id, decodeRequest, createEncoder, encodeResponse } = surface
    for (const act of [decodeRequest, createEncoder, encodeResponse]) {
      t.match(
        thrownBy(() => (act as unknown as () => void)()),
        { code: 'internal' },
        id,
      )
    }
    t.match(surface.encodeError({ code: 'internal', status: 500, message: 'x' } as never, 'r').body, {
      error: { message: 'x' },
    })
    const example = Object.values(surface.describe?.().examples ?? {})[0] ?? {}
    t.equal(surface.readFacts(example).endpoint?.id, surface.endpoint?.id, `${id} accepts its example`)
  }
  t.end()
})
