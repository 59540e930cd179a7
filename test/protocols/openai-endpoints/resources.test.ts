// Files and batches as surfaces: what a request that creates must be, and what is out of reach.
import { test } from 'tap'
import { type JsonObject } from '../../../src/model/json.js'
import { type StreamObserver, type Surface } from '../../../src/protocols/contract/protocol.js'
import { openaiResources } from '../../../src/protocols/openai-endpoints/resources.js'
import { thrownBy } from '../../helpers/thrown.js'

const [FILES, BATCHES] = openaiResources as [Surface, Surface]
const FORM = '--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--b--\r\n'

test('a file is a form, whose fields pass as they are; JSON is none', (t) => {
  const type = 'multipart/form-data; boundary=b'
  t.match(FILES.endpoint?.readForm?.(Buffer.from(FORM), type), {
    facts: {
      ...{ model: '', provider: null, stream: false },
      endpoint: {
        id: 'files',
        isFree: true,
        resource: { method: 'POST', rest: '', isFile: false },
        form: { boundary: 'b' },
      },
    },
    estimatedTokens: 0,
  })
  t.match(
    thrownBy(() => FILES.endpoint?.readForm?.(Buffer.from('x'), type)),
    { code: 'invalid_request' },
  )
  t.match(
    thrownBy(() => FILES.readFacts({ purpose: 'batch' })),
    { code: 'unsupported_media_type', message: 'The body must be multipart/form-data.' },
  )
  t.equal(BATCHES.endpoint?.readForm, undefined)
  t.end()
})

test('a batch names its file and its endpoint; all else is for the provider to check', (t) => {
  const body: JsonObject = { input_file_id: 'file-1', endpoint: '/v1/embeddings' }
  t.match(BATCHES.readFacts({ ...body, completion_window: 5 }), {
    endpoint: { id: 'batches', asksStream: false, resource: { method: 'POST', rest: '' } },
  })
  for (const member of Object.keys(body)) {
    for (const value of [undefined, null, '', 5, {}]) {
      t.match(
        thrownBy(() => BATCHES.readFacts({ ...body, [member]: value } as JsonObject)),
        { code: 'invalid_request', param: member, message: `'${member}' must be a text.` },
      )
    }
  }
  t.end()
})

test('only the download of a file is bytes', (t) => {
  const shown = openaiResources.flatMap(({ routes, resources = [] }) =>
    resources.map(({ method, rest, isFile }) => `${method} ${routes[0]?.path}${rest}${isFile === true ? ' *' : ''}`),
  )
  t.same(shown, [
    ...['GET /v1/files', 'GET /v1/files/{id}', 'DELETE /v1/files/{id}', 'GET /v1/files/{id}/content *'],
    ...['GET /v1/batches', 'GET /v1/batches/{id}', 'POST /v1/batches/{id}/cancel'],
  ])
  t.ok(openaiResources.every(({ routes }) => routes.length === 1 && routes[0]?.ownKey === true))
  t.end()
})

test('nothing of them is a chat, and no usage is read from them', (t) => {
  for (const { id, endpoint, decodeRequest, createEncoder, encodeResponse } of openaiResources) {
    for (const call of [decodeRequest, createEncoder, encodeResponse]) {
      t.match(thrownBy(call as never), { code: 'internal' }, id)
    }
    t.equal(endpoint?.readUsage(Buffer.from('{"usage":{"prompt_tokens":5}}')), null)
    const observer = endpoint?.createObserver(true) as StreamObserver
    t.ok(observer.isComplete(), 'its end is that of its body')
  }
  t.end()
})
