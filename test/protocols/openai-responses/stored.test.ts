import { test } from 'tap'
import { errorData } from '../../../src/errors.js'
import { type ErrorData } from '../../../src/model/error.js'
import { stored } from '../../../src/protocols/openai-responses/stored.js'
import { parseRequestBody } from '../../../src/wire/body/members.js'
import { thrownBy } from '../../helpers/thrown.js'
import { payloadsOf } from './streams.js'

function join(body: string, earlier: { input: string; response: string } | null = null, maxBytes = 1000) {
  const bytes = new Uint8Array(Buffer.from(body))
  const texts = earlier === null ? null : { input: Buffer.from(earlier.input), response: Buffer.from(earlier.response) }
  const { body: joined, input } = stored.joinTurns(
    { body: bytes, members: parseRequestBody(bytes).members },
    texts,
    maxBytes,
  )
  return {
    isSame: joined === bytes,
    body: Buffer.from(joined).toString(),
    input: Buffer.from(input).toString(),
    joined,
  }
}

test('a request that continues nothing keeps its bytes, and its input becomes a list of items', (t) => {
  const text = join('{"model":"m", "input": "Zażółć \\"x\\"" }')
  t.ok(text.isSame)
  t.same(JSON.parse(text.input), [{ type: 'message', role: 'user', content: 'Zażółć "x"' }])
  const list = join('{"model":"m","input": [ {"role":"user","content":"a"} ]}')
  t.ok(list.isSame)
  t.equal(list.input, '[ {"role":"user","content":"a"} ]')
  t.end()
})

test('earlier turns go before the input: what they were asked, what was answered', (t) => {
  const earlier = { input: '[{"n":1.0}]', response: '{"id":"r","output":[{"n":2},{"n":3}],"usage":null}' }
  const { body, input, joined } = join('{"model":"m","previous_response_id":"r","input":"Hi","x":1.50}', earlier)
  const items = '[{"n":1.0},{"n":2},{"n":3},{"type":"message","role":"user","content":"Hi"}]'
  t.equal(input, items)
  t.equal(body, `{"model":"m","input":${items},"x":1.50}`)
  t.equal(joined.buffer.byteLength, joined.byteLength, 'in memory of its own, for a worker')
  t.end()
})

test('lists without items leave no gap', (t) => {
  const body = '{"model":"m","input":[{"n":4}]}'
  t.equal(join(body, { input: '[ ]', response: '{"output":[]}' }).input, '[{"n":4}]')
  t.equal(join(body, { input: '[{"n":1}]', response: '{}' }).input, '[{"n":1},{"n":4}]')
  t.equal(join('{"model":"m","input":[]}', { input: '[{"n":1}]', response: '{"output":[]}' }).input, '[{"n":1}]')
  t.end()
})

test('an output that is no list adds no items', (t) => {
  const body = '{"model":"m","input":[{"n":4}]}'
  for (const output of ['null', '{"a":1}', '"[]"', '7']) {
    const { input } = join(body, { input: '[{"n":1}]', response: `{"output":${output}}` })
    t.equal(input, '[{"n":1},{"n":4}]', output)
  }
  t.end()
})

test('an answer that is not complete yet cannot be continued: its turn would be lost', (t) => {
  const earlier = (status: string) => ({ input: '[]', response: `{"status":"${status}","output":[]}` })
  for (const status of ['queued', 'in_progress']) {
    const wanted = { message: /not complete yet/, data: { param: 'previous_response_id' } }
    t.throws(() => join('{"model":"m","input":"x"}', earlier(status)), wanted)
  }
  for (const status of ['completed', 'incomplete', 'failed', 'cancelled']) {
    t.equal(join('{"model":"m","input":[{"n":1}]}', earlier(status)).input, '[{"n":1}]', status)
  }
  t.end()
})

test('a conversation does not grow beyond the largest body', (t) => {
  const earlier = { input: '[{"n":1}]', response: '{"output":[{"n":2}]}' }
  t.equal(join('{"model":"m","input":[{"n":3}]}', earlier, 27).input.length, 25)
  t.throws(() => join('{"model":"m","input":[{"n":3}]}', earlier, 26), { message: /26 bytes \(server.maxBodyBytes\)/ })
  t.ok(join('{"model":"m","input":[{"n":3}]}', null, 10).isSame, 'what arrived has been measured')
  t.end()
})

test('what the gateway does itself reaches no provider', (t) => {
  t.equal(
    join('{"background":true,"model":"m","input":[],"previous_response_id":null}').body,
    '{"model":"m","input":[]}',
  )
  t.end()
})

test('the answer of a stream is in its last frame, however that is written', (t) => {
  const answer = '{"id":"resp_1","output":[]}'
  const payload = `{"type":"response.completed","response":${answer},"sequence_number":9}`
  const split = payload.replace('"response"', '\ndata: "response"')
  for (const frame of [
    `event: response.completed\ndata: ${payload}\n\n`,
    `data:${payload}\r\n\r\n`,
    `data: ${split}\n\n`,
  ]) {
    t.equal(Buffer.from(stored.answerIn(Buffer.from(frame)) ?? []).toString(), answer, JSON.stringify(frame))
  }
  t.equal(stored.answerIn(Buffer.from('data: {"type":"x"}\n\n')), null)
  t.equal(stored.answerIn(Buffer.from(': ping\n\n')), null)
  t.end()
})

const INPUT = [
  { role: 'user', content: 'a' },
  { type: 'message', role: 'assistant', id: 'msg_1', content: 'b' },
  { type: 'function_call', id: 'fc_1', call_id: 'c', name: 'f', arguments: '{}' },
  { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'c' }] },
]

function list(query: Partial<Parameters<typeof stored.encodeItems>[1]> = {}, input: unknown = INPUT) {
  const texts = { id: 'resp_abc', input: Buffer.from(JSON.stringify(input)), response: Buffer.from('{}') }
  return stored.encodeItems(texts, { limit: 20, order: 'asc', after: null, ...query })
}

test('items are listed in their long form, each with an id that is always the same', (t) => {
  t.same(list(), {
    object: 'list',
    data: [
      {
        ...{ id: 'item_abc_in0', type: 'message', role: 'user', status: 'completed' },
        content: [{ type: 'input_text', text: 'a' }],
      },
      {
        ...{ id: 'msg_1', type: 'message', role: 'assistant', status: 'completed' },
        content: [{ type: 'output_text', annotations: [], text: 'b' }],
      },
      INPUT[2],
      { ...INPUT[3], id: 'item_abc_in3' },
    ],
    first_id: 'item_abc_in0',
    last_id: 'item_abc_in3',
    has_more: false,
  })
  t.end()
})

test('pages go on after an item, in either order, to the last one', (t) => {
  const idsOf = ({ data }: ReturnType<typeof list>) => (data as { id: string }[]).map(({ id }) => id)
  const newest = list({ order: 'desc', limit: 2 })
  t.same(idsOf(newest), ['item_abc_in3', 'fc_1'])
  t.equal(newest.has_more, true)
  const rest = list({ order: 'desc', limit: 2, after: 'fc_1' })
  t.same(idsOf(rest), ['msg_1', 'item_abc_in0'])
  t.equal(rest.has_more, false)
  t.same(idsOf(list({ after: 'item_abc_in3' })), [])
  t.match(list({}, []), { data: [], first_id: null, last_id: null, has_more: false })
  t.throws(() => list({ after: 'msg_9' }), { message: /'msg_9' not found/ })
  const spaced = Buffer.from(' [ {"id":"a","content":"\\"b\\"],"} ,\n{"content":"say \\"a\\"","id":"b"}\t] '.trim())
  const query = { limit: 1, order: 'asc', after: null } as const
  const texts = { id: 'resp_abc', input: spaced, response: Buffer.from('{}') }
  t.match(stored.encodeItems(texts, query), { data: [{ id: 'a' }], has_more: true })
  t.match(stored.encodeItems(texts, { ...query, after: 'a' }), { data: [{ id: 'b' }], has_more: false })
  t.end()
})

test('an id that is not found is named, shortened where it is long; the code of a lost turn never changes', (t) => {
  t.match(stored.previousNotFound('resp_1').data, {
    ...{ status: 400, param: 'previous_response_id', ownCode: 'previous_response_not_found' },
    message: "Previous response with id 'resp_1' not found.",
  })
  t.match(stored.notFound('x'.repeat(200)).data, {
    status: 404,
    message: `Response with id '${'x'.repeat(80)}...' not found.`,
  })
  t.same(stored.encodeDeleted('resp_1'), { id: 'resp_1', object: 'response', deleted: true })
  t.equal(stored.encodeId('abc'), 'resp_abc')
  t.end()
})

test('an answer that is not complete has every member, its state, and no output', (t) => {
  const own = { id: 'resp_1', store: true, background: true, previous_response_id: null }
  const head = { own, model: 'm', createdSec: 7 }
  const failed = stored.encodeState({ ...head, status: 'failed', error: errorData('upstream_cut') }, null)
  t.match(failed, { ...own, status: 'failed', created_at: 7, model: 'm', output: [], usage: null })
  t.match(failed.error, { code: /./, message: /ended the connection/ })
  const echo = { request: { metadata: { a: 'b' } }, names: {} }
  t.match(stored.encodeState({ ...head, status: 'queued', error: null }, echo), {
    ...{ status: 'queued', error: null, metadata: { a: 'b' }, id: 'resp_1' },
  })
  t.end()
})

test('its state is read from its text, and changed there', (t) => {
  const stateOf = (text: string) => stored.readState(Buffer.from(text))
  t.same(stateOf('{"status":"queued","background":true}'), { isOver: false, isCancelled: false, isBackground: true })
  t.same(stateOf('{"status" : "in_progress"}'), { isOver: false, isCancelled: false, isBackground: false })
  const cancelled = stored.withCancelled(Buffer.from('{ "n": 1.50, "status":"queued" }'))
  t.equal(Buffer.from(cancelled).toString(), '{ "n": 1.50, "status":"cancelled" }')
  t.match(stored.readState(cancelled), { isOver: true, isCancelled: true })
  const none = Buffer.from('x')
  t.equal(stored.withCancelled(none), none)
  t.match(stored.notBackground().data, { status: 400, message: /background: true/ })

  test('an answer whose process died has failed, and says why', (t) => {
    const lost = stored.withLost(Buffer.from('{ "id":"r1", "status":"in_progress", "error":null }'))
    t.match(JSON.parse(String(Buffer.from(lost))), {
      id: 'r1',
      status: 'failed',
      error: { code: 'upstream_cut', message: /ended before/ },
    })
    t.match(stored.readState(lost), { isOver: true })
    const none = Buffer.from('[]')
    t.equal(stored.withLost(none), none)
    t.end()
  })

  test('items take the places of the references to them, and every other byte stays', (t) => {
    const text = '{"model":"m", "input": [ {"n":1.0},{"id":"a"} , {"type":"item_reference","id":"b"}],"x":"é"}'
    const body = new Uint8Array(Buffer.from(text))
    const { members } = parseRequestBody(body)
    const references = [
      { index: 1, id: 'a' },
      { index: 2, id: 'b' },
    ]
    const texts = new Map([
      ['a', Buffer.from('{"id":"a","n":"ż"}')],
      ['b', Buffer.from('{"id":"b"}')],
    ])
    const whole = stored.withItems({ body, members }, references, { texts, maxBytes: 1000 })
    t.equal(
      String(Buffer.from(whole.body)),
      '{"model":"m", "input": [ {"n":1.0},{"id":"a","n":"ż"} , {"id":"b"}],"x":"é"}',
    )
    t.same(whole.members, parseRequestBody(whole.body).members)
    t.equal(whole.body.buffer.byteLength, whole.body.byteLength, 'in memory of its own, for a worker')
    const find = (given: typeof references, maxBytes = 1000) =>
      thrownBy(() => stored.withItems({ body, members }, given, { texts, maxBytes }))
    t.match(find([{ index: 1, id: 'c' }]), { ownCode: 'item_not_found', param: 'input.1' })
    t.match(find([{ index: 7, id: 'a' }]), { ownCode: 'item_not_found', param: 'input.7' })
    t.match(find(references, 100), { code: 'payload_too_large' })
    const none = new Uint8Array(Buffer.from('{"model":"m"}'))
    t.match(
      thrownBy(() => stored.withItems({ body: none, members: [] }, references, { texts, maxBytes: 1000 })),
      { ownCode: 'item_not_found' },
    )
    t.end()
  })

  test('output items that have an id are found in the text of an answer', (t) => {
    const text =
      '{"id":"r","output":[ {"id":"msg_1","n":"ż"} , {"n":1},{"id":7},{"id":""},{ "type":"x", "id":"\\u0061b" }],"n":[]}'
    const answer = Buffer.from(text)
    const items = stored.itemsIn(answer)
    t.same(
      items.map(({ id, start, end }) => [id, String(answer.subarray(start, end))]),
      [
        ['msg_1', '{"id":"msg_1","n":"ż"}'],
        ['ab', '{ "type":"x", "id":"\\u0061b" }'],
      ],
    )
    for (const other of ['[]', '{"id":"r"}', '{"output":null}', '{"output":"[{}]"}', '{"output":[]}']) {
      t.same(stored.itemsIn(Buffer.from(other)), [], other)
    }
    const many = JSON.stringify({ output: Array.from({ length: 1100 }, (_, i) => ({ id: `i${i}` })) })
    t.equal(stored.itemsIn(Buffer.from(many)).length, 1000)
    t.end()
  })
  t.end()
})

test('the number of an event is its own, whatever its texts say', (t) => {
  const sequenceOf = (text: string) => stored.sequenceOf(Buffer.from(text))
  t.equal(sequenceOf('event: x\ndata: {"type":"x","sequence_number":12}\n\n'), 12)
  t.equal(sequenceOf('data: {"sequence_number" : 3,"delta":"a"}\n\n'), 3)
  const text = JSON.stringify({ delta: '"sequence_number":99', sequence_number: 4 })
  t.equal(sequenceOf(`data: ${text}\n\n`), 4)
  const nested = JSON.stringify({ response: { tools: [{ examples: [{ sequence_number: 99 }] }] }, sequence_number: 5 })
  t.equal(sequenceOf(`data: ${nested}\n\n`), 5, 'nor what its request says')
  t.equal(sequenceOf(': ping\n\n'), null)
  t.end()
})

test('an answer that is not over is shown in another state, with its error or without', (t) => {
  const answer = Buffer.from('{"id":"r", "status":"queued","error":null,"n":1.0}')
  const shown = (status: 'queued' | 'in_progress' | 'failed', error?: ErrorData) =>
    Buffer.from(stored.withStatus(answer, status, error)).toString()
  t.equal(shown('in_progress'), '{"id":"r", "status":"in_progress","error":null,"n":1.0}')
  t.match(JSON.parse(shown('failed', errorData('upstream_cut'))), { status: 'failed', error: { code: 'upstream_cut' } })
  t.end()
})

test('the first and the last events of an answer that runs without its client are made of the answer', (t) => {
  const events = (frames: readonly Buffer[]) => payloadsOf(Buffer.concat(frames).toString())
  const first = stored.firstFrames(Buffer.from('{"id":"r","status":"in_progress","error":null}'))
  t.same(events(first), [
    { type: 'response.created', response: { id: 'r', status: 'queued', error: null }, sequence_number: 0 },
    { type: 'response.queued', response: { id: 'r', status: 'queued', error: null }, sequence_number: 1 },
  ])
  for (const status of ['completed', 'incomplete']) {
    const response = { id: 'r', status, error: null }
    t.same(events(stored.lastFrames(Buffer.from(JSON.stringify(response)))), [
      { type: `response.${status}`, response, sequence_number: 2 },
    ])
  }
  const failed = { id: 'r', status: 'failed', error: { code: 'c', message: 'm' } }
  t.match(events(stored.lastFrames(Buffer.from(JSON.stringify(failed)))), [
    { type: 'error', code: 'c', message: 'm', error: { type: 'server_error', code: 'c' }, sequence_number: 2 },
    { type: 'response.failed', response: failed, sequence_number: 3 },
  ])
  for (const text of ['{"status":"cancelled","error":null}', '{"status":"cancelled"}']) {
    t.match(events(stored.lastFrames(Buffer.from(text))), [
      { type: 'error', message: 'The response was cancelled.' },
      { type: 'response.failed', response: { status: 'cancelled' } },
    ])
  }
  t.end()
})
