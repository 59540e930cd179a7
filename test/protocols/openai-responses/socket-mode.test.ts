// WebSocket mode as bytes: what clients say, and what events, failures and refusals look like on a lane.
import { test } from 'tap'
import { errorData } from '../../../src/errors.js'
import { socketMode as mode } from '../../../src/protocols/openai-responses/socket-mode.js'

const read = (message: unknown) => mode.readMessage(Buffer.from(JSON.stringify(message)))
const readText = (text: string) => mode.readMessage(Buffer.from(text))

function bodyOf(message: unknown): unknown {
  const said = read(message)
  return said.kind === 'turn' ? JSON.parse(Buffer.from(said.body).toString()) : said.kind
}

test('a turn is its body as it would be posted for a stream: type, lane and generate are gone, every other byte stays', (t) => {
  const input = [{ role: 'user', content: 'é' }]
  const more = { model: 'm', input, background: false }
  t.same(bodyOf({ type: 'response.create', ...more }), { ...more, stream: true })
  t.same(bodyOf({ ...more, stream: false, stream_id: 'a', type: 'response.create', generate: true }), {
    ...more,
    stream: true,
  })
  const said = readText('{"type":"response.create","seed":12345678901234567890,"stream_id":null,"x":[1, 2]}')
  t.match(said, { kind: 'turn', lane: null, isWarmUp: false })
  const text = said.kind === 'turn' ? Buffer.from(said.body).toString() : ''
  t.equal(text, '{"stream":true,"seed":12345678901234567890,"x":[1, 2]}')
  t.match(read({ type: 'response.create', stream_id: 'a', generate: false }), { lane: 'a', isWarmUp: true })
  if (said.kind === 'turn') t.equal(said.body.buffer.byteLength, said.body.length, 'in its own memory')
  t.end()
})

test('what is no turn and no steering is a fault, on its lane where that is known', (t) => {
  const cases: [unknown, string | null, string | null][] = [
    [[], null, null],
    [{ type: 'response.create', stream_id: '' }, null, 'stream_id'],
    [{ type: 'response.create', stream_id: 7 }, null, 'stream_id'],
    [{ type: 'response.create', stream_id: 'x'.repeat(129) }, null, 'stream_id'],
    [{ type: 'response.create', stream_id: 'x'.repeat(5000) }, null, 'stream_id'],
    [{ type: 'response.cancel', stream_id: 'a' }, 'a', 'type'],
    [{ stream_id: 'a' }, 'a', 'type'],
    [{ type: 'response.create', stream_id: 'a', generate: 'no' }, 'a', 'generate'],
    [{ type: 'response.create', stream_id: 'a', background: true }, 'a', 'background'],
    [{ type: 'response.steer', input: 'x' }, null, 'previous_response_id'],
  ]
  for (const [message, lane, param] of cases) {
    t.match(read(message), { kind: 'fault', lane, error: { data: { code: 'invalid_request', param } } }, String(param))
  }
  t.match(readText('{"type":"response.create","model":"a","model":"b"}'), {
    kind: 'fault',
    error: { data: { param: 'model' } },
  })
  for (const text of [
    '',
    'no',
    '{"type":"response.create"',
    '{"type":"response.steer","previous_response_id":"a",}',
    '{"type":"response.create","stream_id":"\\q"}',
  ]) {
    t.match(readText(text), { kind: 'fault' }, text)
  }
  t.match(read({ type: 'response.steer', previous_response_id: 'r', input: 'x'.repeat(300_000) }), { kind: 'fault' })
  t.end()
})

test('an event of a lane has its name, and no provider can name another one', (t) => {
  const tail = mode.encodeTail('a"b')
  const none = mode.encodeTail(null)
  const encode = (payload: string, by = tail) => mode.encodeEvent(Buffer.from(payload), by)?.toString() ?? null
  t.equal(encode('{"type":"x","delta":"}"} \n'), '{"type":"x","delta":"}","stream_id":"a\\"b"}')
  t.equal(encode('{ }'), '{ "stream_id":"a\\"b"}')
  t.equal(encode('{"type":"x"}', none), '{"type":"x"}')
  for (const forged of ['"stream_id":"other"', '"stream\\u005fid":"other"', '"stream_id":{"a":[1]}']) {
    for (const payload of [`{${forged},"type":"x"}`, `{"type":"x",${forged}}`, `{"type":"x",${forged},"n":1}`]) {
      t.same(JSON.parse(encode(payload) ?? '').stream_id, 'a"b', payload)
      t.notOk(encode(payload)?.includes('other'), payload)
      t.notOk('stream_id' in JSON.parse(encode(payload, none) ?? ''), payload)
    }
  }
  t.match(encode('{"item":{"stream_id":"in the content"}}', none), /in the content/, 'content is content')
  for (const bad of ['', '[]', '{"a":1}{"b":2}', '{"a":1},{"b":2}', '{"a":']) t.equal(encode(bad), null, bad)
  t.equal(mode.encodeEvent(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), none)?.toString(), '{"\ufffd":1}')
  t.end()
})

test('a stream that fails ends with its error, which has a status here, and with its failed answer', (t) => {
  const error = errorData('upstream_cut')
  const frame =
    'event: error\ndata: {"type":"error","code":"upstream_cut","message":"m","error":{"type":"server_error"},"sequence_number":4}\n\n' +
    'event: response.failed\ndata: {"type":"response.failed","response":{},"sequence_number":5}\n\n'
  const messages = mode.encodeFailure(frame, error, 'a').map((each) => JSON.parse(each.toString()))
  t.match(messages, [
    { type: 'error', status: error.status, code: 'upstream_cut', error: { type: 'server_error' }, stream_id: 'a' },
    { type: 'response.failed', stream_id: 'a', sequence_number: 5 },
  ])
  t.notOk('status' in messages[1])
  t.notOk('stream_id' in JSON.parse(mode.encodeFailure(frame, error, null)[0]?.toString() ?? ''))
  t.end()
})

test('refusals, limits and steering have the forms and codes of the API', (t) => {
  const error = { type: 't', message: 'm', code: 'c', param: null }
  t.same(mode.encodeError(error, { status: 429, lane: 'a', headers: { 'retry-after': '2' } }), {
    ...{ type: 'error', status: 429, error, headers: { 'retry-after': '2' }, stream_id: 'a' },
  })
  t.same(mode.encodeError(error, { status: 400, lane: null, headers: {} }), { type: 'error', status: 400, error })
  t.match(mode.tooManyTurns(4).data, { status: 429, ownCode: 'websocket_stream_limit_reached' })
  t.match(mode.tooOld().data, { status: 400, ownCode: 'websocket_connection_limit_reached' })
  const steer = read({ type: 'response.steer', previous_response_id: 'r', input: [{ role: 'user', content: 'x' }] })
  if (steer.kind !== 'steer') throw new Error('not read')
  t.same(mode.encodeSteerFailed(steer, { state: 'running', lane: 'a', sequence: 3 }), {
    type: 'response.steer.failed',
    sequence_number: 3,
    error: {
      type: 'invalid_request_error',
      code: 'steering_not_supported',
      message: 'The provider of this response does not support steering.',
    },
    steer: { previous_response_id: 'r', input: [{ role: 'user', content: 'x' }] },
    stream_id: 'a',
  })
  const codeOf = (state: 'over' | 'unknown') =>
    mode.encodeSteerFailed(steer, { state, lane: null, sequence: 0 }).error as { code: string }
  t.equal(codeOf('over').code, 'response_already_completed')
  t.equal(codeOf('unknown').code, 'response_not_found')
  t.end()
})

test('an empty answer is created and complete, with no output, and its id is read from its first event alone', (t) => {
  const own = { id: 'resp_1', store: false, background: false, previous_response_id: 'resp_0' }
  const frames = mode.encodeEmpty({ id: 'resp_1', model: 'm', createdSec: 7 }, { own })
  const payloads = frames.map((frame) => frame.slice(frame.indexOf('data: ') + 6).trim())
  t.match(
    payloads.map((payload) => JSON.parse(payload)),
    [
      { type: 'response.created', sequence_number: 0, response: { id: 'resp_1', status: 'in_progress', output: [] } },
      { type: 'response.in_progress', sequence_number: 1 },
      {
        type: 'response.completed',
        sequence_number: 2,
        response: {
          ...{ id: 'resp_1', status: 'completed', output: [], previous_response_id: 'resp_0', store: false },
          usage: { input_tokens: 0, output_tokens: 0, total_tokens: 0 },
        },
      },
    ],
  )
  const idOf = (payload: string) => mode.answerId(Buffer.from(payload))
  t.equal(idOf(payloads[0] ?? ''), 'resp_1')
  t.equal(idOf(payloads[2] ?? ''), null)
  for (const odd of ['{"a":"response.created"}', '{"a":"response.created","response":null}', '["response.created"]']) {
    t.equal(idOf(odd), null, odd)
  }
  t.end()
})
