// The files and batches of the simulator.
import { test } from 'tap'
import { type JsonObject } from '../../../src/model/json.js'
import { isResource, type ResourceAsked, SimResources } from '../../../src/simulator/endpoints/openai-resources.js'

type Asked = Partial<Omit<ResourceAsked, 'bytes' | 'path' | 'method'>> & { readonly body?: string | Buffer }

function ask(resources: SimResources, way: string, { body = '', ...asked }: Asked = {}) {
  const [method = '', path = ''] = way.split(' ')
  const given = { method, path, query: '', key: 'k', form: null, createdSec: 5, ...asked }
  const answer = resources.answer({ ...given, bytes: Buffer.from(body) })
  const isJson = answer.contentType === 'application/json'
  return { ...answer, json: (isJson ? JSON.parse(answer.body.toString()) : {}) as JsonObject }
}

function formOf(content: string | Buffer, purpose = 'batch'): Asked {
  const head = '--b\r\nContent-Disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n'
  const field = `--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\n${purpose}\r\n`
  return {
    form: 'b',
    body: Buffer.concat([Buffer.from(field + head), Buffer.from(content), Buffer.from('\r\n--b--\r\n')]),
  }
}

function upload(resources: SimResources, content: string | Buffer, asked: Asked = {}): string {
  return String(ask(resources, 'POST /v1/files', { ...formOf(content), ...asked }).json.id)
}

test('a file is kept to the byte, and shown, listed and deleted by its id', (t) => {
  const resources = new SimResources()
  const bytes = Buffer.from([0, 255, 13, 10, 45, 45, 128])
  const created = ask(resources, 'POST /v1/files', formOf(bytes))
  const shown = { object: 'file', bytes: 7, filename: 'a.jsonl', purpose: 'batch', created_at: 5, status: 'processed' }
  t.match(created.json, shown)
  const id = String(created.json.id)
  t.match(ask(resources, `GET /v1/files/${id}`).json, shown)
  const { body, contentType } = ask(resources, `GET /v1/files/${id}/content`)
  t.same([body, contentType], [bytes, 'application/octet-stream'])
  t.match(ask(resources, `DELETE /v1/files/${id}`).json, { id, deleted: true })
  for (const way of ['GET', 'DELETE']) t.equal(ask(resources, `${way} /v1/files/${id}`).status, 404)
  t.equal(ask(resources, `GET /v1/files/${id}/content`).status, 404)
  t.end()
})

test('lists have pages, the newest first, and those of another key are not in them', (t) => {
  const resources = new SimResources()
  const ids = ['a', 'b', 'c'].map((content) => upload(resources, content))
  const other = upload(resources, 'd', { key: 'other' })
  const list = (query: string, key = 'k') => {
    const { data, has_more } = ask(resources, 'GET /v1/files', { query, key }).json
    return [(data as JsonObject[]).map(({ id }) => id), has_more]
  }
  t.same(list(''), [ids.toReversed(), false])
  t.same(list('limit=2'), [[ids[2], ids[1]], true])
  t.same(list(`limit=2&after=${ids[1]}`), [[ids[0]], false])
  t.same(list('order=asc&limit=1'), [[ids[0]], true])
  t.same(list('purpose=vision'), [[], false])
  t.same(list('', 'other'), [[other], false])
  t.equal(ask(resources, `GET /v1/files/${other}`).status, 404)
  t.end()
})

test('a batch is done when it is looked at, with the text of each request; one that is cancelled before has no results', (t) => {
  const resources = new SimResources()
  const line = (id: string, content: string) =>
    JSON.stringify({ custom_id: id, method: 'POST', url: '/v1/chat/completions', body: { messages: [{ content }] } })
  const input_file_id = upload(resources, `${line('x', 'Hi')}\n${line('y', 'Ho')}\nno JSON\n\n`)
  const start = () => {
    const body = JSON.stringify({ input_file_id, endpoint: '/v1/chat/completions', completion_window: '24h' })
    return ask(resources, 'POST /v1/batches', { body }).json
  }
  const first = start()
  t.match(first, { object: 'batch', status: 'validating', input_file_id, output_file_id: null })
  const done = ask(resources, `GET /v1/batches/${first.id}`).json
  t.match(done, { status: 'completed', request_counts: { total: 3 } })
  const output = ask(resources, `GET /v1/files/${done.output_file_id}/content`).body.toString()
  const results = output
    .trim()
    .split('\n')
    .map((text) => JSON.parse(text))
  t.match(
    results.map(({ custom_id, response }) => [custom_id, response.body.choices[0].message.content]),
    [
      ['x', 'Hi'],
      ['y', 'Ho'],
      [null, ''],
    ],
  )
  t.match(ask(resources, `POST /v1/batches/${first.id}/cancel`).json, { status: 'completed' }, 'too late')
  const second = start()
  t.match(ask(resources, `POST /v1/batches/${second.id}/cancel`).json, { status: 'cancelled' })
  t.match(ask(resources, `GET /v1/batches/${second.id}`).json, { status: 'cancelled', output_file_id: null })
  t.match(ask(resources, 'GET /v1/batches').json, { data: [{ id: second.id }, { id: first.id }] })
  t.equal(ask(resources, 'GET /v1/batches/none').status, 404)
  t.equal(ask(resources, 'POST /v1/batches/none/cancel').status, 404)
  t.end()
})

test('what is missing or wrong is refused', (t) => {
  const resources = new SimResources()
  const none = { form: 'b', body: '--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nx\r\n--b--\r\n' }
  for (const asked of [{}, none]) {
    t.match(ask(resources, 'POST /v1/files', asked), { status: 400, json: { error: { message: /'file'/ } } })
  }
  const file = '--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nx\r\n--b--\r\n'
  t.match(ask(resources, 'POST /v1/files', { form: 'b', body: file }).json, { error: { message: /'purpose'/ } })
  for (const body of ['', '[]', '{}', '{"input_file_id":"none"}']) {
    t.equal(ask(resources, 'POST /v1/batches', { body }).status, 400, body)
  }
  t.equal(ask(resources, 'PUT /v1/files').status, 405)
  t.ok(isResource('/v1/files/x/content'))
  t.notOk(isResource('/v1/files/x/y/z') || isResource('/v1/models'))
  t.end()
})

test('the oldest files of a key make room where all of them together are too large', (t) => {
  const resources = new SimResources()
  const large = Buffer.alloc(33 * 1024 * 1024)
  const [first, second] = [upload(resources, large), upload(resources, large)]
  t.equal(ask(resources, `GET /v1/files/${first}`).status, 404)
  t.equal(ask(resources, `GET /v1/files/${second}`).status, 200)
  t.end()
})
